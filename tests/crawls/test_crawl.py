"""A whole crawl stores exactly what a web contains, at any speed, size and order of arrival.

Every test crawls a synthetic web on loopback that knows its own right answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from math import inf
from pathlib import Path
from typing import Any

import pytest

from penstock.crawler.messages import CanonicalUrl
from penstock.crawler.scheduler.seen import SeenFilter
from tests.support.crawls import check_invariants, crawl, differences, equal_crawls, rows
from tests.support.synthetic_web import SyntheticWeb


class AlwaysMaybe(SeenFilter):
    """A Bloom filter at its worst: it answers "maybe" for every URL."""

    def probe(self, url: CanonicalUrl) -> bool:
        super().probe(url)
        return True


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Path]:
    """A fresh crawl's file, which must not contradict itself when the test is over."""
    path = tmp_path / "crawl.db"
    yield path
    assert check_invariants(path) == []


class TestContent:
    @pytest.mark.parametrize("depth", [0, 1, 2, 3, inf])
    async def test_a_crawl_equals_the_known_content_of_the_web(self, db: Path, depth: float) -> None:
        """Pages, states, reasons, depths, titles and links, with traps, redirects and failures."""
        web = SyntheticWeb(seed=1)
        async with web.serve() as url:
            report = await crawl(seeds=[url], depth=depth, db=db)

        assert differences(db, web.expected(depth)) == []
        assert web.strays == []
        assert (report.exit_code, report.stop_reason) == (0, "finished")

    @pytest.mark.parametrize("seed", range(2, 8))
    async def test_crawls_of_random_webs_equal_their_known_content(self, db: Path, seed: int) -> None:
        web = SyntheticWeb(seed=seed, pages=60)
        async with web.serve() as url:
            await crawl(seeds=[url], depth=inf, db=db)

        assert differences(db, web.expected()) == []
        assert web.coded_answers > 0

    async def test_the_server_saw_the_requests_that_the_database_has(self, db: Path) -> None:
        """Only failures are requested twice, and every request is counted."""
        web = SyntheticWeb(seed=3)
        async with web.serve() as url:
            report = await crawl(seeds=[url], depth=inf, db=db)

        attempts = dict(rows(db, "SELECT url, attempts FROM urls WHERE attempts > 0"))
        assert attempts == {url[:-1] + path: count for path, count in web.requests.items()}
        assert web.requests == web.expected().requests
        assert report.totals.requests == web.requests.total()

    async def test_several_seeds_are_all_at_depth_zero(self, db: Path) -> None:
        web = SyntheticWeb(seed=4)
        seeds = sorted(path for path in web.resources if path.startswith("/docs/"))[:3]
        async with web.serve() as url:
            await crawl(seeds=[url[:-1] + path for path in seeds], depth=2, db=db)

        assert differences(db, web.expected(2, seeds=seeds)) == []

    async def test_patterns_exclude_urls_and_never_seeds(self, db: Path) -> None:
        web = SyntheticWeb(seed=5)
        async with web.serve() as url:
            await crawl(seeds=[url], depth=inf, db=db, include=[r"/p\d|/a/|/r/"], exclude=[r"\?n="])

        assert differences(db, web.expected(include=r"/p\d|/a/|/r/", exclude=r"\?n=")) == []


class TestAnySpeed:
    @pytest.mark.parametrize("fetchers", [1, 4, 64])
    async def test_the_number_of_fetchers_changes_nothing(self, db: Path, fetchers: int) -> None:
        web = SyntheticWeb(seed=8, latency=3)
        async with web.serve() as url:
            await crawl(seeds=[url], depth=4, db=db, fetchers=fetchers)

        assert differences(db, web.expected(4)) == []

    async def test_one_worker_a_stage_and_queues_of_one_are_enough(self, db: Path) -> None:
        """Pages with more links than all inboxes hold must not make the stages wait in a circle."""
        web = SyntheticWeb(seed=9, pages=30, hub=10_000, latency=0)
        async with web.serve() as url, asyncio.timeout(50):
            narrow: dict[str, Any] = {"fetchers": 1, "parsers": 1, "storers": 1, "queue_size": 1}
            await crawl(seeds=[url], depth=inf, db=db, exclude=[r"/hub/\d+[1-9]$"], **narrow)

        assert differences(db, web.expected(exclude=r"/hub/\d+[1-9]$")) == []

    async def test_a_slow_short_path_decides_the_depth_over_a_quick_long_one(self, db: Path) -> None:
        """The order of arrival must decide neither the depth nor, through it, which pages are stored."""
        web = SyntheticWeb(pages=0)
        web.page("/", "/slow", "/1")
        web.page("/slow", "/goal", delay=0.3)
        web.page("/1", "/2")
        web.page("/2", "/3")
        web.page("/3", "/goal")
        web.page("/goal", "/goal/1")  # known at depth 4 long before it turns out to be at 2
        web.page("/goal/1", "/goal/2")
        web.page("/goal/2", "/goal/3")
        web.page("/goal/3")
        async with web.serve() as url:
            await crawl(seeds=[url], depth=4, db=db)

        assert differences(db, web.expected(4)) == []
        assert rows(db, f"SELECT state, depth FROM urls WHERE url = '{url}goal/2'") == [("done", 4)]
        assert max(web.requests.values()) == 1

    @pytest.mark.parametrize("depth", [3, 5, inf])
    async def test_depth_is_a_distance_when_the_near_pages_come_last(self, db: Path, depth: float) -> None:
        web = SyntheticWeb(seed=10, failing=0)
        async with web.serve() as url:
            for page_url, page in web.expected().pages.items():
                web.resources[page_url.removeprefix(url[:-1])].delay = 0.05 / 2**page.depth
            await crawl(seeds=[url], depth=depth, db=db)

        assert differences(db, web.expected(depth)) == []

    async def test_a_seen_filter_that_always_answers_maybe_is_enough(self, tmp_path: Path, db: Path) -> None:
        """The seen set only saves look-ups. The rows on disk decide whether a URL is known."""
        web = SyntheticWeb(seed=11)
        async with web.serve() as url:
            await crawl(seeds=[url], depth=3, db=tmp_path / "usual.db")
            web.forget()
            await crawl(seeds=[url], depth=3, db=db, seen=AlwaysMaybe())

        assert equal_crawls(tmp_path / "usual.db", db) == []
        assert differences(db, web.expected(3)) == []


class TestRobots:
    FORBIDDEN = ("/a/", "/docs/v2", "/loop/2")

    async def test_urls_that_robots_txt_forbids_are_recorded_and_not_requested(self, db: Path) -> None:
        web = SyntheticWeb(seed=12, disallow=self.FORBIDDEN)
        async with web.serve() as url:
            await crawl(seeds=[url], depth=inf, db=db, no_robots=False)

        assert differences(db, web.expected(robots=True)) == []
        assert [path for path in web.requests if path.startswith(self.FORBIDDEN)] == []
        assert web.robots_requests == 1

    async def test_no_robots_does_not_request_robots_txt(self, db: Path) -> None:
        web = SyntheticWeb(seed=12, disallow=self.FORBIDDEN)
        async with web.serve() as url:
            await crawl(seeds=[url], depth=inf, db=db, no_robots=True)

        assert differences(db, web.expected()) == []
        assert web.robots_requests == 0
