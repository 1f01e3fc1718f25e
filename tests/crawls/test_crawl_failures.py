"""Failures of the web, and bugs of ours, end as a row, and the other pages flow on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from itertools import count
from math import inf
from pathlib import Path

import pytest

from penstock import Crawl, CrawlConfig
from penstock.crawler.errors import TooManyInternalFailures
from penstock.crawler.messages import Content, Document, Failed, Fetched, FetchTask
from penstock.crawler.reasons import explain
from penstock.stages.extractors.html import HtmlExtractor
from penstock.stages.fetchers.plain import PlainFetcher
from tests.support.crawls import QUICK, check_invariants, crawl, differences, rows, run_command, stored_pages
from tests.support.synthetic_web import SyntheticWeb
from tests.support.synthetic_web_resource import Resource


class BrokenDocumentKind:
    """Reads as the real one does, and raises where `fails` is true of a URL."""

    def __init__(self, fails: Callable[[str], bool]) -> None:
        self._fails = fails
        self._real = HtmlExtractor()

    content_types = HtmlExtractor.content_types

    def read(self, document: Document) -> Content:
        if self._fails(document.url):
            raise KeyError(document.url)
        return self._real.read(document)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Path]:
    """A fresh crawl's file, which must not contradict itself when the test is over."""
    path = tmp_path / "crawl.db"
    yield path
    assert check_invariants(path, finished=False) == []


def star(pages: int) -> SyntheticWeb:
    """A seed that links to that many pages."""
    web = SyntheticWeb(pages=0)
    names = [f"/{number}" for number in range(pages)]
    web.page("/", *names)
    for name in names:
        web.page(name)
    return web


class TestFailuresOfTheWeb:
    async def test_a_page_that_answers_503_twice_and_then_200_is_done(self, db: Path) -> None:
        web = star(1)
        web.resources["/0"].fails_first = 2
        async with web.serve() as url:
            report = await crawl(seeds=[url], db=db)

        assert rows(db, f"SELECT state, reason, attempts FROM urls WHERE url = '{url}0'") == [
            ("done", None, 3)
        ]
        assert differences(db, web.expected()) == []
        assert (report.exit_code, report.totals.retries) == (0, 2)

    async def test_a_page_is_failed_with_its_reason_after_the_last_retry(self, db: Path) -> None:
        web = star(1)
        web.resources["/0"].fails_first = 3
        async with web.serve() as url:
            await crawl(seeds=[url], db=db, retries=2)

        assert rows(db, f"SELECT status, error FROM pages WHERE url = '{url}0'") == [(503, "http_503")]
        assert rows(db, f"SELECT state, attempts FROM urls WHERE url = '{url}0'") == [("failed", 3)]
        assert differences(db, web.expected(retries=2)) == []

    async def test_a_web_on_which_every_first_request_fails_is_crawled_completely(self, db: Path) -> None:
        """Retries that become due while others are read from disk must not be lost."""
        web = star(60)
        for path in web.resources.keys() - {"/"}:
            web.resources[path].fails_first = 3
        async with web.serve() as url:
            report = await crawl(seeds=[url], db=db, fetchers=4, storers=4)

        assert differences(db, web.expected()) == []
        assert report.totals.retries == 180

    @pytest.mark.parametrize("status", [400, 401, 404, 410, 451, 501, 505])
    async def test_a_permanent_failure_is_not_requested_again(self, db: Path, status: int) -> None:
        web = star(2)
        web.resources["/0"] = Resource(path="/0", status=status)
        async with web.serve() as url:
            report = await crawl(seeds=[url], db=db)

        assert differences(db, web.expected()) == []
        assert (web.requests["/0"], report.exit_code) == (1, 0)

    async def test_a_failed_page_stays_failed_in_the_next_run(self, db: Path) -> None:
        web = star(2)
        web.resources["/0"] = Resource(path="/0", status=404)
        async with web.serve() as url:
            for _ in range(2):
                await crawl(seeds=[url], db=db)

        assert differences(db, web.expected()) == []
        assert web.requests.total() == 3

    @pytest.mark.parametrize("status", [404, 500])
    async def test_exit_4_if_no_seed_could_be_stored(self, db: Path, status: int) -> None:
        """The seed is probably mistyped, and a script must not take it for an empty site."""
        web = SyntheticWeb(pages=0)
        web.resources["/"] = Resource(path="/", status=status)
        async with web.serve() as url:
            report = await crawl(seeds=[url], db=db, retries=1)

        assert report.exit_code == 4
        assert differences(db, web.expected(retries=1)) == []

    async def test_exit_4_if_no_host_answers(self, db: Path) -> None:
        async with SyntheticWeb(pages=0).serve() as url:
            pass  # the port was free a moment ago, and nobody listens there now
        report = await crawl(seeds=[url], db=db, retries=1)

        [(status, error)] = rows(db, "SELECT status, error FROM pages")
        [(attempts,)] = rows(db, "SELECT attempts FROM urls")
        assert (report.exit_code, status, attempts) == (4, None, 2)
        assert error

    async def test_one_good_seed_is_enough_for_exit_0(self, db: Path) -> None:
        web = star(1)
        async with web.serve() as url:
            report = await crawl(seeds=[f"{url}missing", url], db=db)

        assert report.exit_code == 0


