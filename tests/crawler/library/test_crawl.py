"""A crawl as an object of a program: its pages, its events, and how it is stopped and run again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from math import inf
from pathlib import Path
from typing import Any

import pytest

from penstock import (
    BadConfig,
    BadDatabase,
    Crawl,
    CrawlConfig,
    CrawlEvent,
    PageStored,
    RetryScheduled,
    RunEnded,
    StoredPage,
    UrlFailed,
    UrlSkipped,
)
from penstock.crawler.library.event_stream import EventStream
from tests.support.crawls import QUICK, check_invariants, differences, equal_crawls, rows
from tests.support.synthetic_web import SyntheticWeb

NARROW = {"fetchers": 1, "parsers": 1, "storers": 1, "queue_size": 1}
GOOD = "SELECT url FROM pages WHERE status = 200 AND error IS NULL"


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Path]:
    """A fresh crawl's file, which must not contradict itself when the test is over."""
    path = tmp_path / "crawl.db"
    yield path
    assert check_invariants(path, finished=False) == []


def new_crawl(url: str, db: Path, *, on_event: Any = None, **options: Any) -> Crawl:
    return Crawl(CrawlConfig(seeds=[url], db=db, **{**QUICK, "depth": inf, **options}), on_event=on_event)


class TestPages:
    async def test_every_page_is_handed_over_once_and_after_its_commit(self, db: Path) -> None:
        web = SyntheticWeb(seed=40, pages=40)
        found = []
        async with web.serve() as url, new_crawl(url, db) as crawl:
            async for page in crawl.pages():
                assert rows(db, f"SELECT count(*) FROM pages WHERE url = '{page.url}'") == [(1,)]
                found.append(page.url)

        assert sorted(found) == sorted(url for (url,) in rows(db, GOOD))
        assert crawl.report is not None
        assert crawl.report.stop_reason == "finished"

    async def test_a_page_carries_what_the_file_holds_of_it(self, db: Path) -> None:
        web = SyntheticWeb(pages=0)
        web.page("/", "/a", "/b")
        web.page("/a", "/")
        web.page("/b")
        async with web.serve() as url, new_crawl(url, db, select=["heading=title"]) as crawl:
            pages = {page.url: page async for page in crawl.pages()}

        columns = (
            "status, depth, title, content_type, body_bytes, elapsed_ms, content_hash, redirect_to, error"
        )
        for address, page in pages.items():
            values = tuple(getattr(page, name) for name in columns.split(", "))
            assert [values] == rows(db, f"SELECT {columns} FROM pages WHERE url = '{address}'")
        assert [link.url for link in pages[url].links] == [f"{url}a", f"{url}b"]
        assert pages[url].values == {"heading": [pages[url].title]}
        [(fetched_at,)] = rows(db, f"SELECT fetched_at FROM pages WHERE url = '{url}'")
        assert str(pages[url].fetched_at)[:19] == fetched_at[:19].replace("T", " ")

    async def test_failures_and_redirects_come_on_request_only(self, db: Path, tmp_path: Path) -> None:
        web = SyntheticWeb(seed=41, pages=40)
        async with web.serve() as url:
            plain = [page async for page in new_crawl(url, tmp_path / "plain.db").pages()]
            everything = [page async for page in new_crawl(url, db).pages(failures=True, redirects=True)]

        assert all(page.error is None and page.redirect_to is None for page in plain)
        assert sorted(page.url for page in everything) == [
            url for (url,) in rows(db, "SELECT url FROM pages ORDER BY url")
        ]
        assert {page.url: page.error for page in everything if page.error} == dict(
            rows(db, "SELECT url, error FROM pages WHERE error IS NOT NULL")
        )

    async def test_a_slow_consumer_slows_the_crawl(self, db: Path) -> None:
        """The queue between them is bounded, and so the crawl never runs far ahead."""
        web = SyntheticWeb(seed=42, pages=60, latency=0)
        taken = 0
        async with web.serve() as url, new_crawl(url, db, **NARROW) as crawl:
            async for _ in crawl.pages(failures=True, redirects=True):
                taken += 1
                for _ in range(50):  # rounds of the event loop, in which a crawl goes on if it can
                    await asyncio.sleep(0)
                settled = rows(db, "SELECT count(*) FROM urls WHERE state IN ('done', 'failed')")[0][0]
                assert settled <= taken + 3

        assert taken == rows(db, "SELECT count(*) FROM pages")[0][0]

    async def test_bodies_come_on_request_and_are_not_stored_for_that(self, db: Path) -> None:
        web = SyntheticWeb(pages=0)
        web.page("/", "/a")
        web.page("/a")
        async with web.serve() as url:
            pages = [page async for page in new_crawl(url, db).pages(bodies=True)]

        assert [page.html is not None and "<title>" in page.html for page in pages] == [True, True]
        assert [len(page.body or b"") for page in pages] == [page.body_bytes for page in pages]
        assert rows(db, "SELECT count(*) FROM body") == [(0,)]

    async def test_without_being_asked_for_no_body_is_kept(self, db: Path) -> None:
        web = SyntheticWeb(pages=0)
        web.page("/")
        async with web.serve() as url:
            [page] = [page async for page in new_crawl(url, db).pages()]

        assert (page.body, page.html) == (None, None)


