"""Plain: fetch with aiohttp. One request, no redirect, no cookie kept but in a handshake's jar, a body
within bounds.

May touch: `penstock.stages.http`, which is where aiohttp is; a budget of bytes.
Never raises for what the web does wrong: it returns `Failed` with a reason that the retry policy
knows.

aiohttp's own conveniences are off on purpose: its decoding has no bound and takes a truncated gzip
for a page, its redirects are not admitted like other URLs, its URL requoting changes URLs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from penstock.crawler.messages import Failed, Fetched, FetchTask
from penstock.crawler.ports import ByteHold
from penstock.stages.fetchers import FetchContext
from penstock.stages.http.content_coding import offered_codings
from penstock.stages.http.exchange import Body, Exchange, HttpClient
from penstock.stages.http.failures import reason_of
from penstock.stages.http.mime import Mime
from penstock.stages.http.request import CredentialSender, RequestTemplates
from penstock.stages.http.response import ResponseHead

if TYPE_CHECKING:
    from penstock.crawler.config.session_file import LogIn


class BodyRule(NamedTuple):
    """What is downloaded of the response to one kind of task."""

    wants: Callable[[ResponseHead], bool]
    sniffs: Callable[[ResponseHead], bool]  # of an answer without a type, the beginning is read to find it
    limit: int = 0  # bytes after content-coding
    cut: bool = False  # a longer body is cut, not a failure


class PlainFetcher:
    """The fetcher of the tier `plain`. It answers tasks of every kind."""

    def __init__(self, context: FetchContext) -> None:
        self._budget = context.budget
        self._bandwidth = context.bandwidth
        self._keeps_headers = context.keep_headers
        self._keeps_all = context.keep_all
        headers, own = _request_headers(context), {name.lower() for name in context.headers}
        # The operator's own headers may be secrets, so they are not among those that are kept.
        self._sent = tuple(each for each in headers.items() if each[0].lower() not in own)
        self._rules = _body_rules(context)
        self._may_skip = context.may_skip
        self._sender = CredentialSender(
            context.headers, context.header_origins, context.cookies, context.proxy
        )
        self._client = HttpClient(
            RequestTemplates(
                headers,
                context.proxy,
                trust=context.trust,
                shows_certificate=context.header_origins or frozenset(),
            ),
            self._sender,
            timeout=context.timeout,
            public_only=context.public_only,
            proxy=context.proxy,
            max_sockets=context.max_sockets,
        )

    async def close(self) -> None:
        await self._client.close()

    async def get(self, task: FetchTask) -> Fetched | Failed:
        exchange: Exchange | None = None
        hold = None
        try:
            # Servers without HEAD answer it with almost any status; the store stage then asks for a
            # second attempt.
            method = "HEAD" if task.kind == "resource" and task.attempt == 1 else "GET"
            jar = None if task.handshake is None else task.handshake.jar
            exchange = await self._client.request(method, task.url, jar, timeout=task.timeout)
            head, rule = exchange.head, self._rules[task.kind]
            if self._keeps_headers and (task.kind == "page" or self._keeps_all):
                head.keep_headers(cookies=not exchange.identifies)  # a cookie for the operator is a key
            if self._keeps_all:
                head.keep_lines((("Host", task.url.split("/", 3)[2]), *self._sent))
            body = kept = None
            if head.mime.essence is None and rule.sniffs(head) and method == "GET":
                beginning = await exchange.beginning()
                if beginning:
                    from penstock.stages.http.sniffing import sniff_mime  # few answers need it

                    essence = sniff_mime(beginning, is_scriptable=head.may_sniff_scripts)
                    head.mime = Mime(essence, None)
            if rule.wants(head):
                hold = self._budget.open()
                body = await exchange.read_body(
                    hold, limit=rule.limit, cut=rule.cut, bandwidth=self._bandwidth
                )
            elif self._keeps_all and task.kind != "resource":
                hold = self._budget.open()
                kept = await self._read_other(exchange, hold, rule)
            exchange.release()
            content = None if (read := body or kept) is None else read.content
            result = Fetched(task=task, answer=head.answer(body), body=content, hold=hold)
            hold = None
            return result
        except Exception as error:  # aiohttp lets UnicodeError, AssertionError and others through
            if (reason := reason_of(error)) is None:
                raise
            answer = None if exchange is None else exchange.head.answer()
            if reason == "too_large" and answer is not None and self._may_skip(answer.content_type):
                return Fetched(task=task, answer=answer)
            return Failed(task=task, stage="fetch", reason=reason, answer=answer)
        finally:
            if hold is not None:
                hold.release()
            if exchange is not None:
                exchange.close()

    async def _read_other(self, exchange: Exchange, hold: ByteHold, rule: BodyRule) -> Body:
        """The body of a redirect or an error, for an archive; empty if it cannot be read."""
        try:
            return await exchange.read_body(hold, limit=rule.limit, cut=True, bandwidth=self._bandwidth)
        except Exception as error:
            if reason_of(error) is None:
                raise
            return NO_BODY


NO_BODY = Body(b"", b"")


class SessionFetcher(PlainFetcher):
    """The same within the session of an operator who has logged in."""

    def __init__(self, context: FetchContext, log_in: LogIn) -> None:
        from penstock.stages.http.session import Session  # few crawls need it

        super().__init__(context)
        self.session = Session(log_in, self._client, self._sender, context.budget)

    async def get(self, task: FetchTask) -> Fetched | Failed:
        if self.session.covers(task):
            return await self.session.get(task, super().get)
        return await super().get(task)


class FirstCookiesFetcher(PlainFetcher):
    """The same with the cookies that the first answer of each origin sets."""

    def __init__(self, context: FetchContext) -> None:
        from penstock.stages.http.first_cookies import FirstCookies  # few crawls need it

        super().__init__(context)
        self._first = FirstCookies(self._client, self._sender)

    async def get(self, task: FetchTask) -> Fetched | Failed:
        if task.opens is not None and (failed := await self._first.take(task.opens, task)) is not None:
            return failed
        return await super().get(task)


async def open(context: FetchContext) -> PlainFetcher:
    """Raises LogInFailed."""
    if context.first_cookies:
        return FirstCookiesFetcher(context)
    if context.log_in is None:
        return PlainFetcher(context)
    fetcher = SessionFetcher(context, context.log_in)
    try:
        await fetcher.session.begin()
    except BaseException:
        await fetcher.close()
        raise
    return fetcher


def _body_rules(context: FetchContext) -> Mapping[str, BodyRule]:
    """By kind of task."""
    wants, may_skip, limit = context.wants, context.may_skip, context.max_body

    def is_wanted_page(head: ResponseHead) -> bool:
        if not (head.is_page and wants(head.mime.essence)):
            return False
        return (head.content_length or 0) <= limit or not may_skip(head.mime.essence)

    def is_success(head: ResponseHead) -> bool:
        return 200 <= head.status < 300

    def never(head: ResponseHead) -> bool:
        return False

    return {
        "page": BodyRule(is_wanted_page, is_success, context.max_body),
        "robots": BodyRule(is_success, never, context.max_robots, cut=True),  # read, whatever their type
        "sitemap": BodyRule(is_success, never, context.max_sitemap, cut=True),
        "resource": BodyRule(never, is_success),
    }


def _request_headers(context: FetchContext) -> dict[str, str]:
    """The headers of every request. The operator's are among them only if every origin gets them."""
    ours = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.5"}
    given = {name.lower() for name in context.headers}
    return {
        **{name: value for name, value in ours.items() if name.lower() not in given},
        **(context.headers if context.header_origins is None else {}),
        "Accept-Encoding": ", ".join(offered_codings()),
        "User-Agent": context.user_agent,
    }
