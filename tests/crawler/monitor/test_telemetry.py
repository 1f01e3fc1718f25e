"""Telemetry: the measurements of a run, what is calculated from them, and that they stay small on disk."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from msgspec.structs import replace

from penstock import Crawl, CrawlConfig
from penstock.crawler.engine.pool import Pool, StageMeter
from penstock.crawler.errors import StorageFailed
from penstock.crawler.messages import Message
from penstock.crawler.monitor.estimates import HOLDS, Progress, RemainingBudget, Throughput, find_bottleneck
from penstock.crawler.monitor.run_counts import RunCounts
from penstock.crawler.monitor.telemetry import MAX_UNWRITTEN, WRITE_AFTER, Telemetry, describe_slowdown
from penstock.crawler.ports import Saved, Totals
from penstock.crawler.scheduler.frontier import Frontier
from penstock.crawler.snapshot import HostView, LiveEvent, Sample, Snapshot, StageView
from penstock.storage.database.database import Database
from penstock.storage.writing.telemetry_samples import TelemetrySamples
from tests.support.app_server import serving
from tests.support.crawls import crawl, rows
from tests.support.fakes import MemoryCrawl, done, task
from tests.support.frontier_rig import Rig
from tests.support.open_store import SEED, stored
from tests.support.synthetic_web import SyntheticWeb

IDLE = StageView(waiting=0, bound=64, busy=0, workers=64, handled=1_000)
FULL = StageView(waiting=50, bound=64, busy=60, workers=64, handled=1_000)
PILED_UP = StageView(waiting=20, bound=64, busy=40, workers=64, handled=1_000)
ALL_BUSY = StageView(waiting=3, bound=64, busy=63, workers=64, handled=1_000)


class TestMeter:
    def test_busy_time_includes_messages_that_are_not_finished(self) -> None:
        meter = StageMeter()
        meter.begin(10.0)
        meter.begin(11.0)
        meter.end(10.0, 14.0)

        assert (meter.busy, meter.handled, meter.busy_s(15.0)) == (1, 1, 8.0)

    def test_each_message_counts_in_one_bucket_of_its_duration(self) -> None:
        meter = StageMeter()
        for took in (0.001, 0.005, 0.006, 99.0):
            meter.begin(0.0)
            meter.end(0.0, took)

        assert meter.buckets[:2] == [2, 1]
        assert meter.buckets[-1] == 1
        assert sum(meter.buckets) == meter.handled


class TestThroughput:
    def trend(self, *looks: Progress) -> Throughput:
        trend = Throughput(looks[0])
        for look in looks[1:]:
            trend.add(look)
        return trend

    def test_throughput_is_that_of_the_last_seconds(self) -> None:
        """An average since the start would hide that a crawl has stopped."""
        looks = [Progress(at=second, pages=min(second, 50) * 10) for second in range(100)]

        assert self.trend(*looks).pages_per_s(looks[-1]) == 0
        assert self.trend(*looks[:40]).pages_per_s(looks[39]) == 10

    def test_throughput_is_zero_before_any_time_has_passed(self) -> None:
        assert self.trend(Progress()).pages_per_s(Progress(pages=5)) == 0

    def test_the_time_left_is_unknown_while_the_frontier_grows(self) -> None:
        now = Progress(at=5, settled=100, pending=900)

        assert self.trend(Progress(pending=500)).left_s(now, RemainingBudget()) is None

    def test_a_frontier_that_no_longer_grows_ends_when_it_is_empty(self) -> None:
        now = Progress(at=5, settled=100, pending=400)

        assert self.trend(Progress(pending=500)).left_s(now, RemainingBudget()) == 20

    @pytest.mark.parametrize(
        ("left", "seconds"),
        [
            (RemainingBudget(pages=300), 10.0),
            (RemainingBudget(bytes=3_000), 10.0),
            (RemainingBudget(seconds=30), 25.0),
            (RemainingBudget(pages=300, seconds=8), 3.0),
            (RemainingBudget(pages=50), 0.0),
            (RemainingBudget(seconds=1), 0.0),
        ],
    )
    def test_the_time_left_is_that_of_the_budget_that_ends_first(
        self, left: RemainingBudget, seconds: float
    ) -> None:
        now = Progress(at=5, pages=100, bytes=1_000, settled=100, pending=9_000)

        assert self.trend(Progress(pending=500)).left_s(now, left) == seconds

    def test_the_time_left_is_unknown_in_the_first_two_seconds(self) -> None:
        now = Progress(at=1, pages=10, settled=10, pending=90)

        assert self.trend(Progress(pending=100)).left_s(now, RemainingBudget(pages=20)) is None

    def test_a_budget_is_less_what_earlier_runs_spent(self) -> None:
        class Config:
            max_pages, max_bytes, max_time = 100, None, 60.0

        assert RemainingBudget.of(Config(), Totals(pages=40)) == RemainingBudget(60, None, 60.0)


class TestBottleneck:
    @pytest.mark.parametrize(
        ("fetch", "parse", "store", "loop_busy", "named"),
        [
            (IDLE, IDLE, IDLE, 0.1, "server/politeness "),
            (IDLE, FULL, IDLE, 0.1, "parse "),
            (IDLE, FULL, FULL, 0.9, "store "),  # the later one made the earlier one wait
            (ALL_BUSY, IDLE, IDLE, 0.1, "fetch "),
            (IDLE, IDLE, PILED_UP, 0.1, "store "),
            (IDLE, IDLE, ALL_BUSY, 0.9, "the event loop "),  # who waits for the loop is busy too
        ],
    )
    def test_the_bottleneck_is_the_part_that_the_others_wait_for(
        self, fetch: StageView, parse: StageView, store: StageView, loop_busy: float, named: str
    ) -> None:
        said = find_bottleneck({"fetch": fetch, "parse": parse, "store": store}, loop_busy)

        assert said is not None
        assert said.startswith(named)
        assert len(said) <= 66  # with its heading it fits into a line of a terminal

    @pytest.mark.parametrize(
        ("held_by", "named"),
        [
            ("rate", "your --rate "),
            ("delay", "your --delay "),
            ("bandwidth", "your --bandwidth "),
            ("crawl_delay", "robots.txt Crawl-delay "),
            ("dead", "a host without answers "),
            ("retry", "retries of failed URLs "),
        ],
    )
    def test_each_limit_of_an_idle_crawl_has_words_of_its_own(self, held_by: str, named: str) -> None:
        said = find_bottleneck({"fetch": IDLE, "parse": IDLE, "store": IDLE}, 0.1, held_by=held_by)

        assert said is not None
        assert said.startswith(named)
        assert len(said) <= 66

    def test_every_hold_has_words(self) -> None:
        assert set(HOLDS) == {"rate", "delay", "bandwidth", "crawl_delay", "dead", "retry"}

    def test_the_operators_own_bandwidth_keeps_the_fetchers_busy(self) -> None:
        said = find_bottleneck({"fetch": ALL_BUSY, "parse": IDLE, "store": IDLE}, 0.1, held_by="bandwidth")

        assert said is not None
        assert said.startswith("your --bandwidth ")

    def test_a_loop_that_is_late_and_not_busy_gets_no_processor(self) -> None:
        said = find_bottleneck({"fetch": IDLE, "parse": IDLE, "store": IDLE}, 0.3, lag=0.12)

        assert said == "the processor, used by others (event loop 30%, late by 120 ms)"

    @pytest.mark.parametrize(
        ("options", "named"),
        [
            ({"rate": 20.0}, "your --rate "),
            ({"delay": 0.05}, "your --delay "),
            ({"bandwidth": 8_000.0}, "your --bandwidth "),
            ({"robots": "User-agent: *\nCrawl-delay: 0.1"}, "robots.txt Crawl-delay "),
        ],
    )
    async def test_a_crawl_names_the_limit_that_it_ran_into(
        self, tmp_path: Path, options: dict[str, Any], named: str
    ) -> None:
        robots = options.pop("robots", "")

        async def answer(request: web.Request) -> web.Response:
            if request.path == "/robots.txt":
                return web.Response(text=robots)
            links = "".join(f"<a href=/{number}>x</a>" for number in range(12))
            return web.Response(text=links + "x" * 500, content_type="text/html")

        async with serving(answer) as url:
            options |= {"throttle": "adaptive", "no_robots": not robots}
            report = await crawl(seeds=[url], db=tmp_path / "a.db", **options)

        assert (report.bottleneck or "").startswith(named)

    def test_a_run_that_did_nothing_has_no_bottleneck(self) -> None:
        assert find_bottleneck({"fetch": IDLE._replace(handled=0)}, 0.0) is None


class TestSlowdown:
    HOST = HostView("h", active=4, limit=8)

    @pytest.mark.parametrize(
        ("now", "said"),
        [
            (HOST._replace(limit=4), ["slower 4 at once, not 8  h"]),
            (HOST._replace(rate=2.5), ["slower 2.5 a second at most  h"]),
            (HOST._replace(pause_s=30.0), ["paused 30 s  h"]),
            (HOST._replace(limit=9, active=9), []),
            (HOST._replace(pause_s=0.3), []),
        ],
    )
    def test_a_lower_limit_of_a_host_is_described(self, now: HostView, said: list[str]) -> None:
        assert describe_slowdown(self.HOST, now) == said

    def test_a_higher_limit_of_a_host_is_not_described(self) -> None:
        assert describe_slowdown(self.HOST._replace(rate=2.0), self.HOST._replace(rate=3.0)) == []


class TestRunCounts:
    def test_pending_and_skipped_urls_are_counted_over_the_whole_crawl(self) -> None:
        counts = RunCounts()
        counts.start_from(Totals(states={"pending": 5, "skipped": 7}))

        counts.count_commit(Saved(pending=2, skipped=-1))

        assert (counts.pending, counts.skipped) == (7, 6)


SNAPSHOT = Snapshot(
    elapsed_s=1.5,
    stages={"fetch": IDLE},
    busiest=[HostView("h", 1, 2, None, 0.5, True)],
    events=[LiveEvent(1.0, "x")],
    failures={"dns": 2},
)


class TestSnapshot:
    def test_a_snapshot_goes_through_json_unchanged(self) -> None:
        assert Snapshot.from_json(SNAPSHOT.to_json()) == SNAPSHOT

    def test_fields_of_another_version_are_left_out_of_a_snapshot(self) -> None:
        text = json.dumps({**json.loads(SNAPSHOT.to_json()), "mood": "good"})

        assert Snapshot.from_json(text) == SNAPSHOT

    @pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"stages": 5}', "[" * 100_000])
    def test_text_that_is_no_snapshot_is_a_value_error(self, text: str) -> None:
        with pytest.raises(ValueError):  # noqa: PT011  # any
            Snapshot.from_json(text)


class Source:
    """A run whose samples are written."""

    def __init__(self) -> None:
        self.waiting: list[Sample] = []

    def unwritten(self) -> Sequence[Sample]:
        waiting, self.waiting = self.waiting, []
        return waiting

    def snapshot(self) -> Snapshot:
        return SNAPSHOT


SAMPLE = Sample(
    at=1_795_172_040, requests=1, pages=1, bytes=1, failed=0, pending=0, skipped=0, in_flight=0, hosts=1,
    hosts_held_back=0, lag_ms=0.5, loop_busy=0.5, stages={"fetch": IDLE, "parse": FULL},
)  # fmt: skip


class TestSamples:
    async def saved(self, path: Path, *times: int) -> None:
        database = await Database.open(path)
        try:
            await database.run("INSERT INTO runs (id, started_at, config) VALUES (1, '', '')")
            source = Source()
            samples = TelemetrySamples(database, 1, source)
            for at in times:
                source.waiting.append(replace(SAMPLE, at=at))
                await samples.commit()
        finally:
            await database.close()

    async def test_each_sample_becomes_one_row_per_stage(self, tmp_path: Path) -> None:
        await self.saved(tmp_path / "a.db", SAMPLE.at, SAMPLE.at + 1)

        found = rows(tmp_path / "a.db", "SELECT at, run, stage, queue_depth, busy, loop_busy FROM telemetry")
        assert found[1:3] == [
            ("2026-11-20T10:54:00Z", 1, "parse", 50.0, 60.0, 0.5),
            ("2026-11-20T10:54:01Z", 1, "fetch", 0.0, 0.0, 0.5),
        ]

    async def test_samples_are_kept_for_an_hour_and_one_a_minute_for_a_week(self, tmp_path: Path) -> None:
        """However long a crawl runs, its telemetry stays a few megabytes."""
        hour, week, now = 3_600, 7 * 86_400, SAMPLE.at
        times = [
            now - week - 60,  # too old
            now - week + 60, now - week + 61,  # of a minute only the first is kept
            now - hour - 60, now - hour - 59,
            now - hour + 1, now - hour + 2, now,
        ]  # fmt: skip
        await self.saved(tmp_path / "a.db", *times)

        kept = [at for (at,) in rows(tmp_path / "a.db", "SELECT at FROM sample ORDER BY at")]
        assert kept == [times[1], times[3], *times[5:]]
        assert rows(tmp_path / "a.db", "SELECT count(*) FROM stage_sample") == [(2 * len(kept),)]

    async def test_samples_of_a_clock_that_was_set_back_replace_the_older_ones(self, tmp_path: Path) -> None:
        await self.saved(tmp_path / "a.db", SAMPLE.at, SAMPLE.at - 1, SAMPLE.at)

        assert rows(tmp_path / "a.db", "SELECT count(*) FROM sample") == [(2,)]

    async def test_samples_that_cannot_be_written_are_lost_without_an_error(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def full(database: Database, sql: str, rows: object) -> None:
            raise StorageFailed("the disk is full")

        monkeypatch.setattr(Database, "run_many", full)

        await self.saved(tmp_path / "a.db", SAMPLE.at)

        assert rows(tmp_path / "a.db", "SELECT count(*) FROM sample") == [(0,)]


class TestTheWriter:
    async def test_samples_are_written_with_the_commit_of_a_page(self, tmp_path: Path) -> None:
        source = Source()
        async with stored(tmp_path / "a.db", end=None, telemetry=source) as file:
            source.waiting.append(SAMPLE)
            await file.save(done(task(SEED)))

            assert rows(tmp_path / "a.db", "SELECT count(*) FROM telemetry") == [(2,)]

    async def test_samples_have_a_commit_of_their_own_when_no_page_comes(self, tmp_path: Path) -> None:
        """A crawl that waits for its hosts is alive, and `status` can tell."""
        source = Source()
        async with stored(tmp_path / "a.db", end=None, telemetry=source) as file:
            source.waiting.append(SAMPLE)
            file.run.writer.request_flush()
            await file.run.writer.close()

            assert rows(tmp_path / "a.db", "SELECT count(*) FROM telemetry") == [(2,)]

    async def test_a_bug_in_a_snapshot_does_not_lose_the_page_of_its_commit(self, tmp_path: Path) -> None:
        class Broken(Source):
            def snapshot(self) -> Snapshot:
                raise KeyError

        source = Broken()
        async with stored(tmp_path / "a.db", telemetry=source) as file:
            source.waiting.append(SAMPLE)
            await file.save(done(task(SEED)))

        assert rows(tmp_path / "a.db", "SELECT url FROM pages") == [(SEED,)]

    async def test_the_last_samples_are_written_with_the_end_of_the_run(self, tmp_path: Path) -> None:
        source = Source()
        async with stored(tmp_path / "a.db", telemetry=source):
            source.waiting.append(SAMPLE)

        assert rows(tmp_path / "a.db", "SELECT count(*) FROM telemetry") == [(2,)]


class Step:
    """A stage that does nothing."""

    name = "parse"
    is_last = False

    async def handle(self, message: Message) -> list[Message]:
        return []


class TestMeasuring:
    def watched(self) -> tuple[Telemetry, Pool]:
        pool = Pool(stage=Step(), workers=2, inbox=asyncio.Queue(8))
        telemetry = Telemetry(RunCounts(), Rig(MemoryCrawl()).frontier, [pool], started=0.0)
        return telemetry, pool

    async def test_samples_that_no_commit_takes_ask_for_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("penstock.crawler.monitor.telemetry.MEASURE_EVERY", 0)
        telemetry, _ = self.watched()
        due = asyncio.Event()

        looking = asyncio.create_task(telemetry.run(due.set))
        async with asyncio.timeout(5):
            await due.wait()
        looking.cancel()

        assert len(telemetry.unwritten()) == WRITE_AFTER
        assert telemetry.unwritten() == ()

    async def test_unwritten_samples_are_bounded(self) -> None:
        telemetry, _ = self.watched()
        for _ in range(MAX_UNWRITTEN + 10):
            telemetry.end()

        assert len(telemetry.unwritten()) == MAX_UNWRITTEN

    async def test_a_worker_that_never_yields_to_the_event_loop_is_measured_as_busy(self) -> None:
        """A timer of the same event loop never fires while a parser is in the middle of a page."""
        telemetry, pool = self.watched()
        pool.meter.begin(time.monotonic() - 100)
        pool.meter.end(time.monotonic() - 100, time.monotonic())
        telemetry.end()

        [sample] = telemetry.unwritten()
        assert sample.stages["parse"].busy > 0
        assert sample.stages["parse"].service_ms == pytest.approx(100_000, rel=0.01)

    async def test_a_short_last_interval_is_measured_with_the_second_before(self) -> None:
        """Otherwise the last row of a run would say that no worker was busy."""
        telemetry, pool = self.watched()
        pool.meter.begin(0.0)
        pool.meter.end(0.0, 2.0)
        telemetry.end()
        telemetry.end()

        assert [sample.stages["parse"].service_ms for sample in telemetry.unwritten()] == [2_000, 2_000]

    async def test_the_wait_in_an_inbox_follows_from_its_length(self) -> None:
        """Little's law: two wait, one comes through, so each waits for two seconds' worth."""
        telemetry, pool = self.watched()
        for _ in range(2):
            pool.inbox.put_nowait(task())
        pool.meter.begin(0.0)
        pool.meter.end(0.0, 0.0)
        telemetry.end()

        [sample] = telemetry.unwritten()
        assert sample.stages["parse"].waiting == 2
        assert sample.stages["parse"].wait_ms > 0

    async def test_a_bug_in_telemetry_ends_telemetry_and_not_the_crawl(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr("penstock.crawler.monitor.telemetry.MEASURE_EVERY", 0)
        telemetry, pool = self.watched()
        monkeypatch.setattr(Frontier, "hosts_at_work", lambda frontier: 1 / 0)

        async with asyncio.timeout(5):
            await telemetry.run(lambda: None)
        telemetry.end()

        assert "telemetry_ended" in caplog.text
        assert telemetry.snapshot().stages["parse"].workers == pool.workers


class TestARun:
    def test_a_run_that_has_not_begun_has_a_snapshot(self) -> None:
        crawl = Crawl(CrawlConfig(seeds=[SEED]))
        crawl.stop("sigint")

        assert (crawl.snapshot().stages, crawl.snapshot().stopping) == ({}, "sigint")

    async def test_a_run_shorter_than_a_second_leaves_telemetry_too(self, tmp_path: Path) -> None:
        web = SyntheticWeb(seed=3, pages=5, failing=0, flaky=0, latency=0)
        async with web.serve() as site:
            report = await crawl(seeds=[site], db=tmp_path / "a.db")

        assert report.bottleneck is not None
        last = "SELECT stage, handled, pages, skipped FROM telemetry ORDER BY at DESC LIMIT 3"
        stages = {stage: tuple(rest) for stage, *rest in rows(tmp_path / "a.db", last)}
        totals = report.totals
        assert stages["fetch"] == (totals.requests, totals.pages, totals.states["skipped"])
        assert list(stages) == ["fetch", "parse", "store"]
