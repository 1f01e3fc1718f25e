"""Whole crawls with sitemaps, moving seeds and endless sites, against a small server on loopback."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from tests.support.app_server import serving
from tests.support.crawls import check_invariants, crawl, rows

Pages = dict[str, tuple[int, str, str]]  # path: status, content type or location, body


class Site:
    """A site given as a table; `{base}` in a body is its own address. Unknown paths ask `default`."""

    def __init__(self, pages: Pages) -> None:
        self.pages = pages
        self.asked: Counter[str] = Counter()
        self.base = ""

    async def answer(self, request: web.Request) -> web.Response:
        path = request.path_qs
        self.asked[path] += 1
        status, about, body = self.pages.get(path) or self.default(path)
        if status in {301, 302}:
            return web.Response(status=status, headers={"Location": about.format(base=self.base)})
        return web.Response(status=status, text=body.replace("{base}", self.base), content_type=about)

    def default(self, path: str) -> tuple[int, str, str]:
        return 404, "text/html", ""

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        async with serving(self.answer) as self.base:
            yield self.base


def page(*links: str) -> tuple[int, str, str]:
    body = "".join(f'<a href="{link}">x</a>' for link in links)
    return 200, "text/html", f"<!doctype html><title>t</title>{body}"


def urlset(*paths: str) -> tuple[int, str, str]:
    entries = "".join(f"<url><loc>{{base}}{path}</loc></url>" for path in paths)
    return 200, "application/xml", f'<?xml version="1.0"?><urlset>{entries}</urlset>'


class TestSitemaps:
    async def test_robots_names_an_index_and_its_sitemaps_pages_are_crawled(self, tmp_path: Path) -> None:
        site = Site(
            {
                "/": page("/linked"),
                "/linked": page(),
                "/orphan": page("/below"),
                "/below": page(),
                "/robots.txt": (200, "text/plain", "User-agent: *\nDisallow:\nSitemap: {base}/index.xml\n"),
                "/index.xml": (
                    200,
                    "application/xml",
                    "<sitemapindex><sitemap><loc>{base}/one.xml</loc></sitemap></sitemapindex>",
                ),
                "/one.xml": urlset("/linked", "/orphan"),
            }
        )
        db = tmp_path / "crawl.db"
        async with site.serve() as base:
            report = await crawl(seeds=[base + "/"], depth=2, db=db, no_robots=False)

        assert report.exit_code == 0
        assert set(rows(db, "SELECT url, state, depth FROM urls")) == {
            (f"{base}/", "done", 0),
            (f"{base}/linked", "done", 1),
            (f"{base}/orphan", "done", None),
            (f"{base}/below", "skipped", None),
        }
        assert rows(db, "SELECT url FROM orphans") == [(f"{base}/orphan",)]
        assert rows(db, "SELECT state, format, entries FROM sitemaps ORDER BY url") == [
            ("done", "index", 1),
            ("done", "urlset", 2),
        ]
        assert report.totals.requests == 3
        assert report.totals.sitemap_requests == 2
        assert check_invariants(db) == []

    async def test_a_sitemap_that_the_operator_names_may_lie_elsewhere(self, tmp_path: Path) -> None:
        site, other = Site({"/": page(), "/listed": page()}), Site({})
        async with site.serve() as base, other.serve() as elsewhere:
            entry = f"<url><loc>{base}/listed</loc></url><url><loc>{elsewhere}/off</loc></url>"
            other.pages["/map.xml"] = (200, "application/xml", f"<urlset>{entry}</urlset>")
            db = tmp_path / "crawl.db"
            await crawl(seeds=[base + "/"], depth=0, db=db, sitemap=[elsewhere + "/map.xml"])

        assert set(rows(db, "SELECT url, state, reason FROM urls")) == {
            (f"{base}/", "done", None),
            (f"{base}/listed", "done", None),
            (f"{elsewhere}/off", "skipped", "scope"),
        }
        assert other.asked == {"/map.xml": 1}

    async def test_a_sitemap_that_robots_names_out_of_scope_is_not_asked(self, tmp_path: Path) -> None:
        """What the web names passes the door that links pass."""
        site, other = Site({"/": page()}), Site({"/map.xml": urlset("/x")})
        async with site.serve() as base, other.serve() as elsewhere:
            site.pages["/robots.txt"] = (200, "text/plain", f"Sitemap: {elsewhere}/map.xml\n")
            db = tmp_path / "crawl.db"
            await crawl(seeds=[base + "/"], depth=1, db=db, no_robots=False)

        assert not other.asked
        assert rows(db, "SELECT state, reason FROM sitemaps") == [("skipped", "scope")]


class TestMovedSeed:
    @pytest.mark.parametrize("fetchers", [1, 16])
    async def test_the_scope_follows_the_redirect_of_a_seed(self, tmp_path: Path, fetchers: int) -> None:
        old, new = Site({}), Site({"/": page("/a"), "/a": page("/b"), "/b": page()})
        async with old.serve() as before, new.serve() as now:
            # The second seed links there before the first one's redirect is known, or after.
            old.pages |= {"/": (301, f"{now}/", ""), "/second": page(f"{now}/b", f"{now}/a")}
            db = tmp_path / "crawl.db"
            seeds = [f"{before}/second", f"{before}/"]
            await crawl(seeds=seeds, depth=2, db=db, fetchers=fetchers)

            assert sorted(new.asked) == ["/", "/a", "/b"]
            assert rows(db, f"SELECT depth FROM urls WHERE url LIKE '{now}%' ORDER BY url") == [
                (0,),
                (1,),
                (1,),
            ]
            again = await crawl(seeds=seeds, depth=3, db=db, fetchers=fetchers)

        assert again.nothing_to_do
        assert check_invariants(db) == []

    async def test_a_redirect_further_in_moves_nothing(self, tmp_path: Path) -> None:
        site, other = Site({"/": page("/out")}), Site({"/": page()})
        async with site.serve() as base, other.serve() as elsewhere:
            site.pages["/out"] = (302, f"{elsewhere}/", "")
            db = tmp_path / "crawl.db"
            await crawl(seeds=[base + "/"], depth=3, db=db)

        assert not other.asked


class Endless(Site):
    """A site with a page for every day there will ever be, and folders within folders."""

    def default(self, path: str) -> tuple[int, str, str]:
        if path.startswith("/day/"):
            return page(f"/day/{int(path[5:]) + 1}")
        if path.startswith("/in/"):
            return page(path + "in/")
        return 404, "text/html", ""


class TestTraps:
    async def test_an_endless_site_ends_by_itself(self, tmp_path: Path) -> None:
        site = Endless({"/": page("/day/1", "/in/")})
        db = tmp_path / "crawl.db"
        async with site.serve() as base:
            report = await crawl(seeds=[base + "/"], depth="inf", db=db, max_pages=3000)

        assert report.exit_code == 0
        reasons = rows(db, "SELECT DISTINCT reason FROM urls WHERE state = 'skipped' ORDER BY reason")
        assert reasons == [("trap:repeat",), ("trap:shape",)]
        assert 1_000 <= sum(path.startswith("/day/") for path in site.asked) <= 1_030


class TestUrlRules:
    async def test_a_stripped_parameter_makes_no_page_of_its_own(self, tmp_path: Path) -> None:
        """Links that become one are one link; a redirect is rewritten too."""
        site = Site(
            {
                "/": page("/a?utm_source=x&id=1", "/a?id=1&utm_medium=y", "/go"),
                "/go": (302, "{base}/a?utm_campaign=z&id=1", ""),
                "/a?id=1": page(),
            }
        )
        db = tmp_path / "crawl.db"
        async with site.serve() as base:
            await crawl(seeds=[base + "/"], depth=2, db=db, strip_param=["utm_*"])

        assert sorted(site.asked) == ["/", "/a?id=1", "/go"]
        assert rows(db, "SELECT count(*) FROM links") == [(2,)]
        assert check_invariants(db) == []

    async def test_an_address_that_is_not_public_is_skipped_and_nothing_is_sent(self, tmp_path: Path) -> None:
        site = Site({"/": page()})
        db = tmp_path / "crawl.db"
        async with site.serve() as base:
            report = await crawl(seeds=[base + "/"], db=db, public_only=True, no_robots=False)

        assert not site.asked
        assert rows(db, "SELECT state, reason FROM urls") == [("skipped", "address")]
        assert report.exit_code == 4


class TestCredentials:
    async def test_the_operators_headers_go_to_the_seeds_origins_only(self, tmp_path: Path) -> None:
        """A redirect, a robots.txt or a link to elsewhere must not carry a password there."""
        told: dict[str, str | None] = {}

        class Listening(Site):
            async def answer(self, request: web.Request) -> web.Response:
                told[f"{request.host}{request.path}"] = request.headers.get("Authorization")
                return await super().answer(request)

        site, other = Listening({}), Listening({"/": page(), "/robots.txt": (200, "text/plain", "")})
        async with site.serve() as base, other.serve() as elsewhere:
            site.pages |= {"/": page(f"{elsewhere}/"), "/robots.txt": (302, f"{elsewhere}/robots.txt", "")}
            await crawl(
                seeds=[base + "/"],
                scope="any",
                depth=1,
                db=tmp_path / "crawl.db",
                header=["Authorization: Bearer secret"],
                no_robots=False,
            )

        at_home = {path for path, said in told.items() if said == "Bearer secret"}
        assert at_home == {f"{base.removeprefix('http://')}{path}" for path in ("/", "/robots.txt")}
        assert len(told) == 4
