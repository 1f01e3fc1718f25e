"""Exchange: one request and its response, on one of the client's connections.

May touch: this room, and the exceptions of aiohttp.

aiohttp's session does this too, and much that we never ask for (redirects, cookies, traces,
proxies of the environment, a timer for each of its deadlines), in twice the time.

A body is reserved piece by piece before it is kept. While a reservation waits, nothing is read from
the exchange; so aiohttp stops reading from the socket, and the server stops sending.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import time
from collections.abc import Awaitable
from io import BytesIO
from typing import NamedTuple, Protocol

import aiohttp

from penstock.crawler.config.credentials import Proxy
from penstock.crawler.messages import CanonicalUrl, Jar
from penstock.crawler.output.logs import get_logger
from penstock.crawler.policies.politeness import Bandwidth
from penstock.crawler.ports import ByteHold
from penstock.crawler.urls import origin
from penstock.stages.http.aiohttp_inside import (
    ClientProtocol,
    Connection,
    Connector,
    Destination,
    RawResponseMessage,
    StreamReader,
)
from penstock.stages.http.content_coding import PIECE_BYTES, CodingError, Decoder
from penstock.stages.http.failures import ProxyFailed, is_shortage, reason_of
from penstock.stages.http.mime import SNIFF_BYTES
from penstock.stages.http.request import CredentialSender, RequestTemplates
from penstock.stages.http.resolver import PublicResolver, public_socket
from penstock.stages.http.response import ResponseHead

MAX_CONNECT_SECONDS = 10.0  # for one address of a host
MAX_SILENT_SECONDS = 20.0
MAX_TICK_SECONDS = 0.5
YIELD_BYTES = 256 * 1024  # decoded in one go, before other tasks run
MIN_SHORTAGE_WAIT = 0.05  # seconds before the first new try; doubles
MAX_SHORTAGE_WAIT = 1.0
IDLE_CLOSED_IN_A_SHORTAGE = 16  # at each try
SECONDS_BETWEEN_WARNINGS = 60.0

log = get_logger()


class HttpClient:
    """Sends requests; owns the connections. Needs a running event loop; `close` it."""

    def __init__(
        self,
        requests: RequestTemplates,
        credentials: CredentialSender,
        *,
        timeout: float,
        public_only: bool = False,
        proxy: Proxy | None = None,
        max_sockets: int | None = None,
    ) -> None:
        """`timeout`: seconds of an exchange in all. `max_sockets`: open at once; None: any number."""
        self._requests = requests
        self._credentials = credentials
        self._timeout = timeout
        self._silence = min(MAX_SILENT_SECONDS, timeout)
        self._connecting = aiohttp.ClientTimeout(sock_connect=min(MAX_CONNECT_SECONDS, timeout))
        self._connector = _connector(proxy, public_only=public_only, connect_timeout=timeout)
        self._connector.max_sockets = max_sockets
        self._proxy = proxy
        self._next_warning = 0.0  # monotonic seconds
        self._deadlines = Deadlines(min(MAX_TICK_SECONDS, timeout / 10))

    async def request(
        self,
        method: str,
        url: CanonicalUrl,
        jar: Jar | None = None,
        form: bytes | None = None,
        timeout: float | None = None,
    ) -> Exchange:
        """Send a request, with the cookies of `jar` that belong to it, and return once the head of its
        response is in; its cookies are in the jar then. Close the exchange. `form`: the body of a POST.

        `timeout`: seconds in all, if less than those of the client.

        A server may close an idle connection at the moment when a request is sent on it. That is
        nobody's fault, so the request is sent once more (RFC 9112 section 9.3.1). On a connection
        that was made for this request the same failure is the server's.
        """
        fetched_at, started = time.time(), time.monotonic()
        limit, connecting = self._timeout, self._connecting
        if timeout is not None and timeout < limit:
            limit, connecting = timeout, aiohttp.ClientTimeout(sock_connect=min(MAX_CONNECT_SECONDS, timeout))
        site = origin(url)
        sent = self._credentials.credentials_for(url, site)
        if jar is not None:
            sent = sent.with_cookies(jar.header(url, now=fetched_at))
        if form is not None:
            sent = sent.with_form(len(form))
        destination, data = self._requests.request(method, url, site, sent)
        data += form or b""
        is_second = False
        while True:
            try:
                connection = await self._connector.connect(destination, [], connecting)
            except OSError as error:
                if not is_shortage(error):
                    raise
                connection = await self._connect_after_shortage(destination, error)
            exchange = Exchange(
                connection, self._deadlines, timeout=limit, started=started, silence=self._silence
            )
            try:
                message = await exchange.send(data, is_head=method == "HEAD")
                break
            except BaseException as error:
                exchange.close()
                was_idle = exchange.connected_at < started
                was_reset = isinstance(error, Exception) and reason_of(error) == "reset"
                if is_second or not (was_idle and was_reset):
                    raise
            is_second = True
        if message.code == 407 and self._proxy is not None:
            exchange.release()  # as the site's own word, a robots.txt with it would allow everything
            raise ProxyFailed("proxy:auth")
        if message.code in (401, 403):
            self._credentials.warn_if_withheld(site, sent)
        exchange.identifies = sent.identify
        exchange.head = ResponseHead(
            url, message, fetched_at=fetched_at, started=started, sent_at=exchange.sent_at
        )
        if jar is not None:
            jar.receive(url, exchange.head.set_cookies, now=time.time())
        return exchange

    async def _connect_after_shortage(self, destination: Destination, error: OSError) -> Connection:
        """Try again until the system has a descriptor or memory for the connection.

        The shortage is this machine's, so it is no failure of the host: the wait is not part of the
        request's time, and it ends with the run.
        """
        wait = MIN_SHORTAGE_WAIT
        while True:
            self._connector.close_idle(IDLE_CLOSED_IN_A_SHORTAGE)
            self._warn_of_shortage(error)
            await asyncio.sleep(wait)
            wait = min(2 * wait, MAX_SHORTAGE_WAIT)
            try:
                connection = await self._connector.connect(destination, [], self._connecting)
            except OSError as again:
                if not is_shortage(again):
                    raise
                error = again
                continue
            assert isinstance(connection.protocol, ClientProtocol)
            connection.protocol.waited_until = time.monotonic()
            return connection

    def _warn_of_shortage(self, error: OSError) -> None:
        now = time.monotonic()
        if now < self._next_warning:
            return
        self._next_warning = now + SECONDS_BETWEEN_WARNINGS
        log.warning(
            "out_of_descriptors",
            error=os.strerror(getattr(error, "os_error", error).errno or errno.EMFILE),
            action="wait; no URL fails because of it",
            hint="raise the limit of open files (ulimit -n), or lower --fetchers",
        )

    async def close(self) -> None:
        self._deadlines.close()
        await self._connector.close()


def _connector(proxy: Proxy | None, *, public_only: bool, connect_timeout: float) -> Connector:
    if proxy is not None and proxy.is_socks:
        from penstock.stages.http.socks import SocksConnector  # with the extra `socks` only

        return SocksConnector(proxy, connect_timeout=connect_timeout)
    if not public_only:
        return Connector(ttl_dns_cache=300, connect_timeout=connect_timeout)
    # The resolver does not see literal addresses. The socket factory does, and it is the socket that
    # connects.
    return Connector(
        ttl_dns_cache=300,
        connect_timeout=connect_timeout,
        resolver=PublicResolver(),
        socket_factory=public_socket,
    )


class Body(NamedTuple):
    content: bytes
    digest: bytes  # SHA-256


class Exchange:
    """A request on one connection. `close` before `release` closes the connection too."""

    __slots__ = (
        *("_begun", "_connection", "_content", "_deadlines", "_ends_at"),
        *("_is_paused", "_protocol", "_silence"),
        *("head", "identifies", "sent_at"),
    )

    head: ResponseHead  # set by the client
    identifies: bool  # the request named the operator

    def __init__(
        self,
        connection: Connection,
        deadlines: Deadlines,
        *,
        started: float,
        timeout: float,
        silence: float,
    ) -> None:
        """`started`: monotonic seconds. `timeout`: seconds in all, beside those that the connection
        had to wait for a free descriptor. `silence`: the most seconds without any data of the server."""
        protocol = connection.protocol
        assert isinstance(protocol, ClientProtocol)
        self._connection = connection
        self._protocol = protocol
        self._deadlines = deadlines
        self._ends_at = max(started, protocol.waited_until) + timeout
        self._silence = silence
        self._is_paused = False
        self._content: StreamReader | None = None
        self._begun = b""  # of the body, still coded: read by `beginning`
        self.sent_at = 0.0  # monotonic seconds
        deadlines.add(self)

    @property
    def connected_at(self) -> float:
        """When its connection was made, monotonic seconds."""
        return self._protocol.connected_at

    async def send(self, request: bytes, *, is_head: bool) -> RawResponseMessage:
        """Send the request; return the head of the final response. 1xx responses are passed over."""
        self.sent_at = time.monotonic()
        self._protocol.send(request, is_head=is_head)
        while True:
            message, content = await self._protocol.read()
            if not 100 <= message.code < 200 or message.code == 101:
                self._content = content
                return message

    async def beginning(self) -> bytes:
        """Decode the first SNIFF_BYTES of the body, or all of a shorter one. `read_body` still returns
        the whole. Raises CodingError, and aiohttp's errors."""
        decoder = Decoder(self.head.coding, SNIFF_BYTES)
        head = bytearray()
        while len(head) < SNIFF_BYTES and (chunk := await self.chunk()):
            self._begun += chunk
            try:
                head += decoder.feed(chunk)
            except CodingError as error:
                if error.reason != "too_large":
                    raise
                head += error.decoded
                break
        return bytes(head)

    async def read_body(
        self,
        hold: ByteHold,
        *,
        limit: int,
        cut: bool = False,
        bandwidth: Bandwidth | None = None,
    ) -> Body:
        """Read the body, at most `limit` bytes after content-coding. A longer one is an error, or is
        `cut` at the limit. Raises CodingError, and aiohttp's errors."""
        decoder = Decoder(self.head.coding, limit)
        chunk = self._begun or await self.chunk()
        is_simple = decoder.changes_nothing and bandwidth is None and len(chunk) <= min(limit, YIELD_BYTES)
        if is_simple and self.is_complete and hold.try_reserve(len(chunk)):
            return Body(chunk, hashlib.sha256(chunk).digest())  # most pages arrive at once
        body = BytesIO()  # a list of pieces would be in memory twice while it is joined
        digest = hashlib.sha256()  # piece by piece: all at once would delay the event loop
        unyielded = 0  # bytes decoded since other tasks ran
        try:
            while chunk:
                for piece in decoder.pieces(chunk):
                    if not hold.try_reserve(len(piece)):
                        await self.pause(hold.reserve(len(piece)))
                    body.write(piece)
                    digest.update(piece)
                    unyielded += len(piece) or PIECE_BYTES
                    if unyielded > YIELD_BYTES:
                        unyielded = 0
                        await asyncio.sleep(0)
                if bandwidth is not None:
                    await self.pause(asyncio.sleep(bandwidth.wait(len(chunk), time.monotonic())))
                chunk = await self.chunk()
            decoder.finish()
        except CodingError as error:
            if not (cut and error.reason == "too_large"):
                raise
            body.write(error.decoded)
            digest.update(error.decoded)
        return Body(body.getvalue(), digest.digest())

    async def chunk(self) -> bytes:
        """The bytes of the body that arrived since the last call; none after the last of them."""
        assert self._content is not None
        return await self._content.readany()

    @property
    def is_complete(self) -> bool:
        """True once the whole body was taken."""
        return self._content is not None and self._content.at_eof()

    async def pause(self, wait: Awaitable[None]) -> None:
        """Wait for memory or bandwidth, which we ration ourselves: no deadline runs meanwhile."""
        began = time.monotonic()
        self._is_paused = True
        await wait
        self._is_paused = False
        self._protocol.last_activity_at = time.monotonic()
        self._ends_at += self._protocol.last_activity_at - began

    def check(self, now: float) -> None:
        """End it with a TimeoutError if its time is over, or with aiohttp's if the server is silent
        for too long."""
        if self._is_paused:
            return
        if now >= self._ends_at:
            self._fail(TimeoutError())
        elif now - self._protocol.last_activity_at >= self._silence:
            has_arrived = self._content is not None and self._content.is_eof()
            if not has_arrived:
                self._fail(aiohttp.SocketTimeoutError())

    def _fail(self, error: Exception) -> None:
        self._protocol.set_exception(error)
        if self._content is not None:
            self._content.set_exception(error)

    def release(self) -> None:
        """Return the connection to the pool, if the response was read to its end."""
        self._deadlines.discard(self)
        self._connection.release()

    def close(self) -> None:
        """Close the connection, unless it was released."""
        self._deadlines.discard(self)
        self._connection.close()


class Deadline(Protocol):
    def check(self, now: float) -> None:
        """End what is too late at `now` (monotonic seconds)."""
        ...


class Deadlines:
    """Checks all exchanges every `tick` seconds, with one timer. Needs a running event loop; `close` it.

    A timer per request, moved with every piece that arrives, cost more than everything else that we
    do for a request. Here an exchange ends at most one `tick` late.
    """

    def __init__(self, tick: float) -> None:
        self.tick = tick
        self._open: set[Deadline] = set()
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._open)

    def add(self, deadline: Deadline) -> None:
        self._open.add(deadline)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self.tick, self._check)

    def discard(self, deadline: Deadline) -> None:
        self._open.discard(deadline)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _check(self) -> None:
        now = time.monotonic()
        for deadline in self._open:
            deadline.check(now)
        self._timer = asyncio.get_running_loop().call_later(self.tick, self._check) if self._open else None
