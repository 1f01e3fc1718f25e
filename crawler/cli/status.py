"""`status`: how far a crawl is, from its database alone. The crawl may be running.

May touch: the database, read-only; standard output.

All numbers are read in one snapshot, so they add up while a crawl is changing them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from shutil import get_terminal_size
from typing import TYPE_CHECKING

from penstock.crawler.cli.live.status_lines import all_lines
from penstock.crawler.cli.open_database import add_database, opened, results
from penstock.crawler.output.number_formats import format_count, format_duration, format_size, plural
from penstock.crawler.output.terminal import escape_control_chars

if TYPE_CHECKING:
    from penstock.storage.reading.crawl_status import CrawlStatus, RunRecord
    from penstock.storage.writing.telemetry_samples import Live

_SEEDS_SHOWN = 5
_RUNS_SHOWN = 10
FRESH = 15.0  # seconds; a run writes its live snapshot at least every five

DESCRIPTION = """\
Show how far a crawl is: its rules, its counts, and how busy it is. The crawl may be running.
"""
MORE = """\
  %(prog)s --db example.db
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_database(parser)


def run(args: argparse.Namespace) -> int:
    """Print the status. Raises BadDatabase."""
    from penstock.storage.reading.crawl_status import load_status

    with opened(args) as reader:
        with reader.snapshot() as connection:
            found = load_status(connection)
        with results() as out:
            for line in _lines(str(args.db), found, time.time()):
                out.write(escape_control_chars(line) + "\n")
    return 0


def _lines(database: str, status: CrawlStatus, now: float) -> Iterator[str]:
    yield database
    yield from _what(status)
    yield f"  state      {_now(status.runs, status.live, now)}"
    yield f"  last seen  {status.last_activity or 'never'}"
    if status.live is not None and _is_fresh(status.live, now):
        yield ""
        yield from _running(status.live)
    yield ""
    yield from _counts(status)
    for title, reasons in (("failed", status.failed), ("skipped", status.skipped)):
        if reasons:
            yield ""
            yield f"{title}, by reason"
            yield from (f"  {format_count(urls):>11}  {reason}" for reason, urls in reasons)
    if status.runs:
        yield ""
        yield from _runs(status.runs)


def _what(status: CrawlStatus) -> Iterator[str]:
    identity = status.identity
    seeds = identity.get("seeds", [])
    for label, seed in zip(["seeds", *[""] * len(seeds)], seeds[:_SEEDS_SHOWN], strict=False):
        yield f"  {label:<9}  {seed}"
    if len(seeds) > _SEEDS_SHOWN:
        yield f"  {'':<9}  and {format_count(len(seeds) - _SEEDS_SHOWN)} more"
    yield f"  scope      {identity.get('scope', 'not known')}"
    for name in ("include", "exclude"):
        for pattern in identity.get(name, []):
            yield f"  {name}    {pattern}"
    yield f"  depth      {'no limit' if status.depth is None else status.depth}"
    yield f"  robots     {'obeyed' if status.robots else 'ignored'}"


def _now(runs: Sequence[RunRecord], live: Live | None, now: float) -> str:
    if not runs:
        return "not started"
    last = runs[-1]
    if last.finished_at is None:
        if live is None:
            return f"running or killed: run {last.id} has not ended"
        ago = format_duration(max(now - live.at, 0.0))
        if _is_fresh(live, now):
            return f"running: run {last.id} reported {ago} ago"
        return f"killed or suspended: run {last.id} has not ended, and its last report was {ago} ago"
    return f"not running: the last run ended, reason {last.stop_reason or 'not known'}"


def _is_fresh(live: Live, now: float) -> bool:
    return now - live.at < FRESH


def _running(live: Live) -> list[str]:
    """The lines of the live view of the other process."""
    try:
        return [f"  {line}" for line in all_lines(live.snapshot, get_terminal_size().columns - 2)]
    except (AttributeError, OSError, OverflowError, TypeError, ValueError):
        return ["  (its live snapshot cannot be read)"]  # JSON in a file, which may come from anywhere


def _counts(status: CrawlStatus) -> Iterator[str]:
    totals = status.totals
    yield f"  {format_count(sum(totals.states.values())):>11}  URLs known, of which"
    for state, number in totals.states.items():
        waiting = f", {format_count(status.waiting)} of them wait for a retry" if status.waiting else ""
        yield f"  {format_count(number):>11}  {state}{waiting if state == 'pending' else ''}"
    yield f"  {format_count(totals.pages):>11}  pages of status 200"
    retries = plural(totals.retries, "retry", "retries")
    yield f"  {format_count(totals.requests):>11}  requests, including {retries}"
    yield f"  {format_count(totals.robots_requests):>11}  requests for robots.txt, not included above"
    yield f"  {format_size(totals.bytes):>11}  of bodies"
    if totals.internal_failures:
        yield f"  {format_count(totals.internal_failures):>11}  failed by unexpected errors (internal:...)"


def _runs(runs: Sequence[RunRecord]) -> Iterator[str]:
    left_out = max(len(runs) - _RUNS_SHOWN, 0)
    yield "runs" + (f" (the last {_RUNS_SHOWN} of {format_count(len(runs))})" if left_out else "")
    for run in runs[left_out:]:
        reason = run.stop_reason or ("running or killed" if run is runs[-1] else "killed")
        yield (
            f"  {run.id:>3}  {run.started_at} to {run.finished_at or '-':<24}  {reason:<17}"
            f"  {plural(run.requests, 'request')}, {plural(run.pages, 'page')}, {format_size(run.bytes)}"
        )
