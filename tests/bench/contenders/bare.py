"""Bare: the least that a Python crawler can do. What every promise of ours is paid on top of.

64 tasks, one connection pool, a fast parser, a set of known URLs, rows written a thousand at a
time. No robots.txt, no retry, no depth, no resume, no bound on memory; whoever kills it
begins again.
"""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
import sys
from collections.abc import Callable, Iterable
from urllib.parse import urldefrag, urljoin, urlsplit

import aiohttp
from selectolax.lexbor import LexborHTMLParser

TASKS = 64
ROWS_AT_ONCE = 1_000

Links = dict[str, str]  # target: text
FindLinks = Callable[[str, LexborHTMLParser], Links]


def find_links(url: str, tree: LexborHTMLParser) -> Links:
    """The distinct http(s) targets of a page, each with its first text."""
    links: Links = {}
    for node in tree.css("a[href]"):
        target = join(url, node.attributes["href"] or "")
        if target is not None and not links.get(target):
            links[target] = " ".join(node.text().split())
    return links


def join(url: str, href: str) -> str | None:
    """The absolute target of a link without its fragment; None if nobody can fetch it."""
    try:
        target = urldefrag(urljoin(url, href.strip())).url
    except ValueError:
        return None
    return target if target.startswith(("http://", "https://")) else None


class Output:
    """An SQLite file without an index, filled in batches."""

    def __init__(self, path: str) -> None:
        self._db = sqlite3.connect(path)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute("CREATE TABLE pages (url TEXT, status INTEGER, title TEXT, content_hash TEXT)")
        self._db.execute("CREATE TABLE links (source TEXT, target TEXT, text TEXT)")
        self._pages: list[tuple[str, int | None, str | None, str | None]] = []
        self._links: list[tuple[str, str, str]] = []

    def add(self, url: str, status: int | None, title: str | None, digest: str | None, links: Links) -> None:
        self._pages.append((url, status, title, digest))
        self._links += [(url, target, text) for target, text in links.items()]
        if len(self._links) + len(self._pages) >= ROWS_AT_ONCE:
            self.flush()

    def flush(self) -> None:
        with self._db:
            self._db.executemany("INSERT INTO pages VALUES (?, ?, ?, ?)", self._pages)
            self._db.executemany("INSERT INTO links VALUES (?, ?, ?)", self._links)
        self._pages.clear()
        self._links.clear()

    def close(self) -> None:
        self.flush()
        self._db.close()


class Loop:
    """The crawl of one host. With `only` it fetches those URLs, though links are read all the same."""

    def __init__(
        self, seed: str, output: Output, links: FindLinks = find_links, only: Iterable[str] | None = None
    ) -> None:
        self._seen = {seed} if only is None else set(only)
        self._todo: asyncio.Queue[str] = asyncio.Queue()
        for url in self._seen:
            self._todo.put_nowait(url)
        self._site = "{0.scheme}://{0.netloc}/".format(urlsplit(seed))
        self._output = output
        self._find_links = links
        self._follow = only is None

    async def run(self) -> None:
        connector = aiohttp.TCPConnector(limit=TASKS)
        async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
            workers = [asyncio.create_task(self._work(session)) for _ in range(TASKS)]
            await self._todo.join()
            for worker in workers:
                worker.cancel()

    async def _work(self, session: aiohttp.ClientSession) -> None:
        while True:
            url = await self._todo.get()
            try:
                await self._visit(session, url)
            except (aiohttp.ClientError, TimeoutError):
                self._output.add(url, None, None, None, {})
            self._todo.task_done()

    async def _visit(self, session: aiohttp.ClientSession, url: str) -> None:
        async with session.get(url, allow_redirects=False) as response:
            status = response.status
            if status != 200 or response.content_type != "text/html":
                self._output.add(url, status, None, None, {})
                self._discover([join(url, response.headers.get("Location", url)) or url])
                return
            body = await response.read()
        tree = LexborHTMLParser(body)
        heading = tree.css_first("title")
        title = None if heading is None else heading.text().strip()
        links = self._find_links(url, tree)
        self._output.add(url, status, title, hashlib.sha256(body).hexdigest(), links)
        self._discover(links)

    def _discover(self, targets: Iterable[str]) -> None:
        if not self._follow:
            return
        for target in targets:
            if target not in self._seen and target.startswith(self._site):
                self._seen.add(target)
                self._todo.put_nowait(target)


def main() -> None:
    _, url, path = sys.argv
    output = Output(path)
    asyncio.run(Loop(url, output).run())
    output.close()


if __name__ == "__main__":
    main()
