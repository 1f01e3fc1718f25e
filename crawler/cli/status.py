"""`status`: how far a crawl is, from its database alone. The crawl may be running.

May touch: the database, read-only, and the lock beside it; standard output.

All numbers are read in one snapshot, so they add up while a crawl is changing them. Only the live view is
the other process's own: its counts are those of its run.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from shutil import get_terminal_size
from typing import TYPE_CHECKING

from penstock.crawler.cli import causes
from penstock.crawler.cli.live.status_lines import all_lines
from penstock.crawler.cli.open_database import add_database, opened, results
from penstock.crawler.output.number_formats import format_count, format_duration, format_size, plural
from penstock.crawler.output.terminal import escape_control_chars
from penstock.crawler.reasons import explain
from penstock.crawler.run_result import failed_share

if TYPE_CHECKING:
    from penstock.storage.reading.crawl_status import CrawlStatus
    from penstock.storage.writing.telemetry_samples import Live

_SEEDS_SHOWN = 5
_RUNS_SHOWN = 10
FRESH = 15.0  # seconds; a run writes its live snapshot at least every five
# JSON in a file, which may come from anywhere.
_NO_SNAPSHOT = (AttributeError, OSError, OverflowError, TypeError, ValueError)
_ALIVE = ("running", "silent")

DESCRIPTION = """\
Show how far a crawl is: its rules, its counts, and how busy it is. The crawl may be running.
"""
MORE = """\
  %(prog)s --db example.db
  %(prog)s --db example.db --format json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_database(parser)
    parser.add_argument(
        "--format", choices=("text", "json"), default="text", help="text (default), or json: one object"
    )


def run(args: argparse.Namespace) -> int:
    """Print the status. Raises BadDatabase."""
    from penstock.storage.reading.crawl_status import load_status

    with opened(args) as reader:
        with reader.snapshot() as connection:
            found = load_status(connection, reader.path)
        with results() as out:
            if args.format == "json":
                out.write(json.dumps(as_json(str(args.db), found, time.time()), indent=2) + "\n")
            else:
                for line in _lines(str(args.db), found, time.time()):
                    out.write(escape_control_chars(line) + "\n")
    return 0


def as_json(database: str, status: CrawlStatus, now: float) -> dict[str, object]:
    """The status as one JSON object. Its keys are stable: later versions only add some."""
    totals, last = status.totals, status.runs[-1] if status.runs else None
    live = status.live if status.live is not None and state_of(status, now) in _ALIVE else None
    return {
        "db": database,
        "state": state_of(status, now),
        "stop_reason": last.stop_reason if last is not None else None,
        "seeds": list(status.identity.get("seeds", ())),
        "scope": status.identity.get("scope"),
        "include": list(status.identity.get("include", ())),
        "exclude": list(status.identity.get("exclude", ())),
        "depth": status.depth,
        "robots": status.robots,
        "last_seen": status.last_activity,
        "urls": dict(totals.states),
        "waiting": status.waiting,
        "failed_share": round(failed_share(totals), 4),
        "failed": dict(status.failed),
        "skipped": dict(status.skipped),
        "resources": dict(totals.resources),
        "pages": totals.pages,
        "requests": totals.requests,
        "retries": totals.retries,
        "robots_requests": totals.robots_requests,
        "sitemap_requests": totals.sitemap_requests,
        "bytes": totals.bytes,
        "internal_failures": totals.internal_failures,
        "lost_seeds": [
            {"seed": seed.seed, "url": seed.url, "state": seed.state, "reason": causes.cause_of(seed)}
            for seed in status.lost_seeds
        ],
        "runs": [run._asdict() for run in status.runs],
        "live": _live_fields(live) if live is not None else None,
    }


def _live_fields(live: Live) -> dict[str, object] | None:
    """What the running process reported last, with the keys of its progress events."""
    from penstock.crawler.cli.live.progress import snapshot_fields  # asyncio: not for --help

    try:
        return {"at": live.at} | snapshot_fields(live.snapshot)
    except _NO_SNAPSHOT:
        return None


def state_of(status: CrawlStatus, now: float) -> str:
    """not_started, running, silent (alive, but without a report for a while), killed, unknown, or ended."""
    if not status.runs:
        return "running" if status.held else "not_started"
    if status.runs[-1].finished_at is not None:
        return "ended"
    if status.held is False:
        return "killed"
    if status.live is not None and _is_fresh(status.live, now):
        return "running"
    if status.live is None or status.held is None:
        return "unknown" if status.held is None else "running"
    return "silent"


