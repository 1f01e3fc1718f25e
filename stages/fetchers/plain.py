"""Plain: fetch with aiohttp. One request, no redirect, no cookie kept, a body within bounds.

May touch: its neighbours, which know aiohttp; a budget of bytes.
Never raises for what the web does wrong: every such thing becomes `Failed` with a word
that the retry policy knows.

aiohttp's own conveniences are off on purpose: its decoding has no bound and takes a
truncated gzip for a page, its redirects pass no door, its URL requoting changes URLs.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from penstock.crawler.config.credentials import Proxy
from penstock.crawler.messages import Failed, Fetched, FetchTask
from penstock.crawler.policies.bandwidth import Bandwidth
from penstock.crawler.ports import ByteBudget, ByteHold
from penstock.stages.http.body import Body, read_body
from penstock.stages.http.exchange import Exchange, HttpClient
from penstock.stages.http.failures import reason_of
from penstock.stages.http.mime import is_html
from penstock.stages.http.request_templates import RequestTemplates
from penstock.stages.http.response_head import ResponseHead
from penstock.stages.http.sent_credentials import CredentialSender

if TYPE_CHECKING:
    from penstock.crawler.policies.cookies import Cookies


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainOptions:
    user_agent: str
    headers: Mapping[str, str] = field(repr=False)  # the operator's, which may be credentials
    header_origins: frozenset[str] | None = None  # they go to these origins only; None: to all
    cookies: Cookies | None = None  # the operator's; they go to `header_origins` only
    proxy: Proxy | None = None  # every request leaves through it
    timeout: float  # seconds, whole fetch
    max_body: int  # bytes after content-coding
    keep_bodies: bool = False  # of every type, with the headers
    public_only: bool = False  # connect to no address that is not public
    bandwidth: Bandwidth | None = None  # of all bodies together
    any_type: bool = False  # the body of every 2xx, cut at max_body instead of failed
    method: str = "GET"
    no_body: bool = False  # whatever the type


class PlainFetcher:
    """The `plain` tier. Needs a running event loop; `close` it."""

    def __init__(
        self,
        options: PlainOptions,
        budget: ByteBudget,
        exchanges: HttpClient | None = None,
        carrier: CredentialSender | None = None,
    ) -> None:
        self._options = options
        self._budget = budget
        self._exchanges = exchanges or HttpClient(
            RequestTemplates(_request_headers(options), options.proxy),
            timeout=options.timeout,
            public_only=options.public_only,
            proxy=options.proxy,
        )
        self._carrier = carrier or CredentialSender(
            options.headers, options.header_origins, options.cookies, options.proxy
        )

    def for_any_type(self, max_bytes: int) -> PlainFetcher:
        """The same connections for robots.txt and sitemaps: every 2xx body, cut at `max_bytes`.

        Not to be closed.
        """
        options = replace(self._options, max_body=max_bytes, any_type=True, keep_bodies=False)
        return PlainFetcher(options, self._budget, self._exchanges, self._carrier)

    def for_heads(self, method: str) -> PlainFetcher:
        """The same connections for answers without their bodies. Not to be closed."""
        options = replace(self._options, method=method, no_body=True, keep_bodies=False)
        return PlainFetcher(options, self._budget, self._exchanges, self._carrier)

    async def close(self) -> None:
        await self._exchanges.close()

    async def get(self, task: FetchTask) -> Fetched | Failed:
        fetched_at, started = time.time(), time.monotonic()
        exchange = head = hold = None
        try:
            carried = self._carrier.carried(task.url)
            exchange = await self._exchanges.begin(self._options.method, task.url, carried)
            head = ResponseHead(
                task.url, exchange.head, fetched_at=fetched_at, started=started, asked_at=exchange.asked_at
            )
            if self._options.keep_bodies:
                head.keep_lines(cookies=not carried.known)  # who is known may be sent a key in one
            if refused := self._carrier.refused(task.url, head.status, carried):
                exchange.release()
                return Failed(task=task, stage="fetch", reason=refused)
            body = None
            if self._wants_body(head):
                hold = self._budget.open()
                body = await self._read_body(exchange, head, hold)
            exchange.release()
            content = None if body is None else body.content
            result = Fetched(task=task, answer=head.answer(body), body=content, hold=hold)
            hold = None
            return result
        except Exception as error:  # aiohttp lets UnicodeError, AssertionError and others through
            if (reason := reason_of(error)) is None:
                raise
            answer = None if head is None else head.answer()
            return Failed(task=task, stage="fetch", reason=reason, answer=answer)
        finally:
            if hold is not None:
                hold.release()
            if exchange is not None:
                exchange.close()

    def _wants_body(self, head: ResponseHead) -> bool:
        if self._options.any_type:
            return 200 <= head.status < 300
        if head.status != 200 or self._options.no_body:
            return False
        return self._options.keep_bodies or is_html(head.mime.essence)

    async def _read_body(self, exchange: Exchange, head: ResponseHead, hold: ByteHold) -> Body:
        return await read_body(
            exchange,
            hold,
            coding=head.coding,
            limit=self._options.max_body,
            cut=self._options.any_type,
            bandwidth=self._options.bandwidth,
        )


def _request_headers(options: PlainOptions) -> dict[str, str]:
    ours = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.5"}
    asked = {name.lower() for name in options.headers}
    return {
        **{name: value for name, value in ours.items() if name.lower() not in asked},
        **(options.headers if options.header_origins is None else {}),
        "Accept-Encoding": "gzip, deflate",
        "User-Agent": options.user_agent,
    }
