"""Chart data: the figures of a crawl that are drawn as charts.

May touch: sqlite3 connections that others opened.
Never: write. Every chart has a bounded number of points, however large the crawl is.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

MOMENTS = 48  # equal parts of the time of a crawl
DEEPEST = 20  # all larger depths are one point
BOUNDS_MS = (10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)  # upper bounds of answer times, exclusive

_STATUSES = """
    SELECT status, error, sum(urls) FROM status_codes GROUP BY status, CASE WHEN status IS NULL THEN error END
    ORDER BY status IS NULL, status, 3 DESC
"""
_DEPTHS = (
    f"SELECT min(depth, {DEEPEST}), sum(pages) FROM depths WHERE depth IS NOT NULL GROUP BY 1 ORDER BY 1"
)
_ANSWERS = "SELECT min(fetched_at), max(fetched_at) FROM last_fetch WHERE status IS NOT NULL"
_TIMES = f"""
    SELECT CASE {" ".join(f"WHEN elapsed_ms < {bound} THEN {i}" for i, bound in enumerate(BOUNDS_MS))}
           ELSE {len(BOUNDS_MS)} END AS piece, count(*)
    FROM last_fetch WHERE status IS NOT NULL AND elapsed_ms IS NOT NULL GROUP BY piece
"""
_RANKED = """
    SELECT elapsed_ms FROM last_fetch WHERE status IS NOT NULL AND elapsed_ms IS NOT NULL
    ORDER BY elapsed_ms LIMIT 1 OFFSET :at
"""
_OVER_TIME = f"""
    SELECT (fetched_at - :first) * {MOMENTS} / :span AS piece,
           count(*) FILTER (WHERE status = 200 AND error IS NULL), coalesce(sum(body_bytes), 0)
    FROM last_fetch WHERE status IS NOT NULL AND fetched_at IS NOT NULL GROUP BY piece
"""
_SECONDS = """
    SELECT sum(julianday(coalesce(finished_at, :last)) - julianday(started_at)) * 86400 FROM runs
    WHERE coalesce(finished_at, :last) > started_at
"""
_SAMPLED = "SELECT 1 FROM sqlite_schema WHERE name = 'stage_sample'"
_STAGES = """
    SELECT stage, sum(handled), sum(busy) / sum(samples * workers) FROM (
        SELECT position, stage, max(handled) AS handled, sum(busy) AS busy, count(*) AS samples,
               max(workers) AS workers
        FROM stage_sample JOIN sample ON sample.at = stage_sample.at GROUP BY run_id, position, stage
    ) GROUP BY position, stage ORDER BY position
"""


class ChartData(NamedTuple):
    statuses: Sequence[tuple[str, int]]  # status, or error if no answer arrived; and URLs
    depths: Sequence[tuple[int, int]]  # depth, and pages of status 200
    times: Sequence[int]  # answers below each of BOUNDS_MS, and above
    median_ms: int | None
    p95_ms: int | None
    began: float | None  # unix seconds of the first answer; None: no answer arrived
    seconds: float  # from the first answer to the last
    pages: Sequence[int]  # of status 200, in each of MOMENTS parts of that time
    bytes: Sequence[int]
    busy: float  # seconds of all runs
    stages: Sequence[tuple[str, int, float]]  # stage, messages handled, busy share of the workers


def load_chart_data(connection: sqlite3.Connection, last: str | None) -> ChartData:
    """`last` is the time of the last activity, for a run without an end. ISO 8601."""
    [(first, end)] = connection.execute(_ANSWERS)
    times = [0] * (len(BOUNDS_MS) + 1)
    for piece, number in connection.execute(_TIMES):
        times[piece] = number
    pages, size = [0] * MOMENTS, [0] * MOMENTS
    if first is not None:
        span = {"first": first, "span": end - first + 1}
        for piece, number, size_there in connection.execute(_OVER_TIME, span):
            pages[piece], size[piece] = number, size_there
    [(busy,)] = connection.execute(_SECONDS, {"last": last})
    return ChartData(
        statuses=[
            (str(status) if status is not None else error or "none", urls)
            for status, error, urls in connection.execute(_STATUSES)
        ],
        depths=connection.execute(_DEPTHS).fetchall(),
        times=times,
        median_ms=_ranked(connection, sum(times) // 2),
        p95_ms=_ranked(connection, sum(times) * 95 // 100),
        began=None if first is None else first / 1000,
        seconds=0.0 if first is None else (end - first) / 1000,
        pages=pages,
        bytes=size,
        busy=busy or 0.0,
        # A file of an older version has no samples.
        stages=connection.execute(_STAGES).fetchall() if connection.execute(_SAMPLED).fetchone() else [],
    )


def _ranked(connection: sqlite3.Connection, at: int) -> int | None:
    found = connection.execute(_RANKED, {"at": at}).fetchone()
    return None if found is None else int(found[0])
