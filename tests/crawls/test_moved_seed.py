"""A seed that moves by a refresh: the crawl goes on where the site has moved, as after a redirect."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.support.app_server import serving
from tests.support.crawls import check_invariants, crawl, equal_crawls, rows, run_command


class Site:
    """Pages as texts by path; `{other}` in one is another site. A text that begins with `->` redirects."""

    def __init__(self, pages: dict[str, str], other: str = "") -> None:
        self.pages = pages
        self.other = other
        self.asked: Counter[str] = Counter()
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.asked[request.path_qs] += 1
        text = self.pages.get(request.path_qs)
        if text is None:
            return web.Response(status=404)
        text = text.replace("{other}", self.other)
        if text.startswith("->"):
            return web.Response(status=302, headers={"Location": text[2:]})
        return web.Response(text=text, content_type="text/html")

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        async with serving(self.answer) as self.url:
            yield self.url


def refresh(target: str, seconds: str = "0") -> str:
    return f'<meta http-equiv=refresh content="{seconds};url={target}">'


NEW = {"/": "<title>new home</title><a href=/a>a</a>", "/a": "<title>a</title>"}


class TestMove:
    @pytest.mark.parametrize("depth", [0, 2])
    async def test_the_scope_and_the_crawl_follow_it_to_another_host_at_no_depth(
        self, tmp_path: Path, depth: int
    ) -> None:
        new, db = Site(NEW), tmp_path / "crawl.db"
        async with new.serve() as now, Site({"/": refresh("{other}/")}, now).serve() as before:
            report = await crawl(seeds=[f"{before}/"], depth=depth, db=db)

        assert report.exit_code == 0
        assert rows(db, "SELECT url, state, depth, discovered_from FROM urls ORDER BY url") == sorted(
            [
                (f"{before}/", "done", 0, None),
                (f"{now}/", "done", 0, f"{before}/"),
                (f"{now}/a", "done" if depth else "skipped", 1, f"{now}/"),
            ]
        )
        assert rows(db, "SELECT source, target, rel, followed FROM links WHERE rel <> ''") == [
            (f"{before}/", f"{now}/", "refresh", 1)
        ]
        assert rows(db, "SELECT redirect_to FROM pages") == [(None,)] * (3 if depth else 2)
        assert check_invariants(db) == []
        why = run_command(["why", f"{now}/a", "--db", db])
        assert f"refresh    {now}/" in why.stdout

    @pytest.mark.parametrize(
        ("page", "moves"),
        [
            (refresh("/en/"), True),
            (refresh("/en/", "5"), True),
            (refresh("/en/", "0.9"), True),
            (refresh("/en/", ".5"), True),
            (refresh("/en/", "30"), True),
            (refresh("/en/", "31"), False),
            (refresh("/en/", "600"), False),
            (refresh("/en/", "10") + "<p>We have moved. <a href=/en/>Go there</a>", True),
            (refresh("/en/", "10") + "<p>Welcome! <a href=/en/>English</a> <a href=/x>x</a>", False),
            (refresh("/en/", "2") + "<p>Welcome! <a href=/x>x</a>", False),
            (refresh("/en/", "1") + "<p>Welcome! <a href=/en/>English</a> <a href=/x>x</a>", True),
            (refresh("/en/", "0") + "<p>Welcome! <a href=/en/>English</a> <a href=/x>x</a>", True),
            (refresh("/other", "600") + refresh("/en/"), False),
            ("<noscript>" + refresh("/en/") + "</noscript>", False),
            ("<meta name=robots content='noindex, nofollow'>" + refresh("/en/"), False),
            ("<meta name=robots content='noindex'>" + refresh("/en/"), True),
            (refresh("/"), False),
            (refresh("mailto:a@b"), False),
            ("<meta http-equiv=refresh content=5>", False),
        ],
    )
    async def test_at_depth_0_the_page_is_crawled_to_which_a_seed_has_moved(
        self, tmp_path: Path, page: str, moves: bool
    ) -> None:
        """A refresh that comes late, or later than at once on a page with other links, one for browsers
        without scripts, and one of a page that forbids to follow its links are links like others."""
        site, db = Site({"/": page, "/en/": "<title>english</title>"}), tmp_path / "crawl.db"
        async with site.serve() as base:
            await crawl(seeds=[f"{base}/"], depth=0, db=db)

        assert sorted(site.asked) == (["/", "/en/"] if moves else ["/"])
        assert check_invariants(db) == []

    async def test_the_refresh_of_any_other_page_is_a_link(self, tmp_path: Path) -> None:
        site, db = Site({"/": "<a href=/a>a</a>", "/a": refresh("/b"), "/b": ""}), tmp_path / "crawl.db"
        other = Site({"/": ""})
        async with other.serve() as elsewhere, site.serve() as base:
            site.pages["/b"] = refresh(f"{elsewhere}/")
            await crawl(seeds=[f"{base}/"], depth=3, db=db)

        assert rows(db, "SELECT url, state, reason, depth FROM urls ORDER BY depth") == [
            (f"{base}/", "done", None, 0),
            (f"{base}/a", "done", None, 1),
            (f"{base}/b", "done", None, 2),
            (f"{elsewhere}/", "skipped", "scope", 3),
        ]


CHAIN = {
    "/": refresh("/1"),
    "/1": "->/2",
    "/2": refresh("/3", "3"),
    "/3": "->/4",
    "/4": "<a href=/5>",
    "/5": "",
}


class TestChains:
    async def test_refreshes_and_redirects_of_a_seed_may_follow_one_another(self, tmp_path: Path) -> None:
        site, db = Site(CHAIN), tmp_path / "crawl.db"
        async with site.serve() as base:
            await crawl(seeds=[f"{base}/"], depth=0, db=db)

        assert rows(db, "SELECT state, depth FROM urls ORDER BY url") == [("done", 0)] * 5 + [("skipped", 1)]
        assert check_invariants(db) == []

    @pytest.mark.parametrize(
        "ways", [{"/": refresh("/1"), "/1": refresh("/")}, {"/": refresh("/1"), "/1": "->/"}]
    )
    async def test_a_loop_ends_where_it_meets_itself(self, tmp_path: Path, ways: dict[str, str]) -> None:
        site, db = Site(ways), tmp_path / "crawl.db"
        async with site.serve() as base:
            await crawl(seeds=[f"{base}/"], depth=0, db=db)

        assert site.asked == {"/": 1, "/1": 1}
        assert check_invariants(db) == []

    @pytest.mark.parametrize("fetchers", [1, 8])
    async def test_a_seed_that_moves_on_for_ever_is_followed_20_times(
        self, tmp_path: Path, fetchers: int
    ) -> None:
        """Although each page links to the next one too, which makes it a page behind no redirect."""
        pages = {f"/{n}": f"{refresh(f'/{n + 1}')}<a href=/{n + 1}>next</a>" for n in range(40)}
        site, db = Site(pages), tmp_path / "crawl.db"
        async with site.serve() as base:
            await crawl(seeds=[f"{base}/0"], depth=0, db=db, fetchers=fetchers)

        assert len(site.asked) == 21
        assert rows(db, "SELECT url, reason, depth FROM urls WHERE state = 'skipped'") == [
            (f"{base}/21", "depth", 1)
        ]

    @pytest.mark.parametrize("fetchers", [1, 16])
    async def test_a_shorter_way_that_is_found_later_moves_on(self, tmp_path: Path, fetchers: int) -> None:
        """Two seeds: one is 15 moves away from what the other reaches with two."""
        pages = {f"/{n}": refresh(f"/{n + 1}") for n in range(30)} | {"/30": ""}
        site, db = Site({**pages, "/late": "->/later", "/later": refresh("/15")}), tmp_path / "crawl.db"
        async with site.serve() as base:
            seeds = [f"{base}/0", f"{base}/late"]
            await crawl(seeds=seeds, depth=0, db=db, fetchers=fetchers)

        assert len(site.asked) == 33
        assert set(rows(db, "SELECT state, depth FROM urls")) == {("done", 0)}

    async def test_a_page_that_becomes_a_moved_seed_after_it_was_stored_moves_the_crawl(
        self, tmp_path: Path
    ) -> None:
        """It was a page behind a link first."""
        new, db = Site(NEW), tmp_path / "crawl.db"
        site = Site(
            {
                "/first": "<a href=/hub>hub</a>",
                "/hub": refresh("{other}/"),
                "/slow": "->/hop",
                "/hop": "->/hub",
            }
        )
        async with new.serve() as now:
            site.other = now
            async with site.serve() as base:
                seeds = [f"{base}/first", f"{base}/slow"]
                await crawl(seeds=seeds, depth=1, db=db, fetchers=1, delay=0.05, throttle="fixed")

        assert set(rows(db, "SELECT state FROM urls")) == {("done",)}
        assert dict(rows(db, "SELECT title, depth FROM pages WHERE title <> ''")) == {"new home": 0, "a": 1}
        assert check_invariants(db) == []


class TestResume:
    async def test_a_killed_crawl_of_a_moved_seed_resumes_to_the_same(self, tmp_path: Path) -> None:
        """Stopped after each page; the moves so far are in the file."""
        pages: dict[str, str] = {f"/{n}": refresh(f"/{n + 1}") for n in range(30)}
        site = Site(pages)
        options: dict[str, Any] = {"depth": 0, "fetchers": 1}
        async with site.serve() as base:
            seeds = [f"{base}/0"]
            await crawl(seeds=seeds, db=tmp_path / "whole.db", **options)
            for count in range(1, 25):
                await crawl(seeds=seeds, db=tmp_path / "parts.db", max_pages=count, **options)
            await crawl(seeds=seeds, db=tmp_path / "parts.db", **options)

        assert equal_crawls(tmp_path / "whole.db", tmp_path / "parts.db") == []
        assert site.asked["/20"] == 2
        assert site.asked["/21"] == 0
