"""App: the wiring. Every part of a crawl is built here and handed what it needs; a parts list.

May touch: every room. Nothing in this room imports it but the command line.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from crawler.admission import Admission
from crawler.clock import Clock
from crawler.config import CrawlConfig
from crawler.ending import Report, exit_code, peak_memory, worst
from crawler.engine import Stopping, crawl
from crawler.errors import PenstockError
from crawler.frontier import Frontier
from crawler.logs import get_logger
from crawler.memory import BodyBudget
from crawler.messages import Verdict
from crawler.policies.breaker import Breaker
from crawler.policies.budget import Budget
from crawler.policies.politeness import Politeness
from crawler.policies.reach import Horizon
from crawler.policies.retry import Retry
from crawler.policies.robots import RobotsPolicy
from crawler.policies.scope import Scope
from crawler.pool import Pool
from crawler.ports import Extractor, ParseMarker, Saved, Stage, Totals
from crawler.seen import SeenFilter
from crawler.stats import QueueDepth, Snapshot
from crawler.tally import Tally
from crawler.watch import pool_line, task_lines, watch
from stages.extractors.children import Children
from stages.extractors.html import HtmlExtractor
from stages.fetch import FetchStage
from stages.fetchers.plain import PlainFetcher, PlainOptions
from stages.parse import ParseStage
from stages.store import StoreStage
from storage.crawl_store import CrawlSettings, CrawlStore, OpenRun

ROBOTS = RobotsPolicy()

log = get_logger()


class Crawl:
    """One run of one crawl: `await Crawl(CrawlConfig(seeds=[URL])).run()`.

    The same configuration on the same database goes on where the last run ended.
    `extractor` and `seen` replace the built-in ones.
    """

    def __init__(
        self, config: CrawlConfig, *, extractor: Extractor | None = None, seen: SeenFilter | None = None
    ) -> None:
        self._config = config
        self._extractor = extractor
        self._seen = seen
        self._stopping = Stopping()
        self._tally = Tally(pending=0)
        self._pools: list[Pool] = []
        self._frontier: Frontier | None = None
        self._started = time.monotonic()

    def stop(self, reason: str) -> None:
        """End the run: gently the first time, at once the second. Safe from a signal handler."""
        self._stopping.request(reason)

    def snapshot(self) -> Snapshot:
        """How the run stands. Valid at any time."""
        tally, frontier = self._tally, self._frontier
        return Snapshot(
            elapsed_s=time.monotonic() - self._started,
            requests=tally.requests,
            pages=tally.pages,
            bytes=tally.bytes,
            failed=tally.failed,
            retries=tally.retries,
            pending=tally.pending,
            in_flight=frontier.leased if frontier is not None else 0,
            hosts=frontier.hosts if frontier is not None else 0,
            queues={p.stage.name: QueueDepth(p.inbox.qsize(), p.inbox.maxsize) for p in self._pools},
            stopping=self._stopping.reason,
        )

    def describe(self) -> list[str]:
        """What every stage and every task is doing at this moment, a line each."""
        frontier = [repr(self._frontier)] if self._frontier is not None else []
        return [*frontier, *map(pool_line, self._pools), *task_lines()]

    async def run(self) -> Report:
        """Crawl until finished, stopped or out of budget. Raises PenstockError.

        What was committed before an error stays; the same configuration resumes it.
        """
        config = self._config
        self._started = time.monotonic()
        settings = CrawlSettings(
            identity=config.identity(),
            seeds=config.canonical_seeds,
            robots=not config.no_robots,
            retry_failed=config.retry_failed,
            public=config.public(),
            durable=config.durable,
        )
        store = await CrawlStore.open(config.path, settings)
        try:
            return await self._run(store, settings)
        finally:
            await store.close()

    async def _run(self, store: CrawlStore, settings: CrawlSettings) -> Report:
        config = self._config
        scope = Scope(config.scope, settings.seeds, config.include_patterns, config.exclude_patterns)
        admission = Admission(scope, Horizon(depth=config.depth))
        seen = self._seen
        if seen is None:
            seen = SeenFilter(capacity=self._expected_urls(store.known_urls), loaded=not store.known_urls)
        run = await store.begin(
            settings, admission, seen, max_batch=config.storers, on_commit=self._committed
        )
        totals = await store.totals()
        self._tally = Tally(pending=totals.states["pending"])
        nothing_to_do = store.resumed and not totals.states["pending"]
        reason = "error"
        filling = asyncio.create_task(store.fill_seen(seen), name="fill-seen")
        try:
            if not nothing_to_do:
                await self._flow(run, totals)
            reason = await self._why_ended(run)
        finally:
            self._stopping.detach()
            filling.cancel()
            await asyncio.gather(filling, return_exceptions=True)
            await _note_end(store, reason)
        totals = await store.totals()
        return Report(
            exit_code=exit_code(
                reason, first_run=run.id == 1, pages=totals.pages, internal=self._tally.internal
            ),
            stop_reason=reason,
            run_id=run.id,
            totals=totals,
            elapsed_s=time.monotonic() - self._started,
            resumed=store.resumed,
            nothing_to_do=nothing_to_do,
            this_run=self.snapshot(),
        )

    async def _flow(self, run: OpenRun, totals: Totals) -> None:
        """Let the crawl run through its pools."""
        config, clock = self._config, Clock()
        retry = Retry(
            retries=config.retries, first_wait=config.retry_delay, max_retry_after=config.max_retry_after
        )
        self._frontier = run.writer.clocks = self._new_frontier(run, totals, retry, clock)
        fetcher = PlainFetcher(plain_options(config), BodyBudget(config.body_memory))
        children = Children(max(config.processes - 1, 1))
        marks = run.open_marks(config.parsers)
        stages = self._stages(run, fetcher, children, marks, retry, clock)
        self._pools = [
            Pool(stage=stage, workers=workers, inbox=asyncio.Queue(config.queue_size))
            for stage, workers in zip(stages, (config.fetchers, config.parsers, config.storers), strict=True)
        ]
        timer = self._time_limit()
        watcher = asyncio.create_task(watch(self._pools, self._frontier, self._settled), name="watch")
        try:
            await crawl(self._frontier, self._pools, self._stopping, grace=config.grace)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not self._stopping.aborted or task is None:
                raise
            task.uncancel()  # it was our own second signal, and it has done its work
        except BaseExceptionGroup as group:
            raise worst(group) from group
        finally:
            if timer is not None:
                timer.cancel()
            watcher.cancel()
            await fetcher.close()
            await children.close()
            marks.close()

    def _new_frontier(self, run: OpenRun, totals: Totals, retry: Retry, clock: Clock) -> Frontier:
        config = self._config
        return Frontier(
            run.frontier,
            politeness=Politeness(
                per_host=config.per_host,
                delay=config.delay,
                adaptive=config.throttle == "adaptive",
                max_pause=config.max_retry_after,
            ),
            budget=Budget(max_pages=config.max_pages, max_bytes=config.max_bytes),
            retry=retry,
            breaker=Breaker(),
            robots=None if config.no_robots else ROBOTS,
            clock=clock,
            totals=totals,
            suspects=run.suspects,
        )

    def _stages(
        self,
        run: OpenRun,
        fetcher: PlainFetcher,
        children: Children,
        marks: ParseMarker,
        retry: Retry,
        clock: Clock,
    ) -> tuple[Stage[Any], ...]:
        assert self._frontier is not None
        fetch = FetchStage(
            fetchers={"plain": fetcher},
            gate=self._frontier,
            robots_fetcher=fetcher.for_robots(ROBOTS.max_bytes),
            robots=ROBOTS,
        )
        parse = ParseStage(
            extractor=self._extractor if self._extractor is not None else HtmlExtractor(),
            marker=marks,
            readers=children if self._extractor is None else None,
            share=self._config.processes > 1,
            keep_bodies=self._config.save_bodies,
        )
        store = StoreStage(
            store=run.writer, frontier=self._frontier, retry=retry, clock=clock, on_verdict=self._noted
        )
        return fetch, parse, store

    def _committed(self, saved: Saved) -> None:
        self._tally.committed(saved)

    def _noted(self, verdict: Verdict) -> None:
        self._tally.settled(verdict)

    def _settled(self) -> int:
        return self._tally.requests

    def _expected_urls(self, known: int) -> int:
        """How many URLs the seen set should be ready for: budgets and tables hint at it."""
        return max(2 * known, 20 * (self._config.max_pages or 0))

    def _time_limit(self) -> asyncio.TimerHandle | None:
        if self._config.max_time is None:
            return None
        left = self._config.max_time - (time.monotonic() - self._started)

        def out_of_time() -> None:
            if self._stopping.reason is None:
                self._stopping.request("max_time")

        return asyncio.get_running_loop().call_later(max(left, 0.0), out_of_time)

    async def _why_ended(self, run: OpenRun) -> str:
        if not await run.frontier.unfinished():
            return "finished"
        if self._stopping.reason is not None:
            return self._stopping.reason
        assert self._frontier is not None
        return self._frontier.spent or "finished"


def plain_options(config: CrawlConfig) -> PlainOptions:
    return PlainOptions(
        user_agent=config.agent,
        headers=dict(config.headers),
        timeout=config.timeout,
        max_body=config.max_body,
        keep_bodies=config.save_bodies,
    )


async def _note_end(store: CrawlStore, reason: str) -> None:
    """Note in the file how the run ended. After an error the file may be what failed."""
    try:
        await store.finish(reason, peak_memory())
    except PenstockError as error:
        if reason != "error":
            raise
        log.warning("run_end_not_noted", error=str(error))
