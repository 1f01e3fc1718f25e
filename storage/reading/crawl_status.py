"""Crawl status: how far a crawl is.

May touch: sqlite3 connections that others opened; the schema's names.
Never: write. Each function reads through the connection it is given, so that several of them within
one read transaction agree.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from penstock.crawler.ports import Totals
from penstock.storage.database.file_lock import is_held
from penstock.storage.reading.outcome import SKIPPED, OnlyPage, SeedOutcome, load_outcome, load_reasons
from penstock.storage.writing import statements as sql
from penstock.storage.writing.extraction_statements import FIND_SOURCES
from penstock.storage.writing.resource_table import states_of_resources
from penstock.storage.writing.rows import totals_of
from penstock.storage.writing.telemetry_samples import Live, live

_GENERATION = "SELECT generation FROM crawl"
_CRAWL = "SELECT identity, depth, robots, created_at FROM crawl"
_WAITING = "SELECT count(*) FROM url WHERE state = 1 AND kind = 0"
_LAST_ANSWER = "SELECT strftime('%Y-%m-%dT%H:%M:%fZ', max(fetched_at) / 1000.0, 'unixepoch') FROM fetch"
_RUNS = """
    SELECT id, started_at, finished_at, stop_reason, requests, pages, bytes FROM runs ORDER BY id
"""


class RunRecord(NamedTuple):
    """One invocation."""

    id: int
    started_at: str  # ISO 8601, UTC
    finished_at: str | None  # None: running, or killed
    stop_reason: str | None
    requests: int
    pages: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CrawlStatus:
    """How far a crawl is."""

    identity: Mapping[str, Any]  # seeds, scope, include, exclude; empty: no crawl was started
    depth: int | None  # limit of the last run, in link hops; None: no limit
    robots: bool  # the last run obeyed robots.txt
    totals: Totals
    waiting: int  # pending URLs that wait for another attempt
    failed: Sequence[tuple[str, int]]  # reasons with URL counts, the most frequent first
    skipped: Sequence[tuple[str, int]]
    runs: Sequence[RunRecord]  # oldest first
    last_activity: str | None  # ISO 8601, UTC: the last answer, or the start or end of a run
    live: Live | None  # the last state of the last run, if it has not ended
    held: bool | None  # a process is working on the file; None: the system does not say
    lost_seeds: Sequence[SeedOutcome]  # seeds that led to no stored page (yet, while the crawl is unfinished)
    only_page: OnlyPage | None  # the stored page, if it is the only one


def load_totals(connection: sqlite3.Connection) -> Totals:
    """The counts of the whole crawl, over all runs."""
    [states] = connection.execute(sql.COUNT_STATES)
    generation = connection.execute(_GENERATION).fetchone()
    [(pages,)] = connection.execute(sql.COUNT_PAGES, {"generation": generation[0] if generation else 1})
    [runs] = connection.execute(sql.SUM_RUNS)
    [(stored,)] = connection.execute(sql.HAS_STORED_PAGE)
    resources = states_of_resources(connection.execute(sql.COUNT_RESOURCES))
    try:
        sources = connection.execute(FIND_SOURCES).fetchall()
    except sqlite3.OperationalError:  # the file is older than these counts
        sources = []
    return totals_of(states, pages, runs, resources, stored=bool(stored), sources=sources)


def load_status(connection: sqlite3.Connection, path: Path) -> CrawlStatus:
    """All that the `status` command shows of the crawl in the file `path`."""
    crawl = connection.execute(_CRAWL).fetchone() or ("{}", None, 1, None)
    [(waiting,)] = connection.execute(_WAITING)
    [(answered,)] = connection.execute(_LAST_ANSWER)
    runs = [RunRecord(*row) for row in connection.execute(_RUNS)]
    times = [answered, crawl[3], *(time for run in runs for time in (run.started_at, run.finished_at))]
    seen = live(connection)
    held = is_held(path)
    identity = json.loads(crawl[0])
    outcome = load_outcome(connection, seeds=len(identity.get("seeds", ())))
    return CrawlStatus(
        identity=identity,
        depth=crawl[1],
        robots=bool(crawl[2]),
        totals=load_totals(connection),
        waiting=waiting,
        failed=outcome.failed,
        skipped=load_reasons(connection, SKIPPED),
        runs=runs,
        last_activity=max((time for time in times if time), default=None),
        live=seen if seen and runs and seen.run == runs[-1].id and not runs[-1].finished_at else None,
        held=held,
        lost_seeds=outcome.lost_seeds,
        only_page=outcome.only_page,
    )
