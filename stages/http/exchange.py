"""Exchange: one request and its answer, on one of aiohttp's connections.

May touch: aiohttp's connector, protocol and streams.

aiohttp's session does this too, and with it much that we never ask for (redirects, cookies,
traces, proxies of the environment, a timer for each of its deadlines), at twice the time.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable

import aiohttp
from aiohttp.connector import Connection
from aiohttp.http import RawResponseMessage
from aiohttp.streams import StreamReader

from penstock.crawler.config.credentials import Proxy
from penstock.crawler.messages import CanonicalUrl
from penstock.stages.http.client_protocol import ClientProtocol
from penstock.stages.http.connections import connector
from penstock.stages.http.deadlines import Deadlines
from penstock.stages.http.failures import reason_of
from penstock.stages.http.request_templates import RequestTemplates
from penstock.stages.http.sent_credentials import SentCredentials

MAX_CONNECT_SECONDS = 10.0  # for one address of a host
MAX_SILENT_SECONDS = 20.0
MAX_TICK_SECONDS = 0.5


class HttpClient:
    """Owns the connections. `timeout`: seconds of an exchange in all. Needs a running event loop."""

    def __init__(
        self, requests: RequestTemplates, *, timeout: float, public_only: bool, proxy: Proxy | None
    ) -> None:
        self._requests = requests
        self._timeout = timeout
        self._silence = min(MAX_SILENT_SECONDS, timeout)
        self._connecting = aiohttp.ClientTimeout(sock_connect=min(MAX_CONNECT_SECONDS, timeout))
        self._connector = connector(public_only=public_only, proxy=proxy, most_seconds=timeout)
        self._deadlines = Deadlines(min(MAX_TICK_SECONDS, timeout / 10))

    async def begin(self, method: str, url: CanonicalUrl, carried: SentCredentials) -> Exchange:
        """Ask, and return once the answer's head is in. What comes of it must be closed.

        Asks once more if the server had closed the idle connection meanwhile.
        """
        began = time.monotonic()
        peer, request = self._requests.request(method, url, carried)
        asked_again = False
        while True:
            connection = await self._connector.connect(peer, [], self._connecting)
            exchange = Exchange(
                connection, self._deadlines, ends_at=began + self._timeout, silence=self._silence
            )
            try:
                await exchange.ask(request, is_head=method == "HEAD")
                return exchange
            except BaseException as error:
                exchange.close()
                was_closed = exchange.connected_at < began and _is_reset(error)
                if asked_again or not was_closed:
                    raise
            asked_again = True

    async def close(self) -> None:
        self._deadlines.close()
        await self._connector.close()


class Exchange:
    """What is asked on one connection. Closed before it was released, the connection is closed as well."""

    __slots__ = (
        *("_connection", "_content", "_deadlines", "_ends_at", "_message"),
        *("_protocol", "_silence", "_stands_still", "asked_at"),
    )

    def __init__(
        self, connection: Connection, deadlines: Deadlines, *, ends_at: float, silence: float
    ) -> None:
        """`ends_at`: monotonic seconds; `silence`: the most seconds without a word of the server."""
        protocol = connection.protocol
        assert isinstance(protocol, ClientProtocol)
        self._connection = connection
        self._protocol = protocol
        self._deadlines = deadlines
        self._ends_at = ends_at
        self._silence = silence
        self._stands_still = False
        self._message: RawResponseMessage | None = None
        self._content: StreamReader | None = None
        self.asked_at = 0.0  # monotonic seconds
        deadlines.add(self)

    @property
    def connected_at(self) -> float:
        """When its connection was made, monotonic seconds."""
        return self._protocol.made_at

    @property
    def head(self) -> RawResponseMessage:
        """Status line and headers of the final answer."""
        assert self._message is not None
        return self._message

    async def ask(self, request: bytes, *, is_head: bool) -> None:
        """Send it, and return once the head of the final answer is in; 1xx are passed over."""
        self.asked_at = time.monotonic()
        self._protocol.ask(request, is_head=is_head)
        while True:
            message, content = await self._protocol.read()
            if not 100 <= message.code < 200 or message.code == 101:
                self._message, self._content = message, content
                return

    async def chunk(self) -> bytes:
        """What has arrived of the body since the last call; nothing when that was all of it."""
        assert self._content is not None
        return await self._content.readany()

    @property
    def has_no_more(self) -> bool:
        """True once all of the body was taken."""
        return self._content is not None and self._content.at_eof()

    async def pause(self, wait: Awaitable[None]) -> None:
        """Wait for what we ration ourselves; the clock stands still meanwhile."""
        began = time.monotonic()
        self._stands_still = True
        await wait
        self._stands_still = False
        self._protocol.heard_at = time.monotonic()
        self._ends_at += self._protocol.heard_at - began

    def look(self, now: float) -> None:
        """End it with a TimeoutError if its time is over, or with aiohttp's if the server is too silent."""
        if self._stands_still:
            return
        if now >= self._ends_at:
            self._fail(TimeoutError())
        elif now - self._protocol.heard_at >= self._silence and not self._has_all:
            self._fail(aiohttp.SocketTimeoutError())

    @property
    def _has_all(self) -> bool:
        return self._content is not None and self._content.is_eof()

    def _fail(self, error: Exception) -> None:
        self._protocol.set_exception(error)
        if self._content is not None:
            self._content.set_exception(error)

    def release(self) -> None:
        """Give the connection to whoever asks next, if the answer was read to its end."""
        self._deadlines.discard(self)
        self._connection.release()

    def close(self) -> None:
        """Close the connection, unless it was released."""
        self._deadlines.discard(self)
        self._connection.close()


def _is_reset(error: BaseException) -> bool:
    return isinstance(error, Exception) and reason_of(error) == "reset"
