"""Micro: what single operations cost. Collected only when named:

    pytest tests/bench/micro.py --benchmark-timer=time.process_time

The timer counts the processor time of all threads, so the database's thread is in the commit's
figure. The group says for how many pages, links or messages a figure stands.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from penstock.crawler.config.crawl_config import CrawlConfig
from penstock.crawler.engine.pool import Inbox, Pill, Pool, work
from penstock.crawler.messages import (
    Answer,
    CanonicalUrl,
    Content,
    Document,
    Done,
    FetchTask,
    Link,
    Links,
    Message,
    RobotsTask,
)
from penstock.crawler.policies.reach import SEED, Horizon
from penstock.crawler.policies.scope import Scope
from penstock.crawler.ports import Pending
from penstock.crawler.scheduler.discovery import Admission
from penstock.crawler.scheduler.host_window import HostWindow
from penstock.crawler.scheduler.seen import SeenFilter
from penstock.crawler.urls import Joiner, resolve
from penstock.stages.extractors.html import HtmlExtractor
from penstock.storage.writing.crawl_store import CrawlSettings, CrawlStore, OpenRun

SITE = "http://localhost"
LINKS = 100  # a page
NEW = 10  # of these, never seen before
BATCH = 64  # pages in one commit
MESSAGES = 1_000


def url_of(number: int) -> CanonicalUrl:
    return CanonicalUrl(f"{SITE}/section/{number // 100}/page-{number}.html")


def page_of(number: int) -> bytes:
    """An honest page of some 20 kB: every link stands in a list with a sentence beside it."""
    items = "".join(
        f'<li><a class="reference" href="page-{other}.html">Page number {other}</a>'
        f"<p>What it is about, in a sentence or two, <em>some</em> of it in italics.</p></li>\n"
        for other in range(number, number + LINKS)
    )
    return f"<!doctype html><html lang=en><title>Page {number}</title><ul>{items}</ul></html>".encode()


def rounds(benchmark: BenchmarkFixture, run: Callable[[Any], object], each: Callable[[], object]) -> None:
    """Time `run` on something new each time."""
    benchmark.pedantic(run, setup=lambda: ((each(),), {}), rounds=60, warmup_rounds=5)  # type: ignore[no-untyped-call]


class TestUrls:
    HREFS = tuple(f"page-{number}.html" for number in range(LINKS))
    UPWARDS = tuple(f"../{number % 7}/page-{number}.html" for number in range(LINKS))

    @pytest.mark.benchmark(group="100 links")
    def test_join_on_the_next_page_of_a_directory(self, benchmark: BenchmarkFixture) -> None:
        join = Joiner()

        benchmark(lambda: [join(url_of(1), href) for href in self.HREFS])

    @pytest.mark.benchmark(group="100 links")
    def test_join_paths_that_lead_upwards(self, benchmark: BenchmarkFixture) -> None:
        join = Joiner()

        benchmark(lambda: [join(url_of(1), href) for href in self.UPWARDS])

    @pytest.mark.benchmark(group="100 links")
    def test_join_without_a_memory(self, benchmark: BenchmarkFixture) -> None:
        benchmark(lambda: [resolve(url_of(1), href) for href in self.HREFS])

    @pytest.mark.benchmark(group="100 links")
    def test_admit(self, benchmark: BenchmarkFixture) -> None:
        admission = Admission(Scope("host", [url_of(0)]), Horizon(depth=5))
        urls = [url_of(number) for number in range(LINKS)]

        benchmark(lambda: [admission.rule(url, SEED) for url in urls])

    @pytest.mark.benchmark(group="100 links")
    def test_seen_known(self, benchmark: BenchmarkFixture) -> None:
        seen = SeenFilter()
        urls = [url_of(number) for number in range(LINKS)]

        benchmark(lambda: [seen.probe(url) for url in urls])

    @pytest.mark.benchmark(group="100 links")
    def test_seen_new(self, benchmark: BenchmarkFixture) -> None:
        seen = SeenFilter()
        numbers = itertools.count()

        rounds(
            benchmark,
            lambda urls: [seen.probe(url) for url in urls],
            each=lambda: [url_of(next(numbers)) for _ in range(LINKS)],
        )


class TestPages:
    @pytest.mark.benchmark(group="1 page of 100 links")
    def test_extract(self, benchmark: BenchmarkFixture) -> None:
        extractor = HtmlExtractor()
        body = page_of(1)

        content = benchmark(lambda: extractor.read(Document(url=url_of(1), body=body, charset="utf-8")))

        assert len(content.links) == LINKS

    @pytest.mark.benchmark(group=f"1 commit of {BATCH} pages of 100 links")
    def test_commit(self, benchmark: BenchmarkFixture, tmp_path: Path) -> None:
        config = CrawlConfig(seeds=[url_of(0)])
        settings = CrawlSettings(
            identity=config.identity(),
            seeds=config.canonical_seeds,
            robots=False,
            retry_failed=False,
            public={},
        )
        batches = verdicts()

        async def begin(store: CrawlStore) -> OpenRun:
            run = await store.begin(settings, admission, SeenFilter(), max_batch=BATCH)
            run.writer.start()
            return run

        async def save(store: CrawlStore, batch: Sequence[Done]) -> None:
            await asyncio.gather(*(run.writer.save(verdict) for verdict in batch))

        with asyncio.Runner() as runner:
            store = runner.run(CrawlStore.open(tmp_path / "crawl.db", settings))
            admission = Admission(Scope("host", config.canonical_seeds), Horizon(depth=None))
            run = runner.run(begin(store))
            rounds(benchmark, lambda batch: runner.run(save(store, batch)), each=lambda: next(batches))
            runner.run(store.close())


def verdicts() -> Iterator[list[Done]]:
    """Batches of a breadth-first crawl: of each page's links a few are new, the others recent."""
    known = 1
    for first in itertools.count(0, BATCH):
        batch = []
        for number in range(first, first + BATCH):
            known += NEW
            targets = range(max(known - LINKS, 0), known)
            links = [Link(url_of(n), f"Page number {n}", "", True) for n in targets]
            task = FetchTask(url=url_of(number), host="localhost", depth=1)
            answer = Answer(
                status=200, fetched_at=0.0, elapsed_ms=5, content_type="text/html", body_bytes=20_000,
                content_hash=number.to_bytes(32, "big"), etag='"6af6f084-31bc"',
            )  # fmt: skip
            batch.append(
                Done(task=task, answer=answer, content=Content(links=Links.of(links), title=f"Page {number}"))
            )
        yield batch


