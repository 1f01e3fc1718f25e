"""The same file, crawled again: budgets, larger and smaller limits, and refusals.

A stored page is never requested again; the web counts its requests.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from pathlib import Path
from typing import Any

import pytest

from penstock.crawler.errors import Refusal
from tests.support.crawls import (
    QUICK_FLAGS,
    check_invariants,
    crawl,
    differences,
    equal_crawls,
    run_command,
    start_command,
    stored_pages,
)
from tests.support.synthetic_web import SyntheticWeb


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Path]:
    """A fresh crawl's file, which must not contradict itself when the test is over."""
    path = tmp_path / "crawl.db"
    yield path
    assert check_invariants(path, finished=False) == []


class TestBudget:
    @pytest.mark.parametrize("pages", [1, 2, 17, 64, 65])
    async def test_max_pages_is_exact(self, db: Path, pages: int) -> None:
        """Never more pages, under 64 fetchers too, and never fewer while there are any."""
        web = SyntheticWeb(seed=20)
        async with web.serve() as url:
            report = await crawl(seeds=[url], depth=inf, db=db, max_pages=pages)

        assert stored_pages(db) == pages
        assert (report.exit_code, report.stop_reason) == (3, "max_pages")

    async def test_a_larger_budget_continues_where_the_last_one_ended(self, db: Path) -> None:
        web = SyntheticWeb(seed=21)
        async with web.serve() as url:
            for pages in (5, 6, 40):
                await crawl(seeds=[url], depth=inf, db=db, max_pages=pages)
                assert stored_pages(db) == pages
            report = await crawl(seeds=[url], depth=inf, db=db)

        assert report.exit_code == 0
        assert differences(db, web.expected()) == []
        assert web.requests == web.expected().requests

    async def test_a_budget_that_is_spent_already_fetches_nothing(self, db: Path) -> None:
        web = SyntheticWeb(seed=22)
        async with web.serve() as url:
            await crawl(seeds=[url], depth=inf, db=db, max_pages=20)
            web.forget()
            report = await crawl(seeds=[url], depth=inf, db=db, max_pages=10)

        assert (report.exit_code, web.requests.total()) == (3, 0)
        assert stored_pages(db) == 20

    async def test_a_budget_larger_than_the_web_does_not_end_the_crawl(self, db: Path) -> None:
        web = SyntheticWeb(seed=23, pages=30)
        async with web.serve() as url:
            report = await crawl(seeds=[url], depth=inf, db=db, max_pages=web_pages(web) + 1)

        assert (report.exit_code, report.stop_reason) == (0, "finished")
        assert stored_pages(db) == web.expected().good

    async def test_max_bytes_ends_a_run_and_the_next_run_continues(self, db: Path) -> None:
        web = SyntheticWeb(seed=24)
        async with web.serve() as url:
            report = await crawl(seeds=[url], depth=inf, db=db, max_bytes=10_000)
            assert (report.exit_code, report.stop_reason) == (3, "max_bytes")
            assert stored_pages(db) < web.expected().good
            await crawl(seeds=[url], depth=inf, db=db)

        assert differences(db, web.expected()) == []
        assert web.requests == web.expected().requests


