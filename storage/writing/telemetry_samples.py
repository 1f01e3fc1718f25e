"""Telemetry: a run's samples on disk, bounded, and the look that `status` takes at them.

May touch: the database's statements; sqlite3 connections that others opened.

They ride along with the pages' commits. Where no page comes for some seconds a commit of
their own says at least that the crawl is alive.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from typing import NamedTuple

from penstock.crawler.errors import StorageFailed
from penstock.crawler.output.logs import get_logger
from penstock.crawler.ports import TelemetrySource
from penstock.crawler.snapshot import Sample, Snapshot
from penstock.storage.database.database import Database
from penstock.storage.writing import statements as sql

EVERY_SECOND = 3_600  # seconds back
EVERY_MINUTE = 7 * 86_400  # seconds back

log = get_logger()


class Live(NamedTuple):
    run: int
    at: float  # unix seconds
    snapshot: Snapshot


class Samples:
    """What is watched of a run, on its way to disk. `source` is set once there is something to watch."""

    def __init__(self, database: Database, run: int, ring: Callable[[], None] = lambda: None) -> None:
        """`ring` wakes the writer, which then calls `commit` unless a page's commit comes first."""
        self._ring = ring
        self._database = database
        self._run = run
        self.source: TelemetrySource | None = None
        self._thinned = 0  # the minute in which that was done last
        self.due = False  # they have waited long enough for a commit that was made anyway

    def hurry(self) -> None:
        """They have waited long: commit them even if there is nothing else to commit."""
        self.due = True
        self._ring()

    async def commit(self) -> None:
        """Write them though there is nothing else to write."""
        try:
            # A page that comes meanwhile would have to wait for this one's wait.
            async with self._database.transaction(wait_for_lock=False):
                await self.save()
        except StorageFailed as error:
            # No page was in it, so none is lost. Whether the file is well the next page will say.
            log.debug("samples_not_written", error=str(error))

    async def save(self) -> None:
        """Write them within the transaction that is open; thin out the old ones once a minute."""
        self.due = False
        if self.source is None or not (samples := self.source.unwritten()):
            return
        try:
            shown = self.source.snapshot().to_json()
        except Exception as error:  # a bug of ours, and no reason to roll back a page
            self.source = None
            log.warning("telemetry_ended", error=repr(error), exc_info=error)
            return
        run, stages = self._run, [row for each in samples for row in _stages(each)]
        await self._database.run_many(sql.SAVE_SAMPLE, [_row(run, each) for each in samples])
        await self._database.run_many(sql.SAVE_STAGE_SAMPLE, stages)
        await self._database.run(sql.SAVE_LIVE, {"run": run, "at": time.time(), "snapshot": shown})
        newest = samples[-1].at
        if newest // 60 != self._thinned:
            self._thinned = newest // 60
            bounds = {"second": newest - EVERY_SECOND, "minute": newest - EVERY_MINUTE}
            await self._database.run(sql.THIN_STAGE_SAMPLES, bounds)
            await self._database.run(sql.THIN_SAMPLES, bounds)


def live(connection: sqlite3.Connection) -> Live | None:
    """What the last run to write it showed; None: none did, or it is no longer understood."""
    if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'live'").fetchone():
        return None  # a file of an earlier version
    row = connection.execute("SELECT run_id, at, snapshot FROM live").fetchone()
    try:
        return None if row is None else Live(row[0], row[1], Snapshot.from_json(row[2]))
    except (TypeError, ValueError):
        return None


def _row(run: int, sample: Sample) -> tuple[object, ...]:
    return (
        sample.at, run, sample.requests, sample.pages, sample.bytes, sample.failed, sample.pending,
        sample.skipped, sample.in_flight, sample.hosts, sample.hosts_held_back, sample.lag_ms,
        sample.loop_busy,
    )  # fmt: skip


def _stages(sample: Sample) -> list[tuple[object, ...]]:
    numbered = enumerate(sample.stages.items())
    return [(sample.at, position, name, *stage) for position, (name, stage) in numbered]