class TestFlow:
    @pytest.mark.benchmark(group="1,000 messages")
    def test_hand_over_from_one_pool_to_the_next(self, benchmark: BenchmarkFixture) -> None:
        message = RobotsTask(origin=SITE, host="localhost")

        async def flow() -> None:
            inbox: Inbox = asyncio.Queue(64)
            pool = Pool(stage=Passing(), workers=8, inbox=inbox)
            after: asyncio.Queue[Message] = asyncio.Queue()
            workers = [asyncio.create_task(work(pool, number, after.put)) for number in range(pool.workers)]
            for _ in range(MESSAGES):
                await inbox.put(message)
            for _ in workers:
                await inbox.put(Pill.STOP)
            await asyncio.wait(workers)

        with asyncio.Runner() as runner:
            benchmark(lambda: runner.run(flow()))

    @pytest.mark.benchmark(group="1,000 messages")
    def test_lead_urls_through_the_window(self, benchmark: BenchmarkFixture) -> None:
        pending = [Pending(url_of(number), "localhost", 1, 0) for number in range(MESSAGES)]

        def lead() -> None:
            window = HostWindow(first_limit=64)
            window.add(pending)
            for _ in range(MESSAGES):
                host = window.take_ready(0.0)
                assert host is not None
                url = host.first().url
                window.start(host, now=0.0, next_start=0.0)
                window.answered(host, pause_until=0.0)
                window.forget(host.name, url)

        benchmark(lead)


class Passing:
    """A stage that does nothing."""

    name = "passing"
    is_last = False

    async def handle(self, message: Message) -> Sequence[Message]:
        return [message]
