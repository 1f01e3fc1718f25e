"""Bench: processor time per page of a fetch, beside what aiohttp's session and bare sockets take.

    python -m tests.bench.fetch crawl.db [--rounds 7]

asks for the pages of a finished crawl again, with 64 tasks on as many connections, from a server
that must be near. Every way hashes what it gets; `floor` does nothing else but to send, receive
and hash. Rounds alternate and the least of each counts, so that a busy machine hurts all alike.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import sqlite3
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, closing
from urllib.parse import urlsplit

import aiohttp

from penstock.crawler.engine.body_budget import BodyBudget
from penstock.crawler.messages import CanonicalUrl, Fetched, FetchTask
from penstock.crawler.urls import origin, split
from penstock.stages.fetchers import FetchContext
from penstock.stages.fetchers.plain import PlainFetcher

TASKS = 64
PAGES = "SELECT url FROM pages WHERE status = 200 AND error IS NULL AND content_hash IS NOT NULL"

Get = Callable[[CanonicalUrl], Awaitable[None]]


async def penstock(stack: AsyncExitStack) -> Get:
    budget = BodyBudget(64 << 20)
    fetcher = PlainFetcher(
        FetchContext(user_agent="Penstock/bench", headers={}, timeout=30.0, max_body=10 << 20, budget=budget)
    )
    stack.push_async_callback(fetcher.close)

    async def get(url: CanonicalUrl) -> None:
        result = await fetcher.get(FetchTask(url=url, host=split(url).host, depth=0))
        assert isinstance(result, Fetched), result
        if result.hold is not None:
            result.hold.release()

    return get


async def session(stack: AsyncExitStack) -> Get:
    connector = aiohttp.TCPConnector(limit=TASKS)
    made = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
    asking = await stack.enter_async_context(made)

    async def get(url: CanonicalUrl) -> None:
        async with asking.get(url, allow_redirects=False) as response:
            hashlib.sha256(await response.read()).digest()

    return get


class Talk(asyncio.Protocol):
    """Takes answers as nginx sends files: their length is in the first piece."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    async def ask(self, request: bytes) -> bytes:
        self.pieces: list[bytes] = []
        self.missing: int | None = None
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await self.answer

    def data_received(self, data: bytes) -> None:
        if self.missing is None:
            head, _, body = data.partition(b"\r\n\r\n")
            _, _, length = head.partition(b"\r\nContent-Length: ")
            self.missing = int(length.partition(b"\r\n")[0]) - len(body)
        else:
            self.missing -= len(data)
        self.pieces.append(data)
        if self.missing <= 0:
            self.answer.set_result(b"".join(self.pieces))


async def floor(stack: AsyncExitStack) -> Get:
    idle: list[Talk] = []

    async def get(url: CanonicalUrl) -> None:
        parts = urlsplit(url)
        if idle:
            talk = idle.pop()
        else:
            loop = asyncio.get_running_loop()
            _, talk = await loop.create_connection(Talk, parts.hostname or "", parts.port or 80)
            stack.callback(talk.transport.close)
        request = f"GET {url[len(origin(url)) :]} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n"
        hashlib.sha256(await talk.ask(request.encode())).digest()
        idle.append(talk)

    return get


async def seconds(get: Get, urls: Sequence[CanonicalUrl]) -> float:
    """This thread's processor time for all of them."""
    rest = iter(urls)

    async def work() -> None:
        for url in rest:
            await get(url)

    began = time.thread_time()
    await asyncio.gather(*(work() for _ in range(TASKS)))
    return time.thread_time() - began


async def measure(urls: Sequence[CanonicalUrl], rounds: int) -> None:
    async with AsyncExitStack() as stack:
        ways = {way.__name__: await way(stack) for way in (penstock, session, floor)}
        least = dict.fromkeys(ways, float("inf"))
        for number in range(rounds + 1):
            for name, get in ways.items():
                took = await seconds(get, urls)
                if number:  # the first opens the connections
                    least[name] = min(least[name], took)
    for name, took in least.items():
        ratio = took / least["session"]
        print(f"{name:9} {took / len(urls) * 1e6:6.1f} us a page  {ratio:5.2f} of the session's")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("db")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    with closing(sqlite3.connect(f"file:{options.db}?mode=ro", uri=True)) as db:
        urls = [CanonicalUrl(url) for (url,) in db.execute(PAGES)]
    asyncio.run(measure(urls, options.rounds))


if __name__ == "__main__":
    main()
