"""App: the wiring. Every part of a crawl is built here and handed what it needs; a parts list.

May touch: every room. Nothing in this room imports it but the command line.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from penstock.crawler.config.crawl_config import CrawlConfig
from penstock.crawler.config.credentials import dropped_credentials
from penstock.crawler.config.domains import registrable_domain
from penstock.crawler.engine.body_budget import BodyBudget
from penstock.crawler.engine.engine import Stopping, crawl
from penstock.crawler.engine.malloc import keep_freed
from penstock.crawler.engine.pool import Pool
from penstock.crawler.errors import BadConfig, PenstockError
from penstock.crawler.messages import CanonicalUrl, RobotsAnswer
from penstock.crawler.monitor.loop_lag import LoopLag
from penstock.crawler.monitor.metrics import serving
from penstock.crawler.monitor.tally import Tally
from penstock.crawler.monitor.telemetry import Telemetry
from penstock.crawler.monitor.trend import Left
from penstock.crawler.monitor.watchdog import pool_lines, task_lines, warn_of_slow_plugin, watch
from penstock.crawler.output.logs import get_logger
from penstock.crawler.policies.bandwidth import Bandwidth
from penstock.crawler.policies.breaker import Breaker
from penstock.crawler.policies.budget import Budget
from penstock.crawler.policies.politeness import Politeness
from penstock.crawler.policies.reach import Horizon
from penstock.crawler.policies.retry import Retry
from penstock.crawler.policies.robots import RobotsPolicy
from penstock.crawler.policies.robots_txt import product_token
from penstock.crawler.policies.scope import Scope
from penstock.crawler.policies.sessions import Sessions
from penstock.crawler.policies.traps import Traps
from penstock.crawler.ports import Extractor, ParseMarker, Stage, Totals
from penstock.crawler.run_result import Report, exit_code, peak_memory, worst
from penstock.crawler.scheduler.admission import Admission
from penstock.crawler.scheduler.clock import Clock
from penstock.crawler.scheduler.frontier import Frontier
from penstock.crawler.scheduler.robots_cache import RobotsRules
from penstock.crawler.scheduler.seen import SeenFilter
from penstock.crawler.snapshot import Snapshot
from penstock.stages.extractors.fields.plan import plan_of
from penstock.stages.extractors.html import HtmlExtractor
from penstock.stages.fetch import FetchStage
from penstock.stages.fetchers.plain import PlainFetcher, PlainOptions
from penstock.stages.fetchers.prober import Prober
from penstock.stages.parse import ParseStage
from penstock.stages.store import StoreStage
from penstock.stages.workers.worker_pool import WorkerPool
from penstock.storage.writing.crawl_store import CrawlSettings, CrawlStore, OpenRun

if TYPE_CHECKING:
    from penstock.crawler.policies.rewrite import Rewrite
    from penstock.stages.extractors.fields.field_extractor import FieldExtractor
    from penstock.stages.extractors.fields.plan import Plan

MAX_RESULT_BYTES = 32 << 20  # of what was read and is not stored yet
MAX_SITEMAP_BYTES = 50 << 20  # sitemaps.org: 50 MiB, uncompressed

log = get_logger()


class Crawl:
    """One run of one crawl: `await Crawl(CrawlConfig(seeds=[URL])).run()`.

    The same configuration on the same database continues where the last run ended.

    `fetchers`, `documents` and `exports` are plugs by name: fetch tiers, kinds of document and
    export formats. A given object replaces the built-in or installed plug of the same name
    (see `penstock.crawler.plugs`). `extractor` and `seen` replace the built-in ones, for tests.

    Raises BadConfig for a cookie file that cannot be read, an invalid selector, a plugin that
    cannot be loaded, or plugs that are no mapping from names to objects.
    """

    def __init__(
        self,
        config: CrawlConfig,
        *,
        fetchers: Mapping[str, object] | None = None,
        documents: Mapping[str, object] | None = None,
        exports: Mapping[str, object] | None = None,
        extractor: Extractor | None = None,
        seen: SeenFilter | None = None,
    ) -> None:
        self._config = config
        self._fetchers = given_plugs("fetchers", fetchers)
        self._documents = given_plugs("documents", documents)
        self._exports = given_plugs("exports", exports)
        self._fetching = plain_options(config)
        self._extractor = extractor
        self._seen = seen
        self._plan = plan = plan_of(config)
        self._fields = field_extractor_of(plan)
        self._rewrite = rewrite_of(config)
        self._robots = RobotsPolicy(token=product_token(config.agent))
        self._stopping = Stopping()
        self._lag = LoopLag()
        self._tally = Tally()
        self._telemetry = Telemetry(self._tally, stopping=lambda: self._stopping.reason)
        self._pools: list[Pool] = []
        self._frontier: Frontier | None = None
        self._started = time.monotonic()

    def stop(self, reason: str) -> None:
        """End the run: gently the first time, at once the second. Safe from a signal handler."""
        self._stopping.request(reason)

    def snapshot(self) -> Snapshot:
        """How the run stands. Valid at any time."""
        return self._telemetry.snapshot()

    def describe(self) -> list[str]:
        """What every stage and every task is doing at this moment, a line each."""
        frontier = [repr(self._frontier)] if self._frontier is not None else []
        return [*frontier, *pool_lines(self._pools), *task_lines()]

    async def run(self) -> Report:
        """Crawl until finished, stopped or out of budget. Raises PenstockError.

        What was committed before an error stays; the same configuration resumes it.
        """
        config = self._config
        self._started = time.monotonic()
        keep_freed()
        settings = CrawlSettings(
            identity=config.identity(),
            seeds=self._rewritten(config.canonical_seeds),
            sitemaps=config.canonical_sitemaps,
            robots=not config.no_robots,
            retry_failed=config.retry_failed,
            public=config.public(),
            durable=config.durable,
            search=config.search,
            resources=config.resources,
            longest_wait=max(config.max_retry_after, Retry(first_wait=config.retry_delay).longest),
        )
        async with serving(config.metrics_port, self._telemetry):
            store = await CrawlStore.open(config.path, settings)
            try:
                return await self._run(store, settings)
            finally:
                await store.close()

    async def _run(self, store: CrawlStore, settings: CrawlSettings) -> Report:
        config = self._config
        scope = Scope(config.scope, settings.seeds, config.included, config.excluded, registrable_domain)
        admission = Admission(scope, Horizon(depth=config.depth), None if config.no_traps else Traps())
        seen = self._seen
        if seen is None:
            seen = SeenFilter(capacity=self._expected_urls(store.known_urls), loaded=not store.known_urls)
        run = await store.begin(
            settings, admission, seen, max_batch=config.storers, on_commit=self._tally.committed
        )
        totals = await store.totals()
        self._tally.begin(totals)
        nothing_to_do = store.resumed and not await run.frontier.unfinished()
        reason = "error"
        filling = asyncio.create_task(store.fill_seen(seen), name="fill-seen")
        try:
            if nothing_to_do:
                run.clear_marks()
            else:
                if missing := dropped_credentials(store.last_config, settings.public):
                    log.warning("resumed_without", options=missing)
                await self._flow(run, totals)
            reason = await self._why_ended(run)
        finally:
            self._stopping.detach()
            filling.cancel()
            await asyncio.gather(filling, return_exceptions=True)
            await note_end(store, reason)
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
            bottleneck=self._telemetry.bottleneck(),
        )

    async def _flow(self, run: OpenRun, totals: Totals) -> None:
        """Let the crawl run through its pools."""
        config, clock = self._config, Clock()
        retry = Retry(
            retries=config.retries, first_wait=config.retry_delay, max_retry_after=config.max_retry_after
        )
        self._frontier = run.writer.clocks = self._new_frontier(run, totals, retry, clock)
        telemetry = run.writer.samples.source = self._telemetry
        marks = run.open_marks(config.parsers)  # first: it may fail, and nothing is open yet
        fetcher = PlainFetcher(self._fetching, BodyBudget(config.body_memory))
        results = BodyBudget(MAX_RESULT_BYTES)
        workers = WorkerPool(max(config.processes - 1, 1), plan=self._plan, results=results)
        results.on_release = workers.dispatch
        stages = self._stages(run, fetcher, workers, results, marks, retry, clock)
        self._pools = [
            Pool(stage=stage, workers=workers, inbox=asyncio.Queue(config.queue_size))
            for stage, workers in zip(stages, (config.fetchers, config.parsers, config.storers), strict=True)
        ]
        if config.max_time is not None:
            left = config.max_time - (time.monotonic() - self._started)
            self._stopping.request_after(left, "max_time")
        limits = Left.of(config, totals)
        telemetry.begin(self._frontier, self._pools, limits, started=self._started, lag=self._lag)
        watcher = watch(self._pools, self._frontier, lambda: self._tally.verdicts)
        watchers = (watcher, self._lag.run(), telemetry.run(run.writer.samples.hurry))
        beside = [asyncio.create_task(each) for each in watchers]
        try:
            await crawl(self._frontier, self._pools, self._stopping, grace=config.grace)
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if not self._stopping.aborted or current is None:
                raise
            current.uncancel()  # it was our own second signal, and it has done its work
        except BaseExceptionGroup as group:
            raise worst(group) from group
        finally:
            for task in beside:
                task.cancel()
            telemetry.end()
            await fetcher.close()
            await workers.close()
            marks.close()

    def _new_frontier(self, run: OpenRun, totals: Totals, retry: Retry, clock: Clock) -> Frontier:
        config = self._config
        return Frontier(
            run.frontier,
            politeness=Politeness(
                per_host=config.per_host,
                delay=config.delay,
                rate=config.rate,
                adaptive=config.throttle == "adaptive",
                max_pause=config.max_retry_after,
            ),
            budget=Budget(
                max_pages=config.max_pages,
                max_bytes=config.max_bytes,
                max_pages_per_host=config.max_pages_per_host,
            ),
            retry=retry,
            breaker=Breaker(),
            robots=None if config.no_robots else self._robots,
            clock=clock,
            totals=totals,
            suspects=run.poison_pages,
            fetchers=config.fetchers,
            lag=self._lag,
            sessions=None if config.no_traps else Sessions(),
        )

    def _stages(
        self,
        run: OpenRun,
        fetcher: PlainFetcher,
        workers: WorkerPool,
        results: BodyBudget,
        marks: ParseMarker,
        retry: Retry,
        clock: Clock,
    ) -> tuple[Stage[Any], ...]:
        assert self._frontier is not None
        fetch = FetchStage(
            fetchers={"plain": fetcher},
            gate=self._frontier,
            robots_fetcher=fetcher.for_any_type(self._robots.max_bytes),
            sitemap_fetcher=fetcher.for_any_type(MAX_SITEMAP_BYTES),
            resource_fetcher=Prober(fetcher),
            robots=self._robots,
        )
        parse = ParseStage(
            extractor=self._extractor or HtmlExtractor(fields=self._fields),
            marker=marks,
            workers=workers if self._extractor is None else None,
            # A plugin without a name is known to this process alone.
            share=self._config.processes > 1 and (self._fields is None or self._fields.portable),
            results=results,
            rewrite=self._rewrite,
            token=self._robots.token,
            keep_bodies=self._config.save_bodies,
        )
        store = StoreStage(
            store=run.writer,
            frontier=self._frontier,
            retry=retry,
            clock=clock,
            sitemaps_of=self._sitemaps_of,
            on_verdict=self._tally.settled,
        )
        return fetch, parse, store

    def _rewritten(self, urls: Sequence[CanonicalUrl]) -> Sequence[CanonicalUrl]:
        return urls if self._rewrite is None else list(dict.fromkeys(map(self._rewrite, urls)))

    def _sitemaps_of(self, answer: RobotsAnswer) -> Sequence[CanonicalUrl]:
        return RobotsRules.of(answer, self._robots).sitemaps

    def _expected_urls(self, known: int) -> int:
        """How many URLs the seen set should be ready for: budgets and tables hint at it."""
        return max(2 * known, 20 * (self._config.max_pages or 0))

    async def _why_ended(self, run: OpenRun) -> str:
        if not await run.frontier.unfinished():
            return "finished"
        if self._stopping.reason is not None:
            return self._stopping.reason
        assert self._frontier is not None
        return self._frontier.spent or "finished"


def given_plugs(keyword: str, plugs: Mapping[str, object] | None) -> Mapping[str, object]:
    """Copy the plugs given to `Crawl`, by name. Raises BadConfig if it is no mapping from str."""
    if plugs is None:
        return {}
    if not isinstance(plugs, Mapping) or not all(isinstance(name, str) and name for name in plugs):
        raise BadConfig(f"{keyword}: must map names to objects, such as {{'name': object}}")
    return dict(plugs)


def plain_options(config: CrawlConfig) -> PlainOptions:
    cookies = None
    if config.cookies is not None:
        from penstock.crawler.config.cookie_file import load_cookies

        cookies = load_cookies(config.cookies, config.credential_origins)
    return PlainOptions(
        user_agent=config.agent,
        headers=dict(config.headers),
        header_origins=config.credential_origins,
        cookies=cookies,
        proxy=config.exit,
        timeout=config.timeout,
        max_body=config.max_body,
        keep_bodies=config.save_bodies,
        public_only=config.public_only,
        bandwidth=None if config.bandwidth is None else Bandwidth(config.bandwidth),
    )


def field_extractor_of(plan: Plan | None) -> FieldExtractor | None:
    """What gathers by the plan; None if nothing is wanted of pages but their links."""
    if plan is None:
        return None
    from penstock.stages.extractors.fields.field_extractor import FieldExtractor

    return FieldExtractor(plan, on_slow=warn_of_slow_plugin)


def rewrite_of(config: CrawlConfig) -> Rewrite | None:
    """The operator's URL rules; None, which costs nothing, if there are none."""
    if not (config.strip_param or config.strip_sessions or config.sort_query or config.fold_index):
        return None
    from penstock.crawler.policies.rewrite import Rewrite

    return Rewrite(config.strip_param, config.strip_sessions, config.sort_query, config.fold_index)


async def note_end(store: CrawlStore, reason: str) -> None:
    """Note in the file how the run ended. After an error the file may be what failed."""
    try:
        await store.finish(reason, peak_memory(), wait_for_lock=reason != "error")
    except PenstockError as error:
        if reason != "error":
            raise
        # The error that ended the run is told by whoever called it; this one is only its echo.
        log.debug("run_end_not_noted", error=str(error))
