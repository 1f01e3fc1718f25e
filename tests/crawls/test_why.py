"""`why` on whole crawls: the true cause, and every kind of URL that a crawl knows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from aiohttp import web

from penstock.crawler.errors import BadQuery
from penstock.crawler.library.crawl_file import open_crawl
from tests.support.app_server import serving
from tests.support.crawls import crawl
from tests.support.database_rows import CrawlFile

PAGES = {
    "/": '<a href="/dir/">x</a><a href="/moved">y</a><a href="/gone">z</a>'
    '<img src="/logo.png"><img src="/lost.png">',
    "/dir/": "<title>a folder</title>",
    "/new": "<title>moved here</title>",
}


async def answer(request: web.Request) -> web.Response:
    path = request.path
    if path == "/robots.txt":
        return web.Response(text=f"Sitemap: http://{request.host}/map.xml\nUser-agent: *\nDisallow: /private")
    if path == "/map.xml":
        locations = f"<url><loc>http://{request.host}/dir/</loc></url>"
        xml = f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{locations}</urlset>'
        return web.Response(text=xml, content_type="application/xml")
    if path == "/logo.png":
        return web.Response(body=b"x" * 10, content_type="image/png")
    if path == "/moved":
        return web.Response(status=301, headers={"Location": "/new"})
    if path in PAGES:
        return web.Response(text=PAGES[path], content_type="text/html")
    return web.Response(status=404)


class Explained:
    def __init__(self, db: Path, url: str) -> None:
        self.db, self.url = db, url

    def why(self, path: str) -> list[str]:
        with open_crawl(self.db) as file:
            return [" ".join(line.split()) for line in file.why(self.url + path).lines()]


@pytest.fixture
async def site(tmp_path: Path) -> Explained:
    db = tmp_path / "a.db"
    async with serving(answer) as url:
        await crawl(seeds=[url], db=db, resources=True, no_robots=False)
    return Explained(db, url)


class TestKinds:
    def test_a_resource_is_known_with_the_pages_that_load_it(self, site: Explained) -> None:
        lines = site.why("/logo.png")

        assert "page no: no page that was stored links or redirects to it" in lines
        assert any(re.match(r"resource done, status 200, image/png, 10 bytes, at ", line) for line in lines)
        assert f"loaded by {site.url}/" in lines

    def test_a_resource_that_failed_says_why(self, site: Explained) -> None:
        assert any(
            line.startswith("resource failed, http_404: the host answered with status 404")
            for line in site.why("/lost.png")
        )

    def test_a_sitemap_is_known_with_who_names_it(self, site: Explained) -> None:
        lines = site.why("/map.xml")

        assert any(re.match(r"sitemap done, status 200, urlset, 1 entries, at ", line) for line in lines)
        assert f"named by {site.url}/robots.txt" in lines

    def test_a_robots_txt_is_known(self, site: Explained) -> None:
        assert any(
            re.match(r"robots.txt done, status 200, \d+ bytes", line) for line in site.why("/robots.txt")
        )

    def test_a_redirect_tells_what_became_of_its_target(self, site: Explained) -> None:
        lines = site.why("/moved")

        assert f"redirects to {site.url}/new" in lines
        assert "target done" in lines

    def test_a_program_sees_the_kind(self, site: Explained) -> None:
        paths = ("/", "/logo.png", "/map.xml", "/robots.txt")
        with open_crawl(site.db) as file:
            kinds = [file.why(site.url + path).kind for path in paths]

        assert kinds == ["page", "resource", "sitemap", "robots"]


class TestNearMisses:
    @pytest.mark.parametrize(
        ("asked", "meant"),
        [
            ("/dir", "/dir/"),
            ("/new/", "/new"),
            ("/DIR/", "/dir/"),
            ("/new?utm_source=x", "/new"),
            ("/dir#a", "/dir/"),
        ],
    )
    def test_a_url_that_is_nearly_right_is_answered_with_the_right_one(
        self, site: Explained, asked: str, meant: str
    ) -> None:
        with pytest.raises(BadQuery, match=re.escape(f"did you mean {site.url}{meant}?")):
            site.why(asked)

    def test_so_is_one_with_another_scheme(self, site: Explained) -> None:
        other = Explained(site.db, site.url.replace("http:", "https:"))

        with pytest.raises(BadQuery, match=re.escape(f"did you mean {site.url}/new?")):
            other.why("/new")

    @pytest.mark.parametrize(("seed", "asked"), [("", "www."), ("www.", "")])
    def test_so_is_one_with_or_without_www(self, tmp_path: Path, seed: str, asked: str) -> None:
        with CrawlFile(tmp_path / "a.db") as file:
            file.crawl([f"https://{seed}site.example/"])
            file.page(f"https://{seed}site.example/")
        other = Explained(tmp_path / "a.db", f"http://{asked}site.example")

        with pytest.raises(BadQuery, match=re.escape(f"did you mean https://{seed}site.example/?")):
            other.why("/")

    def test_so_is_one_without_a_scheme(self, site: Explained) -> None:
        bare = Explained(site.db, site.url.removeprefix("http://"))

        with pytest.raises(BadQuery, match=re.escape(f"did you mean {site.url}/new?")):
            bare.why("/new")

    def test_any_other_url_is_not_in_this_crawl(self, site: Explained) -> None:
        with pytest.raises(BadQuery, match=r"is not in this crawl: .* to it$"):
            site.why("/nothing-like-it")


class TestRobotsUnreachable:
    async def test_it_says_what_was_tried_and_what_came_back(self, tmp_path: Path) -> None:
        async def broken(request: web.Request) -> web.Response:
            return web.Response(status=503)

        async with serving(broken) as url:
            await crawl(seeds=[url], db=tmp_path / "a.db", no_robots=False, retries=1)

        lines = Explained(tmp_path / "a.db", url).why("/")
        assert any(line.startswith("reason robots_unreachable: ") for line in lines)
        assert "state failed: given up without a request" in lines
        assert sum(line.startswith("try ") for line in lines) == 1  # what mends the robots.txt
        assert (
            f"robots.txt {url}/robots.txt (2 requests): http_503: the host answered with status 503 "
            "(it is overloaded or down)"
        ) in lines
        of_robots = Explained(tmp_path / "a.db", url).why("/robots.txt")
        assert any(line.startswith("robots.txt failed, http_503") for line in of_robots)