class TestExtending:
    async def test_a_larger_depth_fetches_only_what_is_new(self, db: Path) -> None:
        web = SyntheticWeb(seed=25)
        async with web.serve() as url:
            for depth in (0, 1, 3, inf):
                report = await crawl(seeds=[url], depth=depth, db=db)
                assert report.exit_code == 0
                assert differences(db, web.expected(depth)) == []

        assert web.requests == web.expected().requests

    async def test_a_smaller_depth_fetches_nothing(self, tmp_path: Path, db: Path) -> None:
        web = SyntheticWeb(seed=26)
        async with web.serve() as url:
            await crawl(seeds=[url], depth=4, db=db)
            web.forget()
            report = await crawl(seeds=[url], depth=1, db=db)
            assert (report.exit_code, web.requests.total()) == (0, 0)

            await crawl(seeds=[url], depth=4, db=db)

        assert web.requests.total() == 0
        assert differences(db, web.expected(4)) == []

    async def test_a_smaller_depth_on_an_unfinished_crawl_is_obeyed(self, db: Path) -> None:
        """Pending URLs beyond the new limit are skipped, and pending again with a larger one."""
        web = SyntheticWeb(seed=27)
        async with web.serve() as url:
            await crawl(seeds=[url], depth=inf, db=db, max_pages=20)
            await crawl(seeds=[url], depth=1, db=db)
            asked = set(web.requests)
            await crawl(seeds=[url], depth=inf, db=db)

        beyond = {url for url, page in web.expected().pages.items() if page.depth > 1}
        assert len(asked & {"/" + page.removeprefix(url) for page in beyond}) < len(beyond)
        assert differences(db, web.expected()) == []
        assert web.requests == web.expected().requests

    async def test_a_finished_crawl_fetches_nothing(self, db: Path) -> None:
        web = SyntheticWeb(seed=28, disallow=("/a/",))
        async with web.serve() as url:
            first = await crawl(seeds=[url], depth=2, db=db, no_robots=False)
            web.forget()
            report = await crawl(seeds=[url], depth=2, db=db, no_robots=False)

        assert (report.exit_code, report.stop_reason) == (0, "finished")
        assert report.nothing_to_do
        assert not first.nothing_to_do
        assert (web.requests.total(), web.robots_requests) == (0, 0)

    async def test_no_robots_in_a_later_run_fetches_the_urls_that_robots_excluded(self, db: Path) -> None:
        web = SyntheticWeb(seed=29, disallow=("/a/", "/docs/"))
        async with web.serve() as url:
            await crawl(seeds=[url], depth=3, db=db, no_robots=False)
            assert differences(db, web.expected(3, robots=True)) == []
            await crawl(seeds=[url], depth=3, db=db, no_robots=True)

        assert differences(db, web.expected(3)) == []
        assert web.requests == web.expected(3).requests

    @pytest.mark.parametrize("lifted", [{"no_robots": True}, {"no_robots": False, "retry_failed": True}])
    async def test_urls_that_are_admitted_again_obey_the_present_depth(
        self, db: Path, lifted: dict[str, Any]
    ) -> None:
        """Lifting one rule does not lift another that is tightened in the same run."""
        web = SyntheticWeb(pages=0, disallow=("/forbidden",))
        web.page("/", "/1")
        web.page("/1", "/2")
        web.page("/2", "/forbidden", "/missing")
        web.page("/forbidden")
        async with web.serve() as url:
            await crawl(seeds=[url], depth=3, db=db, no_robots=False)
            web.forget()
            await crawl(seeds=[url], depth=1, db=db, **lifted)

        assert web.requests.total() == 0


class TestRefusals:
    @pytest.mark.parametrize(
        "change",
        [
            {"seeds": ["http://127.0.0.1:1/other"]},
            {"scope": "prefix"},
            {"include": ["x"]},
            {"exclude": ["x"]},
        ],
        ids=lambda change: next(iter(change)),
    )
    async def test_another_identity_is_refused_and_the_file_untouched(
        self, db: Path, change: dict[str, Any]
    ) -> None:
        """Two crawls in one file would both be wrong."""
        web = SyntheticWeb(seed=30, pages=10)
        async with web.serve() as url:
            await crawl(seeds=[url], depth=1, db=db)
            before = contents(db)
            web.forget()
            with pytest.raises(Refusal) as refusal:
                await crawl(**{"seeds": [url], "depth": 1, "db": db, **change})

        assert refusal.value.exit_code == 2
        assert contents(db) == before
        assert web.requests.total() == 0

    def test_the_command_refuses_another_identity_with_exit_2(self, tmp_path: Path, db: Path) -> None:
        web = SyntheticWeb(seed=30, pages=10)
        with web.serve_in_thread() as url:
            usual = ("--seed", url, "--depth", "1", *QUICK_FLAGS, "--db", db)
            assert run_command(usual).code == 0
            refused = run_command([*usual, "--scope", "any"])

        assert refused.code == 2
        assert "--db" in refused.stderr
        assert web.strays == []

    def test_a_second_process_on_the_same_file_is_refused_at_once(self, tmp_path: Path, db: Path) -> None:
        """Two writers on one write-ahead log can corrupt the file."""
        web = SyntheticWeb(pages=0)
        web.page("/", "/slow")
        web.page("/slow", delay=5.0)
        with web.serve_in_thread() as url:
            usual = ("--seed", url, *QUICK_FLAGS, "--db", db)
            with start_command(usual) as first:
                web.wait_for("/slow")
                second = run_command(usual)
                assert first.poll() is None
                first.communicate(timeout=30)

        assert (first.returncode, second.code) == (0, 75)
        assert web.requests["/slow"] == 1

    async def test_crawls_of_one_web_in_two_files_are_equal(self, tmp_path: Path, db: Path) -> None:
        web = SyntheticWeb(seed=31)
        async with web.serve() as url:
            await crawl(seeds=[url], depth=3, db=db)
            web.forget()
            await crawl(seeds=[url], depth=3, db=tmp_path / "other.db", fetchers=3, parsers=1)

        assert equal_crawls(db, tmp_path / "other.db") == []


def contents(path: Path) -> bytes:
    return path.read_bytes()


def web_pages(web: SyntheticWeb) -> int:
    """A bound on the pages that a crawl of the web can store."""
    return len(web.resources)
