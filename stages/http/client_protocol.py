"""One answer: the reading half of a connection, held to one answer per request.

May touch: aiohttp's protocol of a connection.

What a server says beyond an answer belongs to no URL, and ends the connection; aiohttp would
keep it and take it for the answer to the next request (its issue 13656). All that comes
before an answer's body is bounded as a whole, where aiohttp bounds only each line and their
number: those allow 60 MiB, and 1xx answers without end.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Any

from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import HttpProcessingError

MAX_HEADER_BYTES = 64 * 1024  # per line; aiohttp's default of 8 KiB fails real cookies and policies
MAX_HEADERS = 1_000
MAX_HEAD_BYTES = 256 * 1024  # 1xx answers, status line and headers; Chrome's bound, and about curl's

# What is read at once is parsed at once, on the event loop: 256 KiB, asyncio's own choice, can
# be 43,000 chunks of one byte, which take 0.2 s. Whoever sends such things is read in sips.
LARGE_READ_BYTES = 256 * 1024
SMALL_READ_BYTES = 2 * 1024
MAX_LINES_AT_ONCE = 1_000  # in one reading, of a head or of chunks: each chunk has two, each header one


class ClientProtocol(ResponseHandler):
    """Takes one answer per request, and a bounded head of each."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.kept_alive: object = None  # whatever has to live as long as the connection
        self.made_at = 0.0  # monotonic seconds
        self.heard_at = 0.0  # when it last said anything, or was asked
        self._head_bytes = 0
        self._in_head = True
        self._has_lines = True  # a head, or chunks
        self._rest = b""  # arrived, and to be taken in sips
        self._sips = False  # also what has not arrived yet
        self._sip_is_due = False
        self._lost: tuple[BaseException | None] | None = None  # why; told once the rest was taken

    def ask(self, request: bytes, *, is_head: bool) -> None:
        """Send `request`. Its answer is what `read` returns: one or more 1xx, and the final one."""
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
        self.heard_at = time.monotonic()
        self.transport.write(request)

    def set_response_params(self, **params: Any) -> None:  # a request is about to be sent
        self._head_bytes, self._in_head, self._has_lines = 0, True, True
        if self._sips:
            self._read_at_once(LARGE_READ_BYTES)
        super().set_response_params(**params)

    def feed_data(self, data: Any, size: int = 0) -> None:  # the head of an answer, and its body to come
        head = data[0]
        self._in_head = self._in_head and 100 <= head.code < 200 and head.code != 101
        self._has_lines = self._in_head or head.chunked
        super().feed_data(data, size)

    def data_received(self, data: bytes) -> None:
        if data:
            self.heard_at = time.monotonic()
        if self._rest and data:
            self._rest += data
        elif not self._has_lines or self._few_lines(data):
            self._take(data)
        else:
            self._rest = data
            self._read_at_once(SMALL_READ_BYTES)
            self._sip()

    def _few_lines(self, data: bytes) -> bool:
        # A page's own lines end without a CR, mostly, and to look for one is quick; to count the
        # lines of a whole page would take longer than to parse its head.
        end = data.find(b"\r\n\r\n")
        if end >= 0 and data.find(b"\r", end + 4) < 0:
            data = data[: end + 4]
        return data.count(b"\r\n") <= MAX_LINES_AT_ONCE

    def resume_reading(self, resume_parser: bool = True) -> None:
        if self._reading_paused:  # it is asked for with every piece that is handed out
            super().resume_reading(resume_parser)
        self._sip_soon()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._lost = (exc,)
        if not self._rest:
            self._forget_rest()

    def close(self) -> None:
        self._forget_rest()
        super().close()

    def abort(self) -> None:
        self._forget_rest()
        super().abort()

    def _sip(self) -> None:
        self._sip_is_due = False
        if self._exception is not None:
            self._rest = b""
        elif self._reading_paused:
            return  # `resume_reading` goes on
        sip, self._rest = self._rest[:SMALL_READ_BYTES], self._rest[SMALL_READ_BYTES:]
        if sip:
            self._take(sip)
        self._sip_soon()
        if not self._rest:
            self._forget_rest()

    def _sip_soon(self) -> None:
        if self._rest and not self._sip_is_due:
            self._sip_is_due = True
            self._loop.call_soon(self._sip)

    def _forget_rest(self) -> None:
        self._rest = b""
        if self._lost is not None:
            (why,), self._lost = self._lost, None
            super().connection_lost(why)

    def _take(self, data: bytes) -> None:
        if self._in_head:
            self._head_bytes += len(data)
            super().data_received(data)
            if self._in_head and self._head_bytes > MAX_HEAD_BYTES and self._exception is None:
                self.set_exception(HttpProcessingError(message="headers without end"))
                self._hang_up()
        elif data and (self._payload is None or self._payload.is_eof()):
            self._hang_up()  # nobody asked for this
        else:
            super().data_received(data)

    def _read_at_once(self, count: int) -> None:
        self._sips = count == SMALL_READ_BYTES
        with suppress(AttributeError):  # no transport any more, or another event loop's
            self.transport.max_size = count  # type: ignore[union-attr]

    def _hang_up(self) -> None:
        if self.transport is not None:
            self.transport.close()