class TestLeaving:
    async def assert_resumes(self, web: SyntheticWeb, url: str, db: Path, reason: str = "stopped") -> None:
        """The file says why the run ended, and the next run completes it."""
        assert rows(db, "SELECT stop_reason FROM runs") == [(reason,)]
        assert rows(db, "SELECT count(*) > 0 FROM urls WHERE state = 'pending'") == [(1,)]
        assert [task for task in asyncio.all_tasks() if task.get_name() == "crawl"] == []

        await new_crawl(url, db).run()

        assert differences(db, web.expected()) == []

    async def fail_on_first_page(self, crawl: Crawl) -> None:
        async with crawl:
            async for _ in crawl.pages():
                raise ZeroDivisionError

    async def test_leaving_the_loop_stops_the_crawl_which_can_be_resumed(self, db: Path) -> None:
        web = SyntheticWeb(seed=43, latency=0)
        async with web.serve() as url:
            async with new_crawl(url, db, **NARROW) as crawl:
                async for page in crawl.pages():
                    assert page.url == url
                    break

            assert crawl.report is not None
            assert (crawl.report.stop_reason, crawl.report.exit_code) == ("stopped", 3)
            await self.assert_resumes(web, url, db)

    async def test_the_end_of_the_block_waits_for_a_run_that_is_being_wound_down(self, db: Path) -> None:
        """asyncio closes the generator of a loop that was left, and may begin to before the block ends."""
        web = SyntheticWeb(seed=59, latency=0)
        async with web.serve() as url:
            async with new_crawl(url, db, **NARROW) as crawl:
                async for _ in crawl.pages():
                    break
                for _ in range(5):  # rounds of the event loop, in which the generator is closed
                    await asyncio.sleep(0)
                assert crawl.snapshot().stopping == "stopped"

            await self.assert_resumes(web, url, db)

    async def test_an_exception_in_the_loop_propagates_and_the_crawl_can_be_resumed(self, db: Path) -> None:
        web = SyntheticWeb(seed=44, latency=0)
        async with web.serve() as url:
            with pytest.raises(ZeroDivisionError):
                await self.fail_on_first_page(new_crawl(url, db, **NARROW))

            await self.assert_resumes(web, url, db)

    async def test_cancelling_the_consumer_stops_the_crawl_which_can_be_resumed(self, db: Path) -> None:
        web = SyntheticWeb(seed=45, latency=0)
        first = asyncio.Event()

        async def consume(url: str) -> None:
            async with new_crawl(url, db, **NARROW) as crawl:
                async for _ in crawl.pages():
                    first.set()
                    await asyncio.Event().wait()

        async with web.serve() as url:
            consumer = asyncio.create_task(consume(url))
            await first.wait()
            consumer.cancel()
            with pytest.raises(asyncio.CancelledError):
                await consumer

            await self.assert_resumes(web, url, db)

    async def test_a_second_cancellation_does_not_wait_for_requests_in_flight(self, db: Path) -> None:
        web = SyntheticWeb(pages=0)
        web.page("/", "/slow")
        web.page("/slow", delay=60)
        first = asyncio.Event()

        async def consume(url: str) -> None:
            async with new_crawl(url, db, grace=50) as crawl:
                async for _ in crawl.pages():
                    first.set()

        async with web.serve() as url, asyncio.timeout(20):
            consumer = asyncio.create_task(consume(url))
            await first.wait()
            await asyncio.to_thread(web.wait_for, "/slow")
            consumer.cancel()
            await asyncio.sleep(0)
            consumer.cancel()
            with pytest.raises(asyncio.CancelledError):
                await consumer

        assert rows(db, "SELECT state FROM urls WHERE url LIKE '%slow'") == [("pending",)]

    async def test_a_generator_that_is_closed_stops_the_crawl_too(self, db: Path) -> None:
        web = SyntheticWeb(seed=46, latency=0)
        async with web.serve() as url:
            pages = new_crawl(url, db, **NARROW).pages()
            await anext(pages)
            await pages.aclose()

            await self.assert_resumes(web, url, db)

    async def test_a_stop_hands_over_what_is_in_flight_even_to_a_slow_consumer(self, db: Path) -> None:
        web = SyntheticWeb(seed=47, latency=0)
        found: list[StoredPage] = []
        async with web.serve() as url, new_crawl(url, db, **NARROW) as crawl:
            async for page in crawl.pages(failures=True, redirects=True):
                found.append(page)
                crawl.stop("enough")

        assert crawl.report is not None
        assert crawl.report.stop_reason == "enough"
        assert sorted(page.url for page in found) == sorted(
            url for (url,) in rows(db, "SELECT url FROM pages")
        )

    async def test_an_error_of_the_run_reaches_the_consumer(self, tmp_path: Path) -> None:
        (tmp_path / "crawl.db").write_bytes(b"no database at all" * 100)
        with pytest.raises(BadDatabase):
            await self.fail_on_first_page(new_crawl("http://127.0.0.1:9/", tmp_path / "crawl.db"))


