"""Timing: servers that never finish. One deadline applies to the whole fetch.

Sources: the slow-loris family, turned on a client; Scrapy's download handler tests.
"""

from __future__ import annotations

import asyncio

from tests.hostile.case import TIMEOUTS, Case, Say, fails, head

PAUSE = 0.1
HTML = "Content-Type: text/html"
ANSWER = head(HTML, "Content-Length: 1000") + b"x" * 1_000


def drip(start: bytes, rest: bytes) -> Say:
    async def say(writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        for at in range(len(rest)):
            writer.write(rest[at : at + 1])
            await writer.drain()
            await asyncio.sleep(PAUSE)

    return say


async def silence(writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def silence_after_head(writer: asyncio.StreamWriter) -> None:
    writer.write(head(HTML, "Content-Length: 1000") + b"<title>")
    await silence(writer)


async def endless_body(writer: asyncio.StreamWriter) -> None:
    writer.write(head(HTML) + b"<title>endless</title>")
    while True:
        writer.write(b"x" * 65_536)
        await writer.drain()


async def endless_slow_body(writer: asyncio.StreamWriter) -> None:
    writer.write(head(HTML))
    while True:
        writer.write(b"x" * 1_000)
        await writer.drain()
        await asyncio.sleep(PAUSE)


async def endless_unread_type(writer: asyncio.StreamWriter) -> None:
    """Nobody reads a film, and so nobody waits for its end."""
    writer.write(head("Content-Type: video/mp4"))
    while True:
        writer.write(b"x" * 65_536)
        await writer.drain()


async def slow_1xx(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"HTTP/1.1 102 Processing\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(PAUSE)


async def slow_redirect_body(writer: asyncio.StreamWriter) -> None:
    writer.write(head("Location: /quick/1", "Content-Length: 1000", status="302 Found"))
    await silence(writer)


CASES = (
    fails("silence", silence, *TIMEOUTS),
    fails("silence-after-head", silence_after_head, *TIMEOUTS),
    fails("headers-byte-by-byte", drip(b"", ANSWER), *TIMEOUTS),
    fails("body-byte-by-byte", drip(ANSWER[:-1_000], ANSWER[-1_000:]), *TIMEOUTS),
    fails("body-endless", endless_body, "too_large"),
    fails("body-endless-slow", endless_slow_body, *TIMEOUTS),
    fails("1xx-slow-endless", slow_1xx, *TIMEOUTS),
    Case(name="film-endless", answer=endless_unread_type, page={"content_type": "video/mp4"}),
    Case(name="redirect-body-silent", answer=slow_redirect_body, page={"status": 302}),
)
