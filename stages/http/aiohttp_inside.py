"""aiohttp's insides: the only module that subclasses its classes or uses its undocumented names.

May touch: aiohttp and yarl.
Never: another module of aiohttp's insides elsewhere. The rest of this room uses what aiohttp
documents (its exceptions, `hdrs`, the resolver interface), so an upgrade is checked here.

Used beyond what aiohttp documents:

    ResponseHandler  subclassed: set_response_params, feed_data, data_received, read, should_close;
                     its attributes _exception, _loop, _parser, _payload, _reading_paused
    HttpResponseParser  made, and replaced: feed_data, feed_eof, pause_reading
    TCPConnector     subclassed: _create_connection, _wrap_create_connection, _factory, _loop, _conns,
                     _acquired
    ClientRequest    made without a session: connection_key, headers, proxy_headers

Two properties of aiohttp make this worth its price. It keeps bytes that follow a response and
takes them for the response to the next request (its issue 13656). It bounds each header line and
the number of lines, which together allow 60 MiB, and does not bound the number of 1xx responses.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Mapping
from functools import partial
from operator import itemgetter
from typing import Any

import aiohttp

from penstock.crawler.errors import BadConfig

SUPPORTED_MAJOR = "3"


def check_version(version: str) -> None:
    """Raises BadConfig for a major version of aiohttp that this module was not written for."""
    if version.partition(".")[0] != SUPPORTED_MAJOR:
        raise BadConfig(
            f"aiohttp {version} is installed, but Penstock needs aiohttp {SUPPORTED_MAJOR}: "
            f"pip install 'aiohttp>=3.14.4,<4'"
        )


check_version(aiohttp.__version__)  # before the imports below, which another version may not have

from aiohttp.client_proto import ResponseHandler  # noqa: E402
from aiohttp.connector import Connection  # noqa: E402
from aiohttp.http import HttpResponseParser, RawResponseMessage  # noqa: E402
from aiohttp.http_exceptions import HttpProcessingError  # noqa: E402
from aiohttp.streams import StreamReader  # noqa: E402
from yarl import URL  # noqa: E402

from penstock.stages.http.head_mending import end_of_head, may_be_head, mend_head  # noqa: E402

__all__ = [
    "SPEAKS_TLS",
    "ClientProtocol",
    "Connection",
    "Connector",
    "Destination",
    "HttpProcessingError",
    "RawResponseMessage",
    "StreamReader",
    "check_version",
    "new_destination",
]

MAX_HEADER_BYTES = 64 * 1024  # per line; aiohttp's default of 8 KiB fails real cookies and policies
MAX_HEADERS = 1_000
MAX_HEAD_BYTES = 256 * 1024  # 1xx responses, status line and headers; Chrome's bound, and about curl's

# The event loop reads up to 256 KiB at once, and aiohttp parses them at once. That can be 43,000
# chunks of one byte, which take 0.2 s. Such data is parsed in small parts, other tasks in between.
MAX_LINES_AT_ONCE = 1_000  # of a head or of chunks: each chunk has two lines, each header one
PART_BYTES = 2 * 1024

SPEAKS_TLS = "the port speaks TLS"  # the message of the HttpProcessingError

Destination = aiohttp.ClientRequest  # whom to connect to, and through which proxy


class HeadParser:
    """Stands before aiohttp's parser until the final head of one response is parsed.

    aiohttp's parser is strict where servers are not, and its lenient modes are not open to us. What it
    refuses is mended as `head_mending` has it and parsed once more, now apart from the bytes behind it:
    bytes behind a complete response are not part of it, whatever they are. A response that was mended
    ends its connection.
    """

    __slots__ = ("_mending", "_params", "_parser", "_protocol", "_refusal", "_searched", "_seen")

    def __init__(self, protocol: ClientProtocol, parser: Any, params: Mapping[str, Any]) -> None:
        self._protocol = protocol
        self._parser = parser
        self._params = params  # of set_response_params
        self._seen: list[bytes] = []
        self._mending = bytearray()  # the response from its beginning, once it was refused
        self._searched = 0  # bytes of it in which there is no end of a head
        self._refusal: Exception | None = None

    def feed_data(self, data: bytes) -> tuple[Any, bool, bytes]:
        if self._refusal is not None:
            self._mending += data
            return self._mend()
        self._seen.append(data)
        try:
            result: tuple[Any, bool, bytes] = self._parser.feed_data(data)
        except HttpProcessingError as error:
            self._refusal = error
        else:
            if not result[0]:
                return result
            head = result[0][-1][0]
            if not (head.should_close and not head.chunked and _names_chunked(head)):
                if head.code >= 200 or head.code == 101:
                    self._protocol._parser = self._parser
                return result
            self._refusal = HttpProcessingError(message="chunked is not the last transfer coding")
        self._mending += b"".join(self._seen)
        return self._mend()

    def feed_eof(self) -> Any:
        return None if self._refusal is not None else self._parser.feed_eof()

    def pause_reading(self) -> None:
        self._parser.pause_reading()

    def _mend(self) -> tuple[Any, bool, bytes]:
        assert self._refusal is not None
        messages: list[tuple[RawResponseMessage, StreamReader]] = []
        if not self._searched:  # RFC 9112 section 2.2: empty lines before a message are passed over
            self._mending = self._mending.lstrip(b"\r\n")
        while (end := end_of_head(self._mending, max(self._searched - 3, 0))) >= 0:
            head = mend_head(bytes(self._mending[:end]))
            if head is None:
                raise self._refusal
            rest = bytes(self._mending[end:])
            self._parser, self._searched = self._new_parser(), 0
            parsed, upgraded, tail = self._parser.feed_data(head)
            messages += parsed
            if messages[-1][0].code >= 200 or upgraded:
                self._protocol.force_close()
                self._protocol._parser = self._parser
                self._feed_body(messages[-1][1], rest)
                return messages, upgraded, tail
            self._mending[:end] = b""
        self._searched = len(self._mending)
        if not may_be_head(self._mending):
            is_tls = bytes(self._mending[:2]) in (b"\x15\x03", b"\x16\x03")  # a record: alert, or handshake
            raise HttpProcessingError(message=SPEAKS_TLS) if is_tls else self._refusal
        return messages, False, b""

    def _feed_body(self, body: StreamReader, data: bytes) -> None:
        if not data or body.is_eof():  # as that of a 204
            return
        try:
            self._parser.feed_data(data)
        except HttpProcessingError:
            if not body.is_eof():
                raise

    def _new_parser(self) -> Any:
        params = self._params
        return HttpResponseParser(
            self._protocol,
            self._protocol._loop,
            self._protocol._read_bufsize,
            payload_exception=aiohttp.ClientPayloadError,
            response_with_body=not params.get("skip_payload", False),
            read_until_eof=params.get("read_until_eof", False),
            auto_decompress=params.get("auto_decompress", True),
            max_line_size=params.get("max_line_size", MAX_HEADER_BYTES),
            max_field_size=params.get("max_field_size", MAX_HEADER_BYTES),
            max_headers=params.get("max_headers", MAX_HEADERS),
        )


def _names_chunked(head: RawResponseMessage) -> bool:
    """True if the body is framed by chunks, though aiohttp's parser does not see it."""
    return any("chunked" in value.lower() for value in head.headers.getall("Transfer-Encoding", ()))


