"""Telemetry samples: a run's samples on disk, bounded in number, and the latest snapshot for `status`.

May touch: the database's statements; sqlite3 connections that others opened.

Samples are written with the pages' commits. If no page comes for some seconds they get a commit of
their own, so that `status` sees that the crawl is alive.
"""

from __future__ import annotations

import sqlite3
import time
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


class TelemetrySamples:
    """Writes the samples of one run. Without a `source` there are none."""

    def __init__(self, database: Database, run: int, source: TelemetrySource | None) -> None:
        self._database = database
        self._run = run
        self._source = source
        self._thinned = 0  # the minute in which old samples were thinned out last

    async def commit(self) -> None:
        """Write the samples in a transaction of their own."""
        if self._source is None:
            return
        try:
            # Fail at once: a page that comes meanwhile would have to wait too.
            async with self._database.transaction(wait_for_lock=False):
                await self.write()
        except StorageFailed as error:
            # No page was in the transaction, so none is lost. The next page's commit shows whether the
            # file can still be written.
            log.debug("samples_not_written", error=str(error))

    async def write(self) -> None:
        """Write them within the open transaction; thin out the old ones once a minute."""
        if self._source is None or not (samples := self._source.unwritten()):
            return
        try:
            shown = self._source.snapshot().to_json()
        except Exception as error:  # a bug of ours, and no reason to roll back a page
            self._source = None
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
    """The snapshot that the last run stored; None if there is none, or a newer version wrote it."""
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
