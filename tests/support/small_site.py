"""Small site: a function from path to reply, served on loopback, for traps and redirects.

    site = Site(lambda path: page("/a", "/b") if path == "/" else None)
    async with site.serve() as base: ...

`{base}` in a body or a Location is the site's own address. None is a 404.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple

from aiohttp import web


class Reply(NamedTuple):
    status: int = 200
    body: str = ""
    headers: Mapping[str, str] = {}


Answer = Callable[[str], Reply | None]


def page(*links: str, note: str = "") -> Reply:
    """An HTML page; `note` makes its content another one."""
    anchors = "".join(f'<a href="{link}">x</a>' for link in links)
    return Reply(body=f"<!doctype html><title>t</title>{note}{anchors}")


def to(location: str | None, status: int = 302) -> Reply:
    return Reply(status, headers={} if location is None else {"Location": location})


class Site:
    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: Counter[str] = Counter()  # by path and query, as they came
        self.base = ""

    @asynccontextmanager
    async def serve(self, address: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
        runner = web.ServerRunner(web.Server(self._respond), shutdown_timeout=0.05)
        await runner.setup()
        site = web.TCPSite(runner, address, port)
        await site.start()
        self.base = f"http://{address}:{runner.addresses[0][1]}"
        try:
            yield self.base
        finally:
            await runner.cleanup()

    async def _respond(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.raw_path
        self.asked[path] += 1
        reply = self.answer(path)
        if reply is None:
            reply = Reply(404)
        headers = {name: value.replace("{base}", self.base) for name, value in reply.headers.items()}
        headers.setdefault("Content-Type", "text/html")
        return web.Response(
            status=reply.status, body=reply.body.replace("{base}", self.base).encode(), headers=headers
        )
