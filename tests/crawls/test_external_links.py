"""Links that lead out of the scope, checked on request: each once, never crawled."""

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

BROKEN = "SELECT source, target, status, reason, text FROM broken_links"


class Site:
    """Pages as texts by path, where `{other}` is another site; any other path is a status as a number."""

    def __init__(self, pages: dict[str, str], other: str = "") -> None:
        self.pages = pages
        self.other = other
        self.head: dict[str, int] = {}  # statuses of HEAD requests that differ
        self.asked: Counter[str] = Counter()
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        path = request.path_qs
        self.asked[f"{request.method} {path}"] += 1
        text = self.pages.get(path, "404").replace("{other}", self.other)
        if request.method == "HEAD" and path in self.head:
            return web.Response(status=self.head[path])
        if text.startswith("->"):
            return web.Response(status=301, headers={"Location": text[2:]})
        if text.isdigit():
            return web.Response(status=int(text))
        return web.Response(text=text, content_type="text/plain" if path == "/robots.txt" else "text/html")

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        async with serving(self.answer) as self.url:
            yield self.url


def page(*links: str) -> str:
    return "<title>t</title>" + "".join(f"<a href='{link}'>{link[-5:]}</a>" for link in links)


@asynccontextmanager
async def two_sites() -> AsyncIterator[tuple[Site, Site]]:
    other = Site({"/good": page("/deeper"), "/moved": "->/gone", "/round": "->/about", "/about": page()})
    other.pages |= {"/robots.txt": "User-agent: *\nDisallow: /private", "/private": page()}
    other.pages |= dict.fromkeys((f"/no-head-{status}" for status in (400, 403, 404, 405, 501)), page())
    other.head |= {f"/no-head-{status}": status for status in (400, 403, 404, 405, 501)}
    async with other.serve() as elsewhere:
        links = [
            f"{{other}}{path}" for path in (*other.pages, "/gone", "/forbidden") if path != "/robots.txt"
        ]
        other.pages["/forbidden"] = "403"
        site = Site(
            {"/": page("/two", *links), "/two": page("{other}/gone", "/three"), "/three": ""}, elsewhere
        )
        async with site.serve():
            yield site, other