class TestEvents:
    async def test_every_ending_of_a_url_is_an_event_and_the_last_event_is_the_end(self, db: Path) -> None:
        web = SyntheticWeb(seed=48, pages=40, disallow=("/a/",))
        async with web.serve() as url:
            crawl = new_crawl(url, db, no_robots=False)
            events = [event async for event in crawl.events()]

        def urls(kind: type[Any]) -> list[str]:
            found = [event for event in events if isinstance(event, kind)]
            return sorted(event.page.url if isinstance(event, PageStored) else event.url for event in found)

        def stored(query: str) -> list[str]:
            return sorted(url for (url,) in rows(db, query))

        assert urls(PageStored) == stored("SELECT url FROM urls WHERE state = 'done'")
        assert urls(UrlFailed) == stored("SELECT url FROM urls WHERE state = 'failed'")
        assert urls(UrlSkipped) == stored("SELECT url FROM urls WHERE reason = 'robots'")
        assert len(urls(RetryScheduled)) == crawl.snapshot().retries
        assert isinstance(events[-1], RunEnded)
        assert events[-1].report is crawl.report

    async def test_a_callback_is_called_with_the_same_events(self, db: Path, tmp_path: Path) -> None:
        web = SyntheticWeb(seed=49, pages=20, failing=0, flaky=0)
        told: list[CrawlEvent] = []
        async with web.serve() as url:
            await new_crawl(url, tmp_path / "run.db", on_event=told.append).run()
            told.extend([event async for event in new_crawl(url, db).events()])

        half = len(told) // 2
        assert sorted(map(name_of, told[:half])) == sorted(map(name_of, told[half:]))
        assert isinstance(told[half - 1], RunEnded)

    async def test_an_exception_in_the_callback_ends_the_run_which_can_be_resumed(self, db: Path) -> None:
        def fail(event: CrawlEvent) -> None:
            raise LookupError

        web = SyntheticWeb(seed=50, pages=20)
        async with web.serve() as url:
            with pytest.raises(LookupError):
                await new_crawl(url, db, on_event=fail).run()
            await new_crawl(url, db).run()

        assert differences(db, web.expected()) == []


def name_of(event: CrawlEvent) -> str:
    return f"{type(event).__name__} {event.page.url if isinstance(event, PageStored) else ''}"


