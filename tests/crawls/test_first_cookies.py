"""--cookies-from-seed: the cookies of the first answer of each origin, the same for a whole run."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from penstock import CrawlConfig
from penstock.crawler.errors import BadConfig
from tests.support.app_server import serving
from tests.support.crawls import crawl, equal_crawls, rows

SECRET = "fc4-not-to-be-kept"


class ConsentSite:
    """Shows its pages to whoever has a cookie, and sets a new one with every answer."""

    def __init__(self) -> None:
        self.cookies: dict[str, list[str]] = defaultdict(list)  # Cookie headers by path
        self.failures = 0  # answers before the first good one
        self.rules = ""
        self._numbers = itertools.count()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.cookies[request.path].append(request.headers.get("Cookie", ""))
        if request.path == "/robots.txt":
            return web.Response(text=self.rules)
        if self.failures:
            self.failures -= 1
            return web.Response(status=503)
        shown = "members" if "consent" in request.cookies else "consent needed"
        links = "".join(f"<a href=/{n}>{n}</a>" for n in range(20)) if request.path == "/" else ""
        answer = web.Response(text=f"<title>{shown}</title>{links}", content_type="text/html")
        answer.set_cookie("consent", f"{SECRET}-{next(self._numbers)}")
        return answer


@pytest.fixture
def site() -> ConsentSite:
    return ConsentSite()


@pytest.fixture
async def url(site: ConsentSite) -> AsyncIterator[str]:
    async with serving(site.answer) as served:
        yield served


def files_with(text: str, folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if text.encode() in path.read_bytes()]


class TestFirstCookies:
    async def test_every_page_is_requested_with_the_cookies_of_the_first_answer(
        self, site: ConsentSite, url: str, tmp_path: Path
    ) -> None:
        await crawl(seeds=[f"{url}/"], db=tmp_path / "crawl.db", cookies_from_seed=True)

        first, again = site.cookies.pop("/")
        assert first == ""
        assert {cookie for cookies in site.cookies.values() for cookie in cookies} == {again}
        assert rows(tmp_path / "crawl.db", "SELECT DISTINCT title FROM pages") == [("members",)]

    async def test_each_origin_has_its_own(self, site: ConsentSite, url: str, tmp_path: Path) -> None:
        other = url.replace("127.0.0.1", "localhost")
        await crawl(
            seeds=[f"{url}/", f"{other}/3"], depth=0, db=tmp_path / "crawl.db", cookies_from_seed=True
        )

        assert site.cookies["/"][0] == site.cookies["/3"][0] == ""
        assert site.cookies["/"][1] != site.cookies["/3"][1]

    async def test_pages_are_the_same_with_any_number_of_fetchers(
        self, site: ConsentSite, url: str, tmp_path: Path
    ) -> None:
        files = [tmp_path / f"{fetchers}.db" for fetchers in (1, 4, 64)]
        for file in files:
            await crawl(seeds=[f"{url}/"], db=file, fetchers=int(file.stem), cookies_from_seed=True)

        assert equal_crawls(files[0], files[1]) == equal_crawls(files[0], files[2]) == []

    async def test_a_resumed_run_takes_new_cookies(self, site: ConsentSite, url: str, tmp_path: Path) -> None:
        for pages in (5, None):
            await crawl(seeds=[f"{url}/"], db=tmp_path / "crawl.db", max_pages=pages, cookies_from_seed=True)

        assert site.cookies["/"].count("") == 2
        assert rows(tmp_path / "crawl.db", "SELECT DISTINCT title FROM pages") == [("members",)]

    async def test_a_first_answer_that_fails_is_requested_again(
        self, site: ConsentSite, url: str, tmp_path: Path
    ) -> None:
        site.failures = 2
        await crawl(seeds=[f"{url}/"], db=tmp_path / "crawl.db", cookies_from_seed=True)

        assert rows(tmp_path / "crawl.db", "SELECT DISTINCT title FROM pages") == [("members",)]

    async def test_robots_txt_is_obeyed(self, site: ConsentSite, url: str, tmp_path: Path) -> None:
        site.rules = "User-agent: *\nDisallow: /$"
        await crawl(
            seeds=[f"{url}/", f"{url}/7"], db=tmp_path / "crawl.db", no_robots=False, cookies_from_seed=True
        )

        assert site.cookies["/"] == []
        assert site.cookies["/7"] == [""]

    async def test_no_cookie_is_stored(self, site: ConsentSite, url: str, tmp_path: Path) -> None:
        await crawl(seeds=[f"{url}/"], db=tmp_path / "crawl.db", cookies_from_seed=True)

        assert files_with(SECRET, tmp_path) == []

    def test_a_session_has_cookies_of_its_own(self) -> None:
        with pytest.raises(BadConfig, match="not possible with --session"):
            CrawlConfig(seeds=["http://a.example/"], session="x.toml", cookies_from_seed=True)
