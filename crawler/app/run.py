"""Run: one run of a crawl. Opens the file, lets the pages flow, notes how it ended, closes the file.

May touch: the parts, the crawl's file, the engine, the tasks of the running event loop.
Never: process-wide settings. A crawl is a guest in the program that runs it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from penstock.crawler.app.parts import Blueprint, Observer, Parts, make_parts
from penstock.crawler.config.credentials import dropped_credentials
from penstock.crawler.engine.engine import Stopping, crawl
from penstock.crawler.engine.pool import StageMeter
from penstock.crawler.errors import PenstockError
from penstock.crawler.monitor.metrics import serving
from penstock.crawler.monitor.run_counts import RunCounts
from penstock.crawler.monitor.watchdog import pool_lines, task_lines, watch
from penstock.crawler.output.logs import get_logger
from penstock.crawler.ports import Fetcher, Totals
from penstock.crawler.run_result import Report, exit_code, peak_memory, tallies_of, worst
from penstock.crawler.snapshot import Snapshot
from penstock.stages.fetchers import open_fetchers
from penstock.storage.writing.crawl_store import CrawlSettings, CrawlStore, OpenRun

log = get_logger()


class Run:
    """One run, used once: `await Run(blueprint).run()`. It may be stopped before it begins."""

    def __init__(self, blueprint: Blueprint) -> None:
        self._blueprint = blueprint
        self._observer: Observer | None = None
        self.began = False
        self._stopping = Stopping()
        self._counts = RunCounts()
        self._parts: Parts | None = None
        self._started = time.monotonic()

    def stop(self, reason: str) -> None:
        """End the run: gently the first time, at once the second. Safe from a signal handler."""
        self._stopping.request(reason)

    @property
    def stopping(self) -> str | None:
        """The reason why the run winds down; None while nobody asked for it."""
        return self._stopping.reason

    def snapshot(self) -> Snapshot:
        """The state of the run at this moment. Valid at any time, also before and after the run."""
        if self._parts is not None:
            return self._parts.telemetry.snapshot()
        counts = self._counts
        elapsed = time.monotonic() - self._started
        return Snapshot(
            elapsed_s=elapsed, pending=counts.pending, skipped=counts.skipped, stopping=self._stopping.reason
        )

    def meters(self) -> dict[str, StageMeter]:
        """The work of each stage so far, in flow order."""
        return self._parts.telemetry.meters() if self._parts is not None else {}

    def describe(self) -> list[str]:
        """One line on the frontier, on every stage and on every task of the event loop."""
        parts = self._parts
        frontier = [] if parts is None else [repr(parts.frontier), *pool_lines(parts.pools)]
        return [*frontier, *task_lines()]

    async def run(self, observer: Observer | None = None) -> Report:
        """Crawl until finished, stopped or out of budget. Raises PenstockError.

        What was committed before an error stays; the same configuration resumes it.
        """
        self.began, self._observer = True, observer
        if observer is not None:
            self._stopping.on_request(observer.on_stop, lambda: None)
        self._started = time.monotonic()
        config, settings = self._blueprint.config, self._blueprint.settings()
        async with serving(config.metrics_port, self, address=config.metrics_address):
            store = await CrawlStore.open(config.path, settings)
            try:
                return await self._run(store, settings)
            finally:
                await store.close()

    async def _run(self, store: CrawlStore, settings: CrawlSettings) -> Report:
        blueprint, counts = self._blueprint, self._counts
        admission = blueprint.admission(settings.seeds)
        seen = blueprint.seen_filter(store.known_urls)
        opened = await store.begin(
            settings, admission, seen, max_batch=blueprint.config.storers, on_commit=counts.count_commit
        )
        totals = await store.totals()
        counts.start_from(totals)
        nothing_to_do = store.resumed and not await opened.frontier.unfinished()
        reason = "error"
        filling = asyncio.create_task(store.fill_seen(seen), name="fill-seen")
        try:
            if nothing_to_do:
                opened.clear_marks()
            else:
                if missing := dropped_credentials(store.last_config, settings.public):
                    log.warning("resumed_without", options=missing)
                async with open_fetchers(blueprint.tiers, blueprint.fetch_context()) as fetchers:
                    await self._flow(opened, totals, fetchers)
            reason = await self._why_ended(opened)
        except asyncio.CancelledError:
            reason = "cancelled"
            raise
        finally:
            self._stopping.detach()
            filling.cancel()
            await asyncio.gather(filling, return_exceptions=True)
            await note_end(store, reason)
        totals = await store.totals()
        sources = tallies_of(blueprint.sources(), totals)
        return Report(
            exit_code=exit_code(
                reason,
                totals,
                internal=counts.internal,
                max_failed=blueprint.config.max_failed,
                sources=sources,
            ),
            stop_reason=reason,
            run_id=opened.id,
            totals=totals,
            elapsed_s=time.monotonic() - self._started,
            resumed=store.resumed,
            nothing_to_do=nothing_to_do,
            this_run=self.snapshot(),
            bottleneck=self._parts.telemetry.bottleneck() if self._parts is not None else None,
            sources=sources,
        )

    async def _flow(self, opened: OpenRun, totals: Totals, fetchers: Mapping[str, Fetcher]) -> None:
        """Let the pages flow through the pools, watched by three tasks beside them."""
        config, stopping, counts = self._blueprint.config, self._stopping, self._counts
        parts = self._parts = make_parts(
            self._blueprint,
            opened,
            totals,
            fetchers=fetchers,
            counts=counts,
            stopping=stopping,
            started=self._started,
            observer=self._observer,
        )
        if config.max_time is not None:
            stopping.request_after(config.max_time - (time.monotonic() - self._started), "max_time")
        paused = self._observer.is_waiting if self._observer is not None else lambda: False
        watchers = (
            watch(parts.pools, parts.frontier, lambda: counts.verdicts, paused=paused),
            parts.lag.run(),
            parts.telemetry.run(opened.writer.request_flush),
        )
        opened.writer.start(clocks=parts.frontier, telemetry=parts.telemetry)
        beside = [asyncio.create_task(each) for each in watchers]
        try:
            await crawl(parts.frontier, parts.pools, stopping, grace=config.grace)
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if not stopping.aborted or current is None:
                raise
            current.uncancel()  # the cancellation came from `stop`, and has ended the work
        except BaseExceptionGroup as group:
            raise worst(group) from group
        finally:
            for task in beside:
                task.cancel()
            parts.telemetry.end()
            await parts.close()

    async def _why_ended(self, opened: OpenRun) -> str:
        if not await opened.frontier.unfinished():
            return "finished"
        if self._stopping.reason is not None:
            return self._stopping.reason
        spent = self._parts.frontier.spent if self._parts is not None else None
        return spent or "finished"


async def note_end(store: CrawlStore, reason: str) -> None:
    """Note in the file how the run ended. After an error the file may be what failed."""
    try:
        await store.finish(reason, peak_memory(), wait_for_lock=reason != "error")
    except PenstockError as error:
        if reason != "error":
            raise
        # The caller reports the error that ended the run; this one is only its echo.
        log.debug("run_end_not_noted", error=str(error))