class TestInternalFailures:
    async def test_a_bug_on_one_page_fails_that_page_alone(self, db: Path) -> None:
        web = star(30)
        async with web.serve() as url:
            report = await crawl(
                seeds=[url], db=db, documents={"html": BrokenDocumentKind(lambda page: page.endswith("/7"))}
            )

        assert rows(db, "SELECT url, reason FROM urls WHERE state = 'failed'") == [
            (f"{url}7", "internal:KeyError")
        ]
        assert stored_pages(db) == 30
        assert (report.exit_code, report.stop_reason) == (1, "finished")
        assert report.totals.internal_failures == 1

    def test_an_internal_failure_is_explained_as_an_error_that_may_be_of_a_plug(self) -> None:
        meaning = "an unexpected error in Penstock or in a plug: the log names it"

        assert explain("internal:KeyError") == f"internal:KeyError: {meaning}"

    async def test_bugs_that_are_not_in_a_row_let_the_crawl_finish(self, db: Path) -> None:
        web = star(100)
        async with web.serve() as url:
            broken = BrokenDocumentKind(lambda page: page.endswith(("3", "7")))
            report = await crawl(seeds=[url], db=db, fetchers=1, documents={"html": broken})

        assert (report.exit_code, report.totals.internal_failures) == (1, 20)
        assert stored_pages(db) == 81

    async def test_twenty_internal_failures_in_a_row_end_the_run(self, db: Path) -> None:
        """A bug that happens on every page must not fail the whole frontier."""
        web = star(300)
        async with web.serve() as url:
            broken = BrokenDocumentKind(lambda page: page != url)
            async with asyncio.timeout(5):
                with pytest.raises(TooManyInternalFailures) as stop:
                    await crawl(
                        seeds=[url], db=db, fetchers=4, storers=4, queue_size=4, documents={"html": broken}
                    )
            failed = rows(db, "SELECT count(*) FROM urls WHERE state = 'failed'")[0][0]
            assert 20 <= failed < 60
            assert rows(db, "SELECT stop_reason FROM runs") == [("error",)]

            report = await crawl(seeds=[url], db=db)

        assert stop.value.exit_code == 1
        assert report.stop_reason == "finished"
        assert stored_pages(db) == 301 - failed

    async def test_a_bug_while_robots_txt_is_fetched_gives_exit_code_1(
        self, db: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """No page of that host can be requested, and the host is not the reason."""

        get = PlainFetcher.get

        async def broken(fetcher: PlainFetcher, task: FetchTask) -> Fetched | Failed:
            if task.kind == "robots":
                raise KeyError
            return await get(fetcher, task)

        monkeypatch.setattr(PlainFetcher, "get", broken)
        async with star(1).serve() as url:
            report = await crawl(seeds=[url], db=db, no_robots=False, retries=0)

        assert (report.exit_code, report.totals.internal_failures) == (1, 1)
        assert rows(db, "SELECT state, reason FROM urls") == [("failed", "robots_unreachable")]


class TestStopping:
    async def test_a_finished_crawl_leaves_no_task_alive(self, db: Path) -> None:
        web = SyntheticWeb(seed=40, pages=30)
        async with web.serve() as url:
            before = asyncio.all_tasks()
            await crawl(seeds=[url], depth=inf, db=db)
            assert own_tasks(before) == []

    @pytest.mark.parametrize("stops", [1, 2])
    async def test_a_stopped_crawl_leaves_no_task_alive_and_loses_no_page(self, db: Path, stops: int) -> None:
        """Stopped gently, or at once by a second request: the next run continues either way."""
        web = SyntheticWeb(seed=41, latency=5)
        async with web.serve() as url:
            before = asyncio.all_tasks()
            parsed = count(1)

            def stop_at_the_tenth_page(page: str) -> bool:
                if next(parsed) == 10:
                    for _ in range(stops):
                        run.stop("sigint")
                return False

            config = CrawlConfig(seeds=[url], depth=None, db=db, fetchers=8, **QUICK)
            run = Crawl(config, documents={"html": BrokenDocumentKind(stop_at_the_tenth_page)})
            report = await run.run()

            assert (report.exit_code, report.stop_reason) == (130, "sigint")
            assert own_tasks(before) == []
            assert check_invariants(db, finished=False) == []
            assert stored_pages(db) < web.expected().good

            await crawl(seeds=[url], depth=inf, db=db)

        assert differences(db, web.expected()) == []

    async def test_max_time_ends_a_run_with_exit_3(self, db: Path) -> None:
        web = SyntheticWeb(seed=42, latency=10)
        async with web.serve() as url:
            report = await crawl(seeds=[url], depth=inf, db=db, fetchers=1, max_time=0.3)
            assert (report.exit_code, report.stop_reason) == (3, "max_time")
            await crawl(seeds=[url], depth=inf, db=db)

        assert differences(db, web.expected()) == []

    async def test_a_run_that_ends_with_an_error_leaves_no_task_alive(self, db: Path) -> None:
        web = star(60)
        async with web.serve() as url:
            before = asyncio.all_tasks()
            with pytest.raises(TooManyInternalFailures):
                await crawl(
                    seeds=[url], db=db, documents={"html": BrokenDocumentKind(lambda page: page != url)}
                )
            assert own_tasks(before) == []


def own_tasks(before: set[asyncio.Task[object]]) -> list[str]:
    """Tasks that were not there before, without the handlers of the web."""
    return [repr(task) for task in asyncio.all_tasks() - before if "RequestHandler" not in repr(task)]


def test_a_run_that_has_ended_leaves_no_file_beside_the_database(tmp_path: Path) -> None:
    """What its last lines say is read from the closed file."""
    with SyntheticWeb(seed=30, pages=3).serve_in_thread() as url:
        ended = run_command(["--seed", url, "--db", tmp_path / "crawl.db"])

    assert ended.code == 0
    assert [file.name for file in tmp_path.iterdir()] == ["crawl.db"]