class ClientProtocol(ResponseHandler):
    """The reading half of a connection: one response per request, with a head of bounded size."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.reference: object = None  # an object that has to live as long as the connection
        self.connected_at = 0.0  # monotonic seconds
        self.waited_until = 0.0  # monotonic seconds: the end of a wait for a free descriptor
        self.last_activity_at = 0.0  # monotonic seconds: a request was sent, or data arrived
        self._head_bytes = 0
        self._in_head = True
        self._has_lines = True  # a head, or chunks
        self._backlog = b""  # has arrived, and is parsed in small parts; reading is paused meanwhile
        self._parsed = 0  # bytes of the backlog
        self._is_scheduled = False
        self._lost: tuple[BaseException | None] | None = None  # reported once the backlog is parsed

    @property
    def should_close(self) -> bool:
        """A backlog behind a complete response is data that nobody asked for."""
        return bool(self._backlog) or super().should_close

    def send(self, request: bytes, *, is_head: bool) -> None:
        """Send `request`. `read` then returns the response: any number of 1xx, and the final one."""
        if self.transport is None or self.transport.is_closing():
            raise ConnectionResetError("closed while it was idle")
        self.set_response_params(
            skip_payload=is_head,
            read_until_eof=True,
            auto_decompress=False,
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
            max_headers=MAX_HEADERS,
        )
        self.last_activity_at = time.monotonic()
        self.transport.write(request)

    def set_response_params(self, **params: Any) -> None:
        """Called before every request, also by aiohttp before it asks a proxy for a tunnel."""
        self._head_bytes, self._in_head, self._has_lines = 0, True, True
        super().set_response_params(**params)
        self._parser = HeadParser(self, self._parser, params)  # type: ignore[assignment]

    def feed_data(self, data: Any, *size: int) -> None:
        """Called by aiohttp's parser with each response head and the stream of its body."""
        head = data[0]
        self._in_head = self._in_head and 100 <= head.code < 200 and head.code != 101
        self._has_lines = self._in_head or head.chunked
        super().feed_data(data, *size)

    def data_received(self, data: bytes) -> None:
        if data:
            self.last_activity_at = time.monotonic()
        if self._backlog and data:
            self._backlog += data
        elif not self._has_lines or _has_few_lines(data):
            self._parse(data)
        else:
            self._backlog = data
            self._pause_transport()
            self._parse_part()

    def resume_reading(self, resume_parser: bool = True) -> None:
        if self._reading_paused:  # aiohttp calls this with every piece that is taken from a stream
            super().resume_reading(resume_parser)
        if self._backlog:
            self._pause_transport()
            self._schedule()

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._backlog:
            self._lost = (exc,)
        else:
            super().connection_lost(exc)

    def close(self) -> None:
        self._end_backlog()
        super().close()

    def abort(self) -> None:
        self._end_backlog()
        super().abort()

    def _parse_part(self) -> None:
        """Parse the next part of the backlog; schedule the one after it."""
        self._is_scheduled = False
        if self._reading_paused and self._exception is None:
            return  # `resume_reading` schedules the next part
        part = self._backlog[self._parsed : self._parsed + PART_BYTES]
        self._parsed += len(part)
        if part and self._exception is None:
            self._parse(part)
        if self._parsed < len(self._backlog) and self._exception is None:
            self._schedule()
            return
        self._end_backlog()
        if self.transport is not None and not self._reading_paused:
            self.transport.resume_reading()

    def _schedule(self) -> None:
        if not self._is_scheduled:
            self._is_scheduled = True
            self._loop.call_soon(self._parse_part)

    def _pause_transport(self) -> None:
        # Not `pause_reading`: that pauses aiohttp's parser too.
        if self.transport is not None:
            self.transport.pause_reading()

    def _end_backlog(self) -> None:
        self._backlog, self._parsed = b"", 0
        if self._lost is not None:
            (error,), self._lost = self._lost, None
            super().connection_lost(error)

    def _parse(self, data: bytes) -> None:
        if self._in_head:
            self._head_bytes += len(data)
            super().data_received(data)
            if self._in_head and self._head_bytes > MAX_HEAD_BYTES and self._exception is None:
                self.set_exception(HttpProcessingError(message="headers without end"))
                self._close_transport()
        elif data and (self._payload is None or self._payload.is_eof()):
            self._close_transport()  # nobody asked for this
        else:
            super().data_received(data)

    def _close_transport(self) -> None:
        if self.transport is not None:
            self.transport.close()