class TestRunningAgain:
    async def test_a_second_run_of_the_same_object_counts_from_zero(self, db: Path) -> None:
        """It finds a finished crawl, and says so."""
        web = SyntheticWeb(seed=51, pages=20)
        async with web.serve() as url:
            crawl = new_crawl(url, db)
            first, second = await crawl.run(), await crawl.run()

        assert first.this_run.pages > 0
        assert not first.nothing_to_do
        assert second.nothing_to_do
        assert (second.this_run.pages, second.this_run.requests, second.run_id) == (0, 0, first.run_id + 1)
        assert second.totals == first.totals
        assert second.elapsed_s < first.elapsed_s + 1

    async def test_a_run_after_a_stopped_one_resumes_it(self, db: Path) -> None:
        web = SyntheticWeb(seed=52)
        async with web.serve() as url:
            crawl = new_crawl(url, db, **NARROW)
            async for _ in crawl.pages():
                crawl.stop()
            await crawl.run()

        assert differences(db, web.expected()) == []

    async def test_a_loop_after_one_that_was_left_resumes_the_crawl(self, db: Path) -> None:
        web = SyntheticWeb(seed=56)
        async with web.serve() as url, new_crawl(url, db, **NARROW) as crawl:
            async for _ in crawl.pages():
                break
            async for _ in crawl.pages():
                break
            await crawl.run()

        assert rows(db, "SELECT stop_reason FROM runs") == [("stopped",), ("stopped",), ("finished",)]
        assert differences(db, web.expected()) == []

    async def test_a_second_loop_is_refused_while_the_first_is_consumed(self, db: Path) -> None:
        web = SyntheticWeb(seed=57, pages=20)
        async with web.serve() as url:
            crawl = new_crawl(url, db, **NARROW)
            async for _ in crawl.pages():
                if crawl.report is None:
                    with pytest.raises(RuntimeError, match="running already"):
                        await anext(crawl.pages())

        assert differences(db, web.expected()) == []

    async def test_two_runs_at_once_are_refused(self, db: Path) -> None:
        web = SyntheticWeb(seed=53, pages=20)
        async with web.serve() as url:
            crawl = new_crawl(url, db)
            async for _ in crawl.pages():
                with pytest.raises(RuntimeError, match="running already"):
                    await crawl.run()

        assert differences(db, web.expected()) == []

    async def test_following_a_crawl_does_not_change_it(self, db: Path, tmp_path: Path) -> None:
        web = SyntheticWeb(seed=54)
        async with web.serve() as url:
            await new_crawl(url, tmp_path / "run.db").run()
            web.forget()
            async for _ in new_crawl(url, db).pages(bodies=True):
                pass

        assert equal_crawls(tmp_path / "run.db", db) == []

    async def test_a_stop_before_the_run_ends_it_at_once(self, db: Path) -> None:
        web = SyntheticWeb(seed=55, pages=20)
        async with web.serve() as url:
            crawl = new_crawl(url, db)
            crawl.stop("sigterm")
            report = await crawl.run()

        assert (report.stop_reason, web.requests.total()) == ("sigterm", 0)

    @pytest.mark.parametrize("times", [1, 2])
    async def test_a_stop_between_two_runs_ends_the_second_one(self, db: Path, times: int) -> None:
        web = SyntheticWeb(seed=58)
        async with web.serve() as url:
            crawl = new_crawl(url, db, max_pages=3)
            await crawl.run()
            web.forget()
            for _ in range(times):
                crawl.stop("sigterm")
            report = await crawl.run()

        assert (report.stop_reason, web.requests.total()) == ("sigterm", 0)


class TestPlugs:
    async def test_a_crawl_opens_its_own_file_with_the_formats_it_was_given(
        self, db: Path, tmp_path: Path
    ) -> None:
        def write(source: Any, files: Any) -> int:
            files.main().write(b"mine")
            return len(list(source.rows()))

        web = SyntheticWeb(pages=0)
        web.page("/")
        async with web.serve() as url:
            crawl = Crawl(CrawlConfig(seeds=[url], db=db, **QUICK), exports={"mine": write})
            await crawl.run()
        with crawl.open() as file:
            assert file.export("mine", tmp_path / "a.txt") == 1

    def test_plugs_are_given_by_name(self) -> None:
        with pytest.raises(BadConfig, match="documents: must map names to objects"):
            Crawl(CrawlConfig(seeds=["http://h/"]), documents=["feed"])  # type: ignore[arg-type]


class TestEventStream:
    async def test_put_waits_while_the_stream_is_full(self) -> None:
        stream = EventStream[int](bound=1)
        await stream.put(1)
        second = asyncio.create_task(stream.put(2))
        await asyncio.sleep(0)
        assert not second.done()

        assert await stream.get() == 1
        await second
        assert await stream.get() == 2

    async def test_large_bodies_fill_it_before_the_bound(self) -> None:
        stream = EventStream[int](bound=64)
        await stream.put(1, size=9 << 20)

        assert stream.is_full

    async def test_after_a_stop_put_does_not_wait_and_nothing_is_lost(self) -> None:
        stream = EventStream[int](bound=1)
        puts = [asyncio.create_task(stream.put(number)) for number in range(3)]
        await asyncio.sleep(0)
        stream.release()
        await asyncio.gather(*puts)
        stream.end()

        assert [await stream.get() for _ in range(4)] == [0, 1, 2, None]

    async def test_a_consumer_that_left_holds_up_nobody(self) -> None:
        stream = EventStream[int](bound=1)
        puts = [asyncio.create_task(stream.put(number)) for number in range(3)]
        await asyncio.sleep(0)
        stream.close()
        await asyncio.gather(*puts)
        stream.end()

        assert await stream.get() is None
