"""Framing: answers whose bytes are not one complete HTTP message.

Sources: RFC 9112 sections 4, 6, 7 and 11; the names of the tests of aiohttp, h11 and Scrapy's
download handlers; aiohttp issue 13656 (answers that nobody
asked for; `tests/stages/http/test_connections.py` has those that come late).
"""

from __future__ import annotations

import asyncio
import socket
import struct

from tests.hostile.case import TIMEOUTS, Case, Say, fails, head, html

PAGE = b"<title>A page</title>"
FOREIGN = html(b"<title>Foreign</title>")
HTML = "Content-Type: text/html"
CHUNKED = "Transfer-Encoding: chunked"
WHOLE = html(PAGE)


def chunked(body: bytes, *headers: str) -> bytes:
    return head(HTML, CHUNKED, *headers) + body


def reset_after(count: int) -> Say:
    async def say(writer: asyncio.StreamWriter) -> None:
        writer.write(WHOLE[:count])
        await writer.drain()
        sock: socket.socket = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    return say


async def endless_1xx(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 100)
        await writer.drain()


async def endless_headers(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-More: " + b"y" * 50_000 + b"\r\n")
        await writer.drain()


async def endless_chunks_of_nothing(writer: asyncio.StreamWriter) -> None:
    """Extensions and trailers cost bytes and yield none."""
    writer.write(head(HTML, CHUNKED) + b"1\r\nx\r\n0\r\n")
    while True:
        writer.write(b"X-Trailer: 1\r\n" * 1_000)
        await writer.drain()


async def endless_extensions(writer: asyncio.StreamWriter) -> None:
    writer.write(head(HTML, CHUNKED))
    while True:
        writer.write(b"1;" + b"e" * 1_000 + b"\r\nx\r\n")
        await writer.drain()


async def chunks_of_one_byte(writer: asyncio.StreamWriter) -> None:
    writer.write(head(HTML, CHUNKED))
    for _ in range(4):
        writer.write(b"1\r\nx\r\n" * 10_000)
        await writer.drain()
    writer.write(b"0\r\n\r\n")


def many_headers(count: int, size: int) -> bytes:
    return html(PAGE, *(f"X-{number}: {'y' * size}" for number in range(count)))


async def closes_late(writer: asyncio.StreamWriter) -> None:
    """A body without a length ends with the connection."""
    writer.write(head(HTML) + PAGE)
    await writer.drain()
    await asyncio.sleep(0.05)


WELL = {"title": "A page"}

CASES = (
    fails("body-shorter-than-length", html(PAGE)[:-5], "truncated"),
    Case(name="no-length-until-close", answer=closes_late, page=WELL),
    fails("chunked-without-end", chunked(b"5\r\n<p>ab\r\n"), "truncated"),
    fails("chunked-cut-in-size", chunked(b"5\r\n<p>ab\r\n1"), "truncated"),
    fails("chunk-size-no-number", chunked(b"zz\r\n<p>\r\n0\r\n\r\n"), "truncated", "bad_http"),
    fails("chunk-size-negative", chunked(b"-5\r\n<p>ab\r\n0\r\n\r\n"), "truncated", "bad_http"),
    fails("chunk-size-huge", chunked(b"f" * 17 + b"\r\n<p>\r\n0\r\n\r\n"), "truncated", "bad_http"),
    fails("chunk-size-0x", chunked(b"0x5\r\n<p>ab\r\n0\r\n\r\n"), "truncated", "bad_http"),
    fails("chunk-longer-than-size", chunked(b"2\r\n<p>ab\r\n0\r\n\r\n"), "truncated", "bad_http"),
    fails("chunk-extensions-endless", endless_extensions, "too_large", *TIMEOUTS),
    fails("chunk-trailers-endless", endless_chunks_of_nothing, "bad_http", "truncated"),
    Case(name="chunks-of-one-byte", answer=chunks_of_one_byte, page={"body_bytes": 40_000}),
    fails("two-lengths", head(HTML, "Content-Length: 5", "Content-Length: 9") + PAGE, "bad_http"),
    fails("length-list", head(HTML, "Content-Length: 21, 5") + PAGE, "bad_http"),
    fails("length-negative", head(HTML, "Content-Length: -1") + PAGE, "bad_http"),
    fails("length-no-number", head(HTML, "Content-Length: x") + PAGE, "bad_http"),
    fails("length-plus", head(HTML, "Content-Length: +21") + PAGE, "bad_http"),
    fails("length-beyond-64-bit", head(HTML, "Content-Length: " + "9" * 30) + PAGE, "bad_http"),
    Case(
        name="length-and-chunked",
        answer=chunked(b"0\r\n\r\n", "Content-Length: 3"),
        page={"title": None, "body_bytes": 0},
    ),
    # RFC 9112 section 6.3: without chunked at the end, the body ends with the connection.
    Case(name="chunked-not-last", answer=head(HTML, "Transfer-Encoding: chunked, gzip") + PAGE, page=WELL),
    *(
        fails(f"reset-after-{count}", reset_after(count), "reset", "truncated")
        for count in (0, 1, 9, 15, 17, 30, len(WHOLE) - len(PAGE), len(WHOLE) - 1)
    ),
    fails("closed-in-headers", WHOLE[:40], "reset"),
    fails("garbage", bytes(range(256)) * 40, "bad_http"),
    fails("no-status-line", PAGE, "bad_http"),
    fails("bad-status-code", b"HTTP/1.1 abc OK\r\n\r\n" + PAGE, "bad_http"),
    fails("bad-version", b"HTTP/9.9.9 200 OK\r\n\r\n" + PAGE, "bad_http"),
    fails("status-99", head(HTML, "Content-Length: 0", status="99 Low"), "bad_http"),
    fails("status-line-endless", b"HTTP/1.1 200 " + b"x" * 2_000_000 + b"\r\n\r\n", "bad_http"),
    fails("header-of-1-mib", html(PAGE, "X: " + "y" * (1 << 20)), "bad_http"),
    fails("headers-100000", lambda: many_headers(100_000, 1), "bad_http"),
    fails("headers-of-60-mib", lambda: many_headers(1_000, 60_000), "bad_http"),
    fails("headers-endless", endless_headers, "bad_http"),
    fails("header-with-nul", html(PAGE, "X-Odd: a\0b"), "bad_http"),
    Case(name="header-name-empty", answer=html(PAGE, ": nothing"), page=WELL),
    Case(name="header-folded", answer=html(PAGE, "X-Old: one\r\n two"), page=WELL),
    Case(name="header-latin-1", answer=html(PAGE, "X-Old: caf\xe9", "ETag: \xff\xfe"), page=WELL),
    fails("1xx-endless", endless_1xx, "bad_http"),
    Case(name="1xx-first", answer=b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 5 + WHOLE, page=WELL),
    fails("101-switch", head("Upgrade: x", "Connection: Upgrade", status="101 Switch") + PAGE, "http_101"),
    Case(
        name="extra-answer-at-once",
        answer=WHOLE + FOREIGN,
        stays=True,
        page=WELL,
        tail=12,
    ),
    Case(name="extra-garbage", answer=WHOLE + b"garbage" * 100, stays=True, page=WELL),
    Case(name="extra-answer-after-204", answer=head(status="204 No") + FOREIGN, stays=True, tail=4),
    Case(
        name="extra-answer-after-304",
        answer=head(status="304 Same") + FOREIGN,
        stays=True,
        tail=4,
        state="failed",
        reasons=("http_304",),
    ),
    Case(name="http-1.0", answer=head(HTML, version="HTTP/1.0") + PAGE, page=WELL),
)
