"""Session: log in before the first page, and again when a page shows that the session has ended.

May touch: this room, the log.
Never: log or return a cookie or the value of a field.

The cookies of the log-in are frozen: whatever pages set later is ignored, so a page does not depend on
the pages before it. A page that shows no session is not stored. It is fetched once more after a new
log-in, alone: other requests of the origin wait meanwhile, since a session may be good for a few
requests only. If it shows no session even then, the operator has to look.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from penstock.crawler.config.domains import registrable_domain
from penstock.crawler.config.session_file import LogIn
from penstock.crawler.errors import LogInFailed
from penstock.crawler.messages import LOGGED_OUT, MAX_REDIRECTS, CanonicalUrl, Failed, Fetched, FetchTask
from penstock.crawler.output.logs import get_logger
from penstock.crawler.policies.cookie_jar import CookieJar
from penstock.crawler.ports import ByteBudget
from penstock.crawler.urls import is_http, origin
from penstock.stages.http.exchange import HttpClient
from penstock.stages.http.failures import reason_of
from penstock.stages.http.mime import is_html
from penstock.stages.http.request import CredentialSender

MAX_LOG_IN_PAGE = 4 << 20  # bytes

Fetch = Callable[[FetchTask], Awaitable[Fetched | Failed]]

log = get_logger()


class _Page(NamedTuple):
    url: CanonicalUrl
    status: int
    body: bytes


class Session:
    """`begin` it, then `get` the pages of its origin."""

    def __init__(
        self, log_in: LogIn, client: HttpClient, sender: CredentialSender, budget: ByteBudget
    ) -> None:
        self._plan = log_in.plan
        self._log_in = log_in
        self._client = client
        self._sender = sender
        self._budget = budget
        self._log_ins = 0
        self._open = 0  # requests of the origin
        self._is_free = asyncio.Event()  # no log-in is under way
        self._is_free.set()
        self._is_quiet = asyncio.Event()  # no request is open
        self._is_quiet.set()
        self._turn = asyncio.Lock()  # one page at a time is fetched again
        self._is_lost = False

    def covers(self, task: FetchTask) -> bool:
        return task.kind == "page" and task.url.startswith(f"{self._plan.origin}/")

    async def begin(self) -> None:
        """Log in. Raises LogInFailed."""
        if (problem := await self._try()) is not None:
            raise LogInFailed(f"--session: the log-in {self._plan.name!r} failed: {problem}")

    async def get(self, task: FetchTask, fetch: Fetch) -> Fetched | Failed:
        """Fetch a page within the session; `Failed` with LOGGED_OUT if there is none any more."""
        while not self._is_free.is_set():  # another page may begin a log-in before this one goes on
            await self._is_free.wait()
        if self._is_lost:
            return Failed(task=task, reason=LOGGED_OUT)
        log_ins = self._log_ins
        self._open += 1
        self._is_quiet.clear()
        try:
            result = await fetch(task)
        finally:
            self._open -= 1
            if not self._open:
                self._is_quiet.set()
        if not self._shows_none(result):
            return result
        return await self._get_again(task, fetch, log_ins)

    async def _get_again(self, task: FetchTask, fetch: Fetch, log_ins: int) -> Fetched | Failed:
        async with self._turn:
            self._is_free.clear()
            try:
                await self._is_quiet.wait()
                if not self._is_lost and self._log_ins > log_ins:  # another page has logged in meanwhile
                    result = await fetch(task)
                    if not self._shows_none(result):
                        return result
                if not self._is_lost and (problem := await self._try()) is None:
                    result = await fetch(task)
                    if not self._shows_none(result):
                        return result
                    problem = "the page shows no session right after a new log-in"
                if not self._is_lost:
                    self._is_lost = True
                    log.error(
                        LOGGED_OUT,
                        session=self._plan.name,
                        url=task.url,
                        error=problem,
                        action="leave the rest of the host pending",
                    )
                return Failed(task=task, reason=LOGGED_OUT)
            finally:
                self._is_free.set()

    def _shows_none(self, result: Fetched | Failed) -> bool:
        """True for what a site answers to somebody who is not logged in; its body is given back."""
        if isinstance(result, Failed):
            return False
        answer = result.answer
        out = answer.status == 401 or (answer.location is not None and self._plan.is_login(answer.location))
        if answer.status == 200 and result.body is not None and is_html(answer.content_type):
            out = not self._log_in.has_check(result.body)
        if out and result.hold is not None:
            result.hold.release()
        return out

    async def _try(self) -> str | None:
        """Log in with an empty jar, and freeze it. Return why that failed, if it did."""
        plan, jar = self._plan, CookieJar(registrable_domain)
        self._sender.frozen.pop(plan.origin, None)
        try:
            page = await self._visit(plan.login, jar)
            if page.status != 200:
                return f"{page.url} answered with status {page.status}"
            action, data = self._log_in.fill_form(page.body, page.url)
            if origin(action) != origin(page.url) or origin(page.url) != origin(plan.login):
                return f"the form would be sent from {origin(page.url)} to another origin, {origin(action)}"
            page = await self._visit(action, jar, data)
            if plan.check_url is not None:
                page = await self._visit(plan.check_url, jar)
        except ValueError as error:
            return f"{plan.login}: {error}"
        except Exception as error:
            if (reason := reason_of(error)) is None:
                raise
            return f"{plan.login} could not be fetched ({reason})"
        if page.status != 200:
            return f"{page.url} answered with status {page.status} after the form was sent"
        if not self._log_in.has_check(page.body):
            return (
                f"check {plan.check!r} finds nothing at {page.url} after the form was sent: "
                "a wrong user or password, or a wrong selector"
            )
        self._sender.frozen[plan.origin] = jar
        self._log_ins += 1
        log.info("logged_in", session=plan.name, origin=plan.origin)
        return None

    async def _visit(self, url: CanonicalUrl, jar: CookieJar, form: bytes | None = None) -> _Page:
        """Request a URL and follow its redirects as a browser would (Fetch, HTTP-redirect fetch)."""
        for _ in range(MAX_REDIRECTS + 1):
            exchange = await self._client.request("GET" if form is None else "POST", url, jar, form)
            hold = self._budget.open()
            try:
                answer = exchange.head.answer()
                if answer.location is None:
                    body = await exchange.read_body(hold, limit=MAX_LOG_IN_PAGE, cut=True)
                    exchange.release()
                    return _Page(url, answer.status, body.content)
            finally:
                hold.release()
                exchange.close()
            target = CanonicalUrl(answer.location)
            if not is_http(target):
                raise ValueError(f"it redirects to {target!r}")
            if answer.status not in (307, 308):
                form = None
            elif form is not None and origin(target) != origin(url):
                raise ValueError(f"it would send the form on to another origin, {origin(target)}")
            url = target
        raise ValueError(f"still a redirect after {MAX_REDIRECTS} of them")
