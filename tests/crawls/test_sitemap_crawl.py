"""Whole crawls with sitemaps, moving seeds and endless sites, against a small server on loopback."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

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

    async def test_robots_names_its_sitemap_by_a_path(self, tmp_path: Path) -> None:
        site = Site(
            {
                "/": page(),
                "/listed": page(),
                "/robots.txt": (
                    200,
                    "text/plain",
                    "User-agent: *\nDisallow:\n\nSitemap: /sitemap.xml\nSitemap:\n",
                ),
                "/sitemap.xml": urlset("/listed"),
            }
        )
        db = tmp_path / "crawl.db"
        async with site.serve() as base:
            await crawl(seeds=[base + "/"], depth=1, db=db, no_robots=False)

        assert site.asked["/listed"] == 1
        assert rows(db, "SELECT url, named_by FROM sitemaps") == [
            (f"{base}/sitemap.xml", f"{base}/robots.txt")
        ]
        assert rows(db, "SELECT sitemaps, refused_sitemaps, is_cut, url FROM robots") == [(1, 1, 0, None)]

    async def test_robots_proves_a_sitemap_on_another_host(self, tmp_path: Path) -> None:
        """Its children and its redirects lie anywhere too; what they list passes the door of links."""
        site, other = Site({"/": page(), "/listed": page()}), Site({})
        async with site.serve() as base, other.serve() as elsewhere:
            entry = f"<url><loc>{base}/listed</loc></url><url><loc>{elsewhere}/off</loc></url>"
            other.pages |= {
                "/map.xml": (301, f"{elsewhere}/index.xml", ""),
                "/index.xml": (
                    200,
                    "application/xml",
                    f"<sitemapindex><sitemap><loc>{elsewhere}/child.xml</loc></sitemap></sitemapindex>",
                ),
                "/child.xml": (200, "application/xml", f"<urlset>{entry}</urlset>"),
            }
            site.pages["/robots.txt"] = (200, "text/plain", f"Sitemap: {elsewhere}/map.xml\n")
            db = tmp_path / "crawl.db"
            await crawl(seeds=[base + "/"], depth=1, db=db, no_robots=False)

        assert other.asked == dict.fromkeys(("/robots.txt", "/map.xml", "/index.xml", "/child.xml"), 1)
        assert set(rows(db, "SELECT url, state, reason FROM urls")) == {
            (f"{base}/", "done", None),
            (f"{base}/listed", "done", None),
            (f"{elsewhere}/off", "skipped", "scope"),
        }
        assert rows(db, "SELECT url, named_by FROM sitemaps ORDER BY url") == [
            (f"{elsewhere}/child.xml", f"{elsewhere}/index.xml"),
            (f"{elsewhere}/index.xml", f"{elsewhere}/map.xml"),
            (f"{elsewhere}/map.xml", f"{base}/robots.txt"),
        ]
        assert check_invariants(db) == []

    async def test_a_sitemap_on_another_host_that_redirects_back_is_read(self, tmp_path: Path) -> None:
        """The bare domain names it, and sends every request to the site itself."""
        site = Site({"/": page(), "/listed": page(), "/map.xml": urlset("/listed")})
        apex = Site({})
        async with site.serve() as base, apex.serve() as bare:
            apex.default = lambda path: (301, base + path, "")  # type: ignore[method-assign]
            site.pages["/robots.txt"] = (200, "text/plain", f"Sitemap: {bare}/map.xml\n")
            db = tmp_path / "crawl.db"
            await crawl(seeds=[base + "/"], depth=1, db=db, no_robots=False)

        assert site.asked["/listed"] == 1
        assert rows(db, "SELECT origin, url FROM robots ORDER BY url") == [
            (base, None),
            (bare, f"{base}/robots.txt"),
        ]

    async def test_the_robots_txt_of_the_host_of_a_sitemap_applies_to_it(self, tmp_path: Path) -> None:
        site, other = Site({"/": page()}), Site({"/map.xml": urlset("/x")})
        other.pages["/robots.txt"] = (200, "text/plain", "User-agent: *\nDisallow: /")
        async with site.serve() as base, other.serve() as elsewhere:
            site.pages["/robots.txt"] = (200, "text/plain", f"Sitemap: {elsewhere}/map.xml\n")
            db = tmp_path / "crawl.db"
            await crawl(seeds=[base + "/"], depth=1, db=db, no_robots=False)

        assert other.asked == {"/robots.txt": 1}
        assert rows(db, "SELECT state, reason FROM sitemaps") == [("skipped", "robots")]

    async def test_the_sitemaps_of_a_host_that_only_serves_resources_are_not_read(
        self, tmp_path: Path
    ) -> None:
        """Its robots.txt proves nothing about the site."""
        site, cdn = Site({}), Site({"/a.png": (200, "image/png", "x"), "/map.xml": urlset("/x")})
        async with site.serve() as base, cdn.serve() as elsewhere, Site({}).serve() as third:
            site.pages["/"] = (200, "text/html", f"<img src={elsewhere}/a.png>")
            cdn.pages["/robots.txt"] = (200, "text/plain", f"Sitemap: /map.xml\nSitemap: {third}/map.xml")
            db = tmp_path / "crawl.db"
            await crawl(seeds=[base + "/"], db=db, no_robots=False, resources=True)

        assert cdn.asked["/map.xml"] == 0
        assert set(rows(db, "SELECT state, reason FROM sitemaps")) == {("skipped", "scope")}

    async def test_the_entries_around_a_damage_are_crawled_and_the_file_is_reported(
        self, tmp_path: Path
    ) -> None:
        first = ["/p1", "/shop?cat=1&page=2", "/p3", "/p4", "/p5", "/p6"]
        second = ["/q1", "/q2\x0b", "/q3", "/q4"]
        wanted = {*first, "/q1", "/q2", "/q3", "/q4"}
        site = Site({"/": page(), **dict.fromkeys(wanted, page())})
        site.pages |= {"/map.xml": urlset(*first), "/map2.xml": urlset(*second)}
        site.pages["/robots.txt"] = (200, "text/plain", "Sitemap: /map.xml\nSitemap: /map2.xml")
        db = tmp_path / "crawl.db"
        async with site.serve() as base:
            await crawl(seeds=[base + "/"], depth=1, db=db, no_robots=False)

        assert wanted <= site.asked.keys()
        assert rows(db, "SELECT state, entries, refused, error FROM sitemaps ORDER BY url") == [
            ("done", 6, 0, "bad_xml"),
            ("done", 4, 0, "bad_xml"),
        ]


class TestWithoutSitemaps:
    @staticmethod
    def site() -> Site:
        index = "<sitemapindex><sitemap><loc>{base}/child.xml</loc></sitemap></sitemapindex>"
        return Site(
            {
                "/": page("/linked"),
                **dict.fromkeys(("/linked", "/named", "/asked"), page()),
                "/robots.txt": (200, "text/plain", "Sitemap: /named.xml"),
                "/named.xml": urlset("/named"),
                "/index.xml": (200, "application/xml", index),
                "/child.xml": urlset("/asked"),
            }
        )

    @pytest.mark.parametrize(
        ("options", "pages"),
        [
            ({"depth": 0}, {"/"}),
            ({"depth": 0, "sitemap": "/index.xml"}, {"/", "/asked"}),
            ({"depth": 1}, {"/", "/linked", "/named"}),
            ({"depth": 1, "no_sitemaps": True}, {"/", "/linked"}),
            ({"depth": 1, "no_sitemaps": True, "sitemap": "/index.xml"}, {"/", "/linked", "/asked"}),
        ],
    )
    async def test_depth_0_and_no_sitemaps_read_only_the_sitemaps_of_the_operator(
        self, tmp_path: Path, options: dict[str, Any], pages: set[str]
    ) -> None:
        site, db = self.site(), tmp_path / "crawl.db"
        async with site.serve() as base:
            if "sitemap" in options:
                options = {**options, "sitemap": [f"{base}{options['sitemap']}"]}
            await crawl(seeds=[base + "/"], db=db, no_robots=False, **options)

        assert {path for path in site.asked if "." not in path} == pages
        assert (
            rows(db, "SELECT reason FROM sitemaps WHERE url LIKE '%/named.xml'") == [("sitemaps_off",)]
        ) == ("/named" not in pages)

    async def test_a_later_run_with_sitemaps_reads_what_was_set_aside(self, tmp_path: Path) -> None:
        """robots.txt is not requested again for it."""
        site, db = self.site(), tmp_path / "crawl.db"
        async with site.serve() as base:
            for depth in (0, 1, 0, 1):
                await crawl(seeds=[base + "/"], db=db, no_robots=False, depth=depth)

        assert site.asked == dict.fromkeys(("/robots.txt", "/", "/linked", "/named.xml", "/named"), 1)
        assert check_invariants(db) == []

    async def test_a_run_that_ends_early_resumes_with_the_children_of_the_operators_sitemap(
        self, tmp_path: Path
    ) -> None:
        site, db = self.site(), tmp_path / "crawl.db"
        async with site.serve() as base:
            options: dict[str, Any] = {"seeds": [base + "/"], "db": db, "no_robots": False, "depth": 0}
            await crawl(**options, sitemap=[f"{base}/index.xml"], max_pages=1)
            await crawl(**options, sitemap=[f"{base}/index.xml"])

        assert site.asked["/child.xml"] == site.asked["/asked"] == 1
        assert site.asked["/named.xml"] == 0


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

    @pytest.mark.parametrize("fetchers", [1, 16])
    async def test_a_sitemap_that_the_new_host_proves_is_read_in_any_order(
        self, tmp_path: Path, fetchers: int
    ) -> None:
        """For a resource, the robots.txt of the new host is read before the redirect of the seed is known."""
        old, new, cdn = Site({}), Site({"/": page(), "/listed": page()}), Site({})
        async with old.serve() as before, new.serve() as now, cdn.serve() as elsewhere:
            old.pages |= {"/": (301, f"{now}/", ""), "/first": (200, "text/html", f"<img src={now}/a.png>")}
            new.pages["/robots.txt"] = (200, "text/plain", f"Sitemap: {elsewhere}/map.xml")
            entry = f"<url><loc>{now}/listed</loc></url>"
            cdn.pages["/map.xml"] = (200, "application/xml", f"<urlset>{entry}</urlset>")
            options: dict[str, Any] = {
                "db": tmp_path / "crawl.db",
                "no_robots": False,
                "resources": True,
                "fetchers": fetchers,
            }
            await crawl(seeds=[f"{before}/first", f"{before}/"], delay=0.2, throttle="fixed", **options)

        assert new.asked["/listed"] == 1

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
