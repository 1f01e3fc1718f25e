"""The webs that are crawled under faults, and the flags that keep every queue small."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

from aiohttp import web as http

from tests.support.synthetic_web import SyntheticWeb


class PoolSizes(NamedTuple):
    """How many workers and queue places a crawl has."""

    fetchers: int
    parsers: int
    storers: int
    queue: int

    @property
    def in_flight(self) -> int:
        """Requests that one kill may waste: pages being fetched, parsed or committed, and those
        between. The first queue holds only URLs that were not asked for yet."""
        return self.fetchers + self.parsers + self.storers + 2 * self.queue

    @property
    def flags(self) -> tuple[str, ...]:
        return (
            *("--fetchers", str(self.fetchers), "--parsers", str(self.parsers)),
            *("--storers", str(self.storers), "--queue-size", str(self.queue)),
        )


NARROW = PoolSizes(fetchers=3, parsers=1, storers=2, queue=2)
WIDE = PoolSizes(fetchers=16, parsers=2, storers=16, queue=16)


class TimedWeb(SyntheticWeb):
    """A synthetic web that also remembers when it was asked for what."""

    def __init__(self, *, pages: int = 0, latency: float = 1.0, **how: Any) -> None:
        super().__init__(pages=pages, latency=latency, **how)
        self.asked: list[tuple[float, str]] = []  # unix seconds, path; robots.txt too
        self.maps: dict[str, Sequence[str]] = {}  # sitemaps by path: what they name; robots.txt names /map

    async def _answer(self, request: http.BaseRequest) -> http.StreamResponse:
        path, here = request.raw_path, f"http://{request.host}"
        self.asked.append((time.time(), path))
        if path in self.maps:
            self.requests[path] += 1
            return http.Response(text=_map(here, self.maps[path]), content_type="application/xml")
        if path == "/robots.txt" and self.maps:
            self.robots_requests += 1
            return http.Response(text=f"User-agent: *\nDisallow: /private\nSitemap: {here}/map\n")
        return await super()._answer(request)

    def forget(self) -> None:
        super().forget()
        self.asked.clear()

    def heal(self) -> None:
        """What is flaky has failed as often as it will: for crawls that were begun some other time."""
        for path, resource in self.resources.items():
            self._failures[path] = resource.fails_first

    def times(self, path: str) -> list[float]:
        return [at for at, asked in self.asked if asked == path]


def _map(here: str, paths: Sequence[str]) -> str:
    """A sitemap of these pages, or an index if they are sitemaps themselves."""
    outer, inner = ("sitemapindex", "sitemap") if paths[0].startswith("/map") else ("urlset", "url")
    places = "".join(f"<{inner}><loc>{here}{path}</loc></{inner}>" for path in paths)
    return f'<{outer} xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{places}</{outer}>'


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A web that is being served, and an undisturbed crawl of it."""

    web: TimedWeb
    url: str
    flags: tuple[str, ...]  # of every crawl of it, but for --db
    pool_sizes: PoolSizes
    baseline: Path
    baseline_requests: Mapping[str, int]  # requests by path that an undisturbed crawl costs

    def onto(self, db: Path) -> tuple[str, ...]:
        """The words of a crawl of it into that file."""
        return (*self.flags, "--db", str(db))


def small() -> TimedWeb:
    """Some forty URLs with one of everything that a resume could get wrong."""
    web = TimedWeb(latency=0)
    rooms = [f"/a/{number}" for number in range(8)]
    web.page("/", "/deep/1", "/a/", "/late", "/old", "/flaky/1", "/flaky/2", "/always", "/gone", "/private/x")
    web.page("/a/", *rooms, "/file", "/private/y")
    for number, room in enumerate(rooms):
        web.page(room, "/", rooms[number - 1], f"/b/{number // 2}")
    for number in range(4):
        web.page(f"/b/{number}", "/a/", f"/b/{(number + 1) % 4}")
    # The depths beyond /deep/3 fall when /late, which is nearer, has answered at last; /deep/5
    # is let in by that alone.
    for number in range(1, 7):
        web.page(f"/deep/{number}", f"/deep/{number + 1}")
    web.page("/late", "/deep/3", delay=0.03)
    web.redirect("/old", "/older")
    web.redirect("/older", "/new", status=301)
    web.page("/new", "/loop")
    web.redirect("/loop", "/loop")
    web.page("/flaky/1", "/b/0").fails_first = 1
    web.page("/flaky/2", "/b/1").fails_first = 2
    web.page("/always").status = 503
    web.page("/file").content_type = "text/plain"
    web.disallow = ("/private",)
    return web


def tiny() -> TimedWeb:
    """A dozen URLs, where every position costs a start of the interpreter."""
    web = TimedWeb(latency=0)
    web.page("/", "/a", "/b", "/old", "/flaky", "/late")
    web.page("/a", "/b", "/far/1")
    web.page("/b", "/")
    web.redirect("/old", "/new")
    web.page("/new", "/gone")
    web.page("/flaky").fails_first = 1
    web.page("/late", "/far/2", delay=0.02)
    web.page("/far/1", "/far/2")
    web.page("/far/2", "/far/3")
    return web


def mapped() -> TimedWeb:
    """The same, and an index of sitemaps that names pages of it, and others that nothing links to."""
    web = small()
    hidden = [f"/hidden/{number}" for number in range(6)]
    for path in hidden:
        web.page(path, "/a/", "/hidden/0")
    web.maps = {"/map": ["/map/1", "/map/2"], "/map/1": ["/a/", "/deep/4", "/private/z"], "/map/2": hidden}
    return web


def paced() -> TimedWeb:
    """Sixty URLs that take about a second, for what happens at a moment rather than an event."""
    web = TimedWeb(latency=0)
    paths = [f"/{number}" for number in range(60)]
    web.page("/", *paths[:4], delay=0.04)
    for number, path in enumerate(paths):
        web.page(path, "/", *paths[number + 2 : number + 5], delay=0.04)
    return web


def drawn() -> TimedWeb:
    """Some three hundred URLs with every oddity that the synthetic web knows."""
    return TimedWeb(pages=250, seed=77, latency=2)


def vast() -> TimedWeb:
    """A few thousand URLs."""
    return TimedWeb(pages=3_000, seed=78, latency=1)


class Recipe(NamedTuple):
    make: Callable[[], TimedWeb]
    depth: float
    pool_sizes: PoolSizes
    known: bool = True  # the web itself can tell what a crawl of it must find

    @property
    def flags(self) -> tuple[str, ...]:
        """Of a crawl of it; a web of our own needs no politeness, and a retry no second of rest."""
        return (
            *("--depth", "inf" if self.depth == inf else f"{self.depth:g}", *self.pool_sizes.flags),
            *("--throttle", "fixed", "--per-host", "64", "--retry-delay", "0", "--progress", "none"),
        )


WEBS: Mapping[str, Recipe] = {
    "tiny": Recipe(tiny, 2, NARROW),
    "small": Recipe(small, 4, NARROW),
    "mapped": Recipe(mapped, 4, NARROW, known=False),
    "paced": Recipe(paced, inf, NARROW),
    "drawn": Recipe(drawn, inf, WIDE),
    "vast": Recipe(vast, inf, WIDE),
}