def _lines(database: str, status: CrawlStatus, now: float) -> Iterator[str]:
    yield database
    yield from _what(status)
    yield f"  state      {_now(status, now)}"
    yield f"  last seen  {status.last_activity or 'never'}"
    if status.live is not None and state_of(status, now) in _ALIVE:
        yield ""
        yield f"run {status.live.run}, as it reported {_ago(status.live, now)} ago"
        yield from _running(status.live)
        yield ""
        yield "all runs"
    else:
        yield ""
    yield from _counts(status)
    if status.failed:
        yield ""
        yield "failed, by reason"
        yield from (f"  {format_count(urls):>11}  {explain(reason)}" for reason, urls in status.failed)
    if status.skipped:
        yield ""
        yield "skipped, by reason"
        yield from (f"  {format_count(urls):>11}  {explain(reason)}" for reason, urls in status.skipped)
    if advice := list(_advice(status)):
        yield ""
        yield from advice
    if status.runs:
        yield ""
        yield from _runs(status)


def _advice(status: CrawlStatus) -> Iterator[str]:
    """What to know and do about failures, in the words of the summary."""
    if not status.runs or status.runs[-1].stop_reason != "finished":
        return
    rows = list(causes.lost_seed_rows(status.lost_seeds, len(status.identity.get("seeds", ()))))
    if status.failed and status.totals.stored:
        rows += [row for row in causes.failed_rows(status.failed) if row[0] == "again"]
    if status.only_page is not None and (hint := causes.only_page_hint(status.only_page, depth=status.depth)):
        rows.append(("note", hint))
    yield from (f"  {label:<11}{text}" for label, text in rows)


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


def _now(status: CrawlStatus, now: float) -> str:
    state, live = state_of(status, now), status.live
    if not status.runs:
        return "starting: no run is noted yet" if status.held else "not started"
    last = status.runs[-1]
    if state == "ended":
        ended = f"the last run ended, reason {last.stop_reason or 'not known'}"
        return f"not running: {ended}" if not status.held else f"{ended}; a process has the file open"
    reported = f", and its last report was {_ago(live, now)} ago" if live is not None else ""
    if state == "killed":
        return f"killed: run {last.id} has not ended{reported}; the same command resumes it"
    if state == "running":
        return f"running: run {last.id}" + (f" reported {_ago(live, now)} ago" if live is not None else "")
    if state == "silent":
        return f"running, but silent: run {last.id} has not ended{reported}; it is suspended, or stuck"
    how = "running, killed or suspended" if live is not None else "running or killed"
    return f"{how}: run {last.id} has not ended{reported}"


def _ago(live: Live, now: float) -> str:
    return format_duration(max(now - live.at, 0.0))


def _is_fresh(live: Live, now: float) -> bool:
    return now - live.at < FRESH


def _running(live: Live) -> list[str]:
    """The lines of the live view of the other process."""
    try:
        return [f"  {line}" for line in all_lines(live.snapshot, get_terminal_size().columns - 2)]
    except _NO_SNAPSHOT:
        return ["  (its live snapshot cannot be read)"]


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
    if totals.resources:
        yield f"  {format_count(sum(totals.resources.values())):>11}  resources, not included above"
    if totals.internal_failures:
        yield f"  {format_count(totals.internal_failures):>11}  failed by unexpected errors (internal:...)"


def _runs(status: CrawlStatus) -> Iterator[str]:
    runs = status.runs
    left_out = max(len(runs) - _RUNS_SHOWN, 0)
    yield "runs" + (f" (the last {_RUNS_SHOWN} of {format_count(len(runs))})" if left_out else "")
    for run in runs[left_out:]:
        unended = "killed" if run is not runs[-1] or status.held is False else "running"
        reason = run.stop_reason or ("running or killed" if status.held is None else unended)
        yield (
            f"  {run.id:>3}  {run.started_at} to {run.finished_at or '-':<24}  {reason:<17}"
            f"  {plural(run.requests, 'request')}, {plural(run.pages, 'page')}, {format_size(run.bytes)}"
        )