def _has_few_lines(data: bytes) -> bool:
    # The lines of a page end without a CR, mostly, and to look for one is quick. To count the lines
    # of a whole page would take longer than to parse its head.
    end = data.find(b"\r\n\r\n")
    if end >= 0 and data.find(b"\r", end + 4) < 0:
        data = data[: end + 4]
    return data.count(b"\r\n") <= MAX_LINES_AT_ONCE


class Connector(aiohttp.TCPConnector):
    """aiohttp's pool of connections, each a ClientProtocol that knows when it was made.

    Without aiohttp's limit: the frontier counts connections per host and the fetch pool in all, and a
    wait inside the connector would be part of the fetch's own deadline. That limit does not count
    idle connections either, of which a crawl of many hosts has most; `max_sockets` does.
    """

    def __init__(self, *args: Any, connect_timeout: float | None, **options: Any) -> None:
        """`connect_timeout`: seconds for a new connection: its name, all its addresses, its TLS."""
        super().__init__(*args, limit=0, **options)
        self.max_sockets: int | None = None  # open at once, idle ones included; None: any number
        self._unused = 0  # of these, certainly not open
        self._connect_timeout = connect_timeout
        self._factory = partial(ClientProtocol, loop=self._loop)  # type: ignore[assignment]

    def close_idle(self, count: int) -> int:
        """Close the `count` connections that are idle for the longest time; return how many there were."""
        idle = ((since, at, key) for key, kept in self._conns.items() for at, (_, since) in enumerate(kept))
        closed = 0
        for _, _, key in sorted(idle, key=itemgetter(0))[:count]:
            self._conns[key].popleft()[0].abort()  # the first of each host is idle for the longest time
            if not self._conns[key]:
                del self._conns[key]
            closed += 1
        return closed

    def _make_room(self, most: int) -> None:
        """Close idle connections if another socket could be one too many.

        Only a new connection adds a socket. So the sockets are counted, in a time that grows with
        the number of hosts, once for an eighth of them.
        """
        self._unused -= 1
        if self._unused > 0:
            return
        share = max(most // 8, 1)
        self._unused = most - len(self._acquired) - sum(map(len, self._conns.values()))
        if self._unused < share:
            self._unused += self.close_idle(share)

    async def _create_connection(self, *args: Any, **kwargs: Any) -> ResponseHandler:
        if self.max_sockets is not None:
            self._make_room(self.max_sockets)
        try:
            async with asyncio.timeout(self._connect_timeout) as whole:
                connection = await super()._create_connection(*args, **kwargs)
        except TimeoutError as error:
            if whole.expired():
                raise
            raise aiohttp.ConnectionTimeoutError from error  # of the address that was tried last
        assert isinstance(connection, ClientProtocol)
        connection.connected_at = time.monotonic()
        return connection

    async def _wrap_create_connection(self, *args: Any, **kwargs: Any) -> tuple[Any, ResponseHandler]:
        transport, protocol = await super()._wrap_create_connection(*args, **kwargs)
        if isinstance(protocol, ClientProtocol):
            return transport, protocol
        # aiohttp-socks brings a protocol of its own. Its stream would close the transport if it were
        # collected.
        ours = ClientProtocol(self._loop)
        ours.reference = protocol
        transport.set_protocol(ours)
        ours.connection_made(transport)
        return transport, ours


def new_destination(
    method: str,
    origin: str,
    *,
    headers: Mapping[str, str],
    extra_headers: tuple[tuple[str, str], ...],
    proxy: str | None,
    tunnel_headers: tuple[tuple[str, str], ...],
    tls: ssl.SSLContext | None = None,
) -> Destination:
    """aiohttp's own request to `origin`: it knows whom to connect to, and its `headers` are those
    that aiohttp's session would send. `headers` go to the proxy too, when it is asked for a tunnel."""
    made = Destination(
        method,
        URL(f"{origin}/", encoded=True),
        headers=headers,
        proxy=None if proxy is None else URL(proxy),
        proxy_headers=headers,
        ssl=True if tls is None else tls,
    )
    for name, value in extra_headers:
        made.headers[name] = value
    tunnel: Any = made.proxy_headers
    if tunnel is not None:
        for name, value in tunnel_headers:
            tunnel[name] = value
        # aiohttp adds it when it connects, and these headers are a part of the key in its pool.
        tunnel["Host"] = made.headers["Host"]
    return made