class TestCheck:
    async def test_each_link_out_of_scope_is_checked_once_and_not_crawled(self, tmp_path: Path) -> None:
        db = tmp_path / "crawl.db"
        async with two_sites() as (site, other):
            report = await crawl(
                seeds=[site.url + "/"], depth=1, db=db, no_robots=False, check_external=True, retries=0
            )

        home, elsewhere = site.url, other.url
        assert report.exit_code == 0
        assert set(rows(db, BROKEN)) == {
            (f"{home}/", f"{elsewhere}/gone", 404, "http_404", "/gone"),
            (f"{home}/two", f"{elsewhere}/gone", 404, "http_404", "/gone"),
            (f"{home}/", f"{elsewhere}/moved", 404, "http_404", "moved"),
        }
        assert other.asked.pop("GET /robots.txt") == 1
        assert set(other.asked.values()) == {1}
        assert not any("private" in asked or "deeper" in asked for asked in other.asked)
        assert [asked for asked in other.asked if asked.startswith("GET /no-head")] != []
        assert dict(
            rows(db, "SELECT replace(url, rtrim(url, replace(url, '/', '')), ''), state FROM external_links")
        ) == {
            **dict.fromkeys(
                ("good", "moved", "round", "about", *(f"no-head-{n}" for n in (400, 403, 404, 405, 501))),
                "done",
            ),
            "gone": "failed",
            "forbidden": "failed",
            "private": "skipped",
        }
        assert set(rows(db, "SELECT state, reason FROM urls WHERE host <> 'x' AND state = 'skipped'")) == {
            ("skipped", "scope"),
            ("skipped", "depth"),
        }
        assert rows(db, "SELECT * FROM resources") == []
        assert rows(db, "SELECT target, pages FROM broken_targets") == [
            (f"{elsewhere}/gone", 2),
            (f"{elsewhere}/moved", 1),
        ]
        assert check_invariants(db) == []

    async def test_without_the_option_nothing_out_of_scope_is_requested(self, tmp_path: Path) -> None:
        async with two_sites() as (site, other):
            await crawl(seeds=[site.url + "/"], db=tmp_path / "crawl.db", no_robots=False, retries=0)

        assert not other.asked

    async def test_a_later_run_checks_what_an_earlier_one_stored(self, tmp_path: Path) -> None:
        """It fetches no page again."""
        whole, parts = tmp_path / "whole.db", tmp_path / "parts.db"
        async with two_sites() as (site, other):
            options: dict[str, Any] = {"seeds": [site.url + "/"], "retries": 0}
            await crawl(**options, db=parts)
            await crawl(**options, db=parts, check_external=True)
            await crawl(**options, db=parts, check_external=True)
            assert site.asked["GET /"] == 1
            assert other.asked["HEAD /good"] == 1
            await crawl(**options, db=whole, check_external=True)

        assert set(rows(parts, BROKEN)) == set(rows(whole, BROKEN)) != set()
        columns = "SELECT url, state, status, error, redirect_to, pages FROM external_links"
        assert set(rows(parts, columns)) == set(rows(whole, columns))
        assert equal_crawls(whole, parts) == []

    @pytest.mark.parametrize("fetchers", [1, 16])
    async def test_a_crawl_that_stops_and_resumes_ends_the_same(self, tmp_path: Path, fetchers: int) -> None:
        """Runs without the option set the checks aside; those with it go on."""
        whole, parts = tmp_path / "whole.db", tmp_path / "parts.db"
        async with two_sites() as (site, _):
            options: dict[str, Any] = {"seeds": [site.url + "/"], "retries": 0, "fetchers": fetchers}
            await crawl(**options, db=whole, check_external=True)
            await crawl(**options, db=parts, check_external=True, max_pages=1)
            await crawl(**options, db=parts, max_pages=2)
            await crawl(**options, db=parts, check_external=True)

        assert set(rows(parts, BROKEN)) == set(rows(whole, BROKEN)) != set()
        columns = "SELECT url, state, status, error, redirect_to, pages FROM external_links"
        assert set(rows(parts, columns)) == set(rows(whole, columns))
        assert equal_crawls(whole, parts) == []

    async def test_resources_and_links_of_one_url_are_checked_once(self, tmp_path: Path) -> None:
        other, db = Site({}), tmp_path / "crawl.db"
        async with other.serve() as elsewhere:
            site = Site({"/": f"<img src={elsewhere}/a.png><a href={elsewhere}/a.png>big</a>"})
            async with site.serve() as base:
                await crawl(seeds=[base + "/"], db=db, resources=True, check_external=True, retries=0)

        assert other.asked == {"HEAD /a.png": 1, "GET /a.png": 1}
        assert set(rows(db, BROKEN)) == {
            (f"{base}/", f"{elsewhere}/a.png", 404, "http_404", "big"),
            (f"{base}/", f"{elsewhere}/a.png", 404, "http_404", "image"),
        }

    async def test_a_host_that_a_moved_seed_brings_into_scope_is_crawled_not_checked(
        self, tmp_path: Path
    ) -> None:
        new, db = Site({"/": page("/a"), "/a": page()}), tmp_path / "crawl.db"
        async with new.serve() as now:
            old = Site({"/first": page(f"{now}/a", f"{now}/lost"), "/": f"->{now}/"})
            async with old.serve() as before:
                seeds = [f"{before}/first", f"{before}/"]
                await crawl(
                    seeds=seeds,
                    db=db,
                    check_external=True,
                    fetchers=1,
                    delay=0.1,
                    throttle="fixed",
                    retries=0,
                )

        assert rows(db, "SELECT * FROM external_links") == []
        assert set(rows(db, BROKEN)) == {(f"{before}/first", f"{now}/lost", 404, "http_404", "/lost")}

    async def test_a_target_of_a_redirect_of_a_page_is_checked_too(self, tmp_path: Path) -> None:
        other, db = Site({"/": page()}), tmp_path / "crawl.db"
        async with other.serve() as elsewhere:
            site = Site({"/": page("/out"), "/out": f"->{elsewhere}/gone"})
            async with site.serve() as base:
                await crawl(seeds=[base + "/"], db=db, check_external=True, retries=0)

        assert rows(db, "SELECT url, state, status FROM external_links") == [
            (f"{elsewhere}/gone", "failed", 404)
        ]

    async def test_why_tells_what_came_back(self, tmp_path: Path) -> None:
        db = tmp_path / "crawl.db"
        async with two_sites() as (site, other):
            await crawl(seeds=[site.url + "/"], db=db, check_external=True, retries=0)

        text = run_command(["why", f"{other.url}/gone", "--db", db]).stdout
        assert "http_404" in text
        assert "scope" in text

    @pytest.mark.parametrize("robots", [True, False])
    async def test_a_link_to_a_host_that_is_not_there_is_broken_whether_robots_txt_is_asked_or_not(
        self, tmp_path: Path, robots: bool
    ) -> None:
        gone = "http://127.0.0.1:1/gone"
        site = Site({"/": page(gone)})
        async with site.serve() as base:
            await crawl(
                seeds=[base], depth=1, db=tmp_path / "a.db", check_external=True, retries=0,
                no_robots=not robots,
            )  # fmt: skip
        assert rows(tmp_path / "a.db", BROKEN) == [(f"{base}/", gone, None, "refused", "/gone")]
