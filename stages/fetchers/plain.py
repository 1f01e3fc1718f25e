"""Plain: fetch with aiohttp. One request, no redirect, no cookie kept, a body within bounds.

May touch: aiohttp and yarl; nobody else imports them.
Never raises for what the web does wrong: every such thing becomes `Failed` with a word
that the retry policy knows.

aiohttp's own conveniences are off on purpose: its decoding has no bound and takes a
truncated gzip for a page, its redirects pass no door, its URL requoting changes URLs.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field, replace
from io import BytesIO
from typing import TYPE_CHECKING, Any

import aiohttp
from yarl import URL

from crawler.credentials import Proxy
from crawler.messages import Answer, CanonicalUrl, Failed, Fetched, FetchTask
from crawler.policies.bandwidth import Bandwidth
from crawler.ports import ByteBudget, ByteHold
from crawler.urls import resolve
from stages.fetchers.carried import Carrier
from stages.fetchers.coding import PIECE_BYTES, CodingError, Decoder
from stages.fetchers.connections import connector, made_at
from stages.fetchers.failures import reason_of
from stages.fetchers.headers import content_length, parse_retry_after, text_of
from stages.fetchers.mime import is_html, parse_mime

if TYPE_CHECKING:
    from crawler.policies.cookies import Cookies

MAX_HEADER_BYTES = 64 * 1024  # per line; aiohttp's default of 8 KiB fails real cookies and policies
MAX_HEADERS = 1_000
TURN_BYTES = 256 * 1024  # decoded in one go, before other tasks have their turn
REDIRECTS = frozenset({301, 302, 303, 307, 308})


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
        session: aiohttp.ClientSession | None = None,
        carrier: Carrier | None = None,
    ) -> None:
        self._options = options
        self._budget = budget
        self._session = session if session is not None else self._new_session()
        self._carrier = carrier or Carrier(
            options.headers, options.header_origins, options.cookies, options.proxy
        )

    def for_any_type(self, max_bytes: int) -> PlainFetcher:
        """The same session for robots.txt and sitemaps: every 2xx body, cut at `max_bytes`.

        Not to be closed.
        """
        options = replace(self._options, max_body=max_bytes, any_type=True, keep_bodies=False)
        return PlainFetcher(options, self._budget, self._session, self._carrier)

    def for_heads(self, method: str) -> PlainFetcher:
        """The same session for answers without their bodies. Not to be closed."""
        options = replace(self._options, method=method, no_body=True, keep_bodies=False)
        return PlainFetcher(options, self._budget, self._session, self._carrier)

    def _new_session(self) -> aiohttp.ClientSession:
        options = self._options
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=min(10.0, options.timeout), sock_read=min(20.0, options.timeout)
        )
        session = aiohttp.ClientSession(
            connector=connector(public_only=options.public_only, proxy=options.proxy),
            timeout=timeout,
            headers=_request_headers(options),
            proxy=None if options.proxy is None or options.proxy.is_socks else options.proxy.url,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
            max_headers=MAX_HEADERS,
            trust_env=False,
        )
        session._retry_connection = False  # see `connections`
        return session

    async def close(self) -> None:
        await self._session.close()

    async def get(self, task: FetchTask) -> Fetched | Failed:
        made_at.set(None)
        result = await self._get(task)
        lost = isinstance(result, Failed) and result.reason == "reset" and result.answer is None
        if lost and made_at.get() is None:
            return await self._get(task)  # the server had closed the idle connection
        return result

    async def _get(self, task: FetchTask) -> Fetched | Failed:
        fetched_at = time.time()
        carried = self._carrier.carried(task.url)
        fetch = _Fetch(task, self._options, fetched_at, time.monotonic(), known=carried.known)
        hold = None
        try:
            async with asyncio.timeout(self._options.timeout) as deadline:
                async with self._session.request(
                    self._options.method,
                    _as_spelt(task.url),
                    headers=carried.in_request,
                    proxy_headers=carried.in_tunnel,
                    allow_redirects=False,
                ) as response:
                    if refused := self._carrier.refused(task.url, response.status, carried):
                        return Failed(task=task, stage="fetch", reason=refused)
                    if not fetch.wants_body(response):
                        return fetch.finished(response)
                    hold = self._budget.open()
                    body = await fetch.read(response, hold, deadline)
                    result, hold = fetch.finished(response, body, hold), None
                    return result
        except Exception as error:  # aiohttp lets UnicodeError, AssertionError and others through
            if (reason := reason_of(error)) is None:
                raise
            return Failed(task=task, stage="fetch", reason=reason, answer=fetch.answer)
        finally:
            if hold is not None:
                hold.release()


def _as_spelt(url: CanonicalUrl) -> URL:
    """The URL as aiohttp takes it, so that the canonical spelling goes onto the wire as it is."""
    spelt = URL(url, encoded=True)
    if url.endswith("?"):
        # yarl knows no empty query, but to a server `/a?` may be another page than `/a`. The
        # request line is what this property says; a test watches that it stays so.
        spelt._cache["raw_path_qs"] = spelt.raw_path + "?"
    return spelt


def _request_headers(options: PlainOptions) -> dict[str, str]:
    ours = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.5"}
    asked = {name.lower() for name in options.headers}
    return {
        **{name: value for name, value in ours.items() if name.lower() not in asked},
        **(options.headers if options.header_origins is None else {}),
        "Accept-Encoding": "gzip, deflate",
        "User-Agent": options.user_agent,
    }


class _Fetch:
    """One fetch under way: what has arrived of it so far."""

    __slots__ = (
        *("_fetched_at", "_hash", "_known", "_latency"),
        *("_options", "_response", "_started", "_task"),
    )

    def __init__(
        self, task: FetchTask, options: PlainOptions, fetched_at: float, started: float, *, known: bool
    ) -> None:
        self._task = task
        self._options = options
        self._fetched_at = fetched_at
        self._started = started
        self._latency = 0.0
        self._hash = hashlib.sha256()  # of the body, as it comes: all at once it would hold up the loop
        self._known = known  # the request said who we are, so a cookie in its answer may be a key
        self._response: aiohttp.ClientResponse | None = None  # known once the headers are in

    @property
    def answer(self) -> Answer | None:
        """What there is of one, if the rest does not come."""
        return self._read_head(self._response) if self._response is not None else None

    def wants_body(self, response: aiohttp.ClientResponse) -> bool:
        """Note that the headers are in; then say whether the body is of use."""
        self._latency = time.monotonic() - max(self._started, made_at.get() or 0.0)
        self._response = response
        if self._options.any_type:
            return 200 <= response.status < 300
        if response.status != 200 or self._options.no_body:
            return False
        return self._options.keep_bodies or is_html(parse_mime(response.headers.get("Content-Type")).essence)

    async def read(
        self, response: aiohttp.ClientResponse, hold: ByteHold, deadline: asyncio.Timeout
    ) -> bytes:
        """Read and decode the body. Raises CodingError, and what aiohttp raises."""
        limit = self._options.max_body
        decoder = Decoder(response.headers.get("Content-Encoding"), limit)
        body = BytesIO()  # a list of pieces would be in memory twice while it is joined
        in_turn = 0  # bytes since others had theirs
        try:
            async for chunk in response.content.iter_any():
                for piece in decoder.pieces(chunk):
                    if not hold.try_reserve(len(piece)):
                        await _pause(hold.reserve(len(piece)), deadline)
                    body.write(piece)
                    self._hash.update(piece)
                    in_turn += len(piece) or PIECE_BYTES
                    if in_turn > TURN_BYTES:
                        in_turn = 0
                        await asyncio.sleep(0)
                if self._options.bandwidth is not None:
                    wait = self._options.bandwidth.wait(len(chunk), time.monotonic())
                    await _pause(asyncio.sleep(wait), deadline)
            decoder.finish()
        except CodingError as error:
            if not (self._options.any_type and error.reason == "too_large"):
                raise
            body.write(error.decoded)
            self._hash.update(error.decoded)
        return body.getvalue()

    def finished(
        self, response: aiohttp.ClientResponse, body: bytes | None = None, hold: ByteHold | None = None
    ) -> Fetched:
        answer = self._read_head(response, body)
        return Fetched(task=self._task, answer=answer, body=body, hold=hold)

    def _read_head(self, response: aiohttp.ClientResponse, body: bytes | None = None) -> Answer:
        headers = response.headers
        mime = parse_mime(headers.get("Content-Type"))
        location = headers.get("Location") if response.status in REDIRECTS else None
        return Answer(
            status=response.status,
            fetched_at=self._fetched_at,
            latency=self._latency,
            elapsed_ms=round((time.monotonic() - self._started) * 1000),
            content_type=mime.essence,
            charset=mime.charset,
            body_bytes=content_length(headers) if body is None else len(body),
            content_hash=None if body is None else self._hash.digest(),
            location=None if location is None else resolve(self._task.url, text_of(location) or ""),
            retry_after=parse_retry_after(headers.get("Retry-After"), time.time()),
            etag=text_of(headers.get("ETag")),
            last_modified=text_of(headers.get("Last-Modified")),
            robots=text_of("\n".join(headers.getall("X-Robots-Tag", ()))) or None,
            headers=self._headers(headers) if self._options.keep_bodies else (),
        )

    def _headers(self, headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        return tuple(
            (name, text_of(value) or "")
            for name, value in headers.items()
            if not (self._known and name.lower() == "set-cookie")
        )


async def _pause(wait: Coroutine[Any, Any, None], deadline: asyncio.Timeout) -> None:
    """Wait for what we ration ourselves; the clock of the fetch stands still meanwhile."""
    loop = asyncio.get_running_loop()
    at, began = deadline.when(), loop.time()
    deadline.reschedule(None)
    await wait
    if at is not None:
        deadline.reschedule(at + loop.time() - began)
