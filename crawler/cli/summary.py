"""Summary: the result of a crawl at its end, and the command that resumes it.

May touch: nothing; it returns lines.

The numbers are those of the database, of all runs together, so they agree with every query.
Only time and rate are of this run. What went wrong comes first.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from msgspec import to_builtins

from penstock.crawler.cli import causes
from penstock.crawler.config.seeds import hide_user
from penstock.crawler.output.number_formats import (
    format_count,
    format_duration,
    format_rate,
    format_size,
    plural,
)
from penstock.crawler.output.terminal import escape_control_chars
from penstock.crawler.reasons import about

if TYPE_CHECKING:
    from penstock.crawler.extraction import SourceTally
    from penstock.crawler.run_result import Report
    from penstock.storage.reading.outcome import Outcome

MAX_SOURCE_LINES = 10
STATES = ("done", "failed", "skipped", "pending")

_ENDINGS = {
    "finished": "complete: every URL is settled",
    "max_pages": "stopped by --max-pages",
    "max_pages_per_host": "stopped by --max-pages-per-host: some hosts have more pages",
    "max_time": "stopped by --max-time",
    "max_bytes": "stopped by --max-bytes",
    "logged_out": "stopped: the session ended, and a new log-in did not bring it back",
    "sigint": "interrupted",
    "sigterm": "terminated",
    "sighup": "stopped: the terminal was closed",
    "error": "stopped by an error",
}
# These count over all runs: the same command again would stop at once.
_RAISE_FIRST = frozenset({"max_pages", "max_pages_per_host", "max_bytes"})
_RED, _YELLOW, _PLAIN = "\x1b[31m", "\x1b[33m", "\x1b[0m"
_SECRETS = ("--header", "--auth", "--proxy")
_PLAIN_HEADERS = frozenset({"accept", "accept-language", "cache-control", "dnt", "pragma", "referer"})


def summary_lines(
    report: Report,
    *,
    database: str,
    program: Sequence[str],
    outcome: Outcome | None = None,
    depth: int | None = None,
    insecure: bool = False,
) -> list[str]:
    """The last lines; `program` is how the command is called, without arguments.

    `outcome` is what the database says of failures, if it could be read. `insecure`: no TLS certificate
    was verified.
    """
    totals = report.totals
    pages = report.this_run.pages
    speed = format_rate(pages / report.elapsed_s if report.elapsed_s > 0 else 0)
    this_run = f"; {format_count(pages)} in this run, {speed}" if report.resumed else f", {speed}"
    if totals.stored:
        inspect = ["query", "SELECT url, status, title FROM pages LIMIT 10"]
    else:
        inspect = ["report", "failed"] if totals.states.get("failed") else ["report", "skipped"]
    rows = [
        *(_causes(report, outcome, depth) if outcome is not None else ()),
        *(("extraction", line) for line in source_lines(report.sources if totals.stored else ())),
        ("urls", _sum(totals.states)),
        *([("resources", _sum(totals.resources))] if totals.resources else []),
        ("pages", f"{format_count(totals.pages)} of status 200{this_run}"),
        (
            "requests",
            f"{format_count(totals.requests)}, including {plural(totals.retries, 'retry', 'retries')}; "
            f"{format_count(totals.robots_requests)} more for robots.txt",
        ),
        ("bytes", format_size(totals.bytes)),
        ("elapsed", format_duration(report.elapsed_s)),
        *([("bottleneck", report.bottleneck)] if report.bottleneck and totals.stored else []),
        *([("insecure", "no TLS certificate was verified: --insecure")] if insecure else []),
        ("database", database),
        ("inspect", _shell([*program, *inspect, "--db", database])),
    ]
    if totals.internal_failures:
        rows.append(
            (
                "errors",
                f"{plural(totals.internal_failures, 'URL')} with reason internal:..., an unexpected error in "
                "Penstock or in a plug: the log names it",
            )
        )
    lines = (f"  {label:<11}{escape_control_chars(value)}" for label, value in rows)
    return [_headline(report, outcome), *lines]


def coloured(lines: Sequence[str], report: Report) -> list[str]:
    """The same lines with the first one in red or yellow, if it tells of failures."""
    loud = report.exit_code in (1, 4, 6) or causes.is_loud(report.totals.states)
    if not loud and not report.totals.states.get("failed"):
        return list(lines)
    return [f"{_RED if loud else _YELLOW}{lines[0]}{_PLAIN}", *lines[1:]]


def summary_fields(report: Report, *, database: str, outcome: Outcome | None = None) -> dict[str, object]:
    """The same as the fields of one event, for --log-format json."""
    totals = report.totals
    return {
        "exit_code": report.exit_code,
        "stop_reason": report.stop_reason,
        "run_id": report.run_id,
        "resumed": report.resumed,
        "nothing_to_do": report.nothing_to_do,
        "urls": {state: totals.states.get(state, 0) for state in STATES},
        **({"resources": dict(totals.resources)} if totals.resources else {}),
        "pages": totals.pages,
        "requests": totals.requests,
        "retries": totals.retries,
        "robots_requests": totals.robots_requests,
        "bytes": totals.bytes,
        "internal_failures": totals.internal_failures,
        **({"failures": dict(outcome.failed)} if outcome is not None else {}),
        **({"extraction": [to_builtins(tally) for tally in report.sources]} if report.sources else {}),
        "elapsed_s": round(report.elapsed_s, 3),
        "pages_this_run": report.this_run.pages,
        "bottleneck": report.bottleneck,
        "db": database,
    }


def source_lines(sources: Sequence[SourceTally]) -> list[str]:
    """A line for each rule or plugin that failed on a page or found nothing, the worst first."""
    lines = []
    for tally in sorted(sources, key=lambda tally: (not tally.is_broken, -tally.failed)):
        pages, failed = plural(tally.pages, "page"), format_count(tally.failed)
        if tally.is_broken:
            lines.append(
                f"{tally.source}: no success, and errors on {failed} of {pages}: `report extraction_failures`"
            )
        elif tally.failed:
            lines.append(f"{tally.source}: errors on {failed} of {pages}: `report extraction_failures`")
        elif not tally.pages:
            lines.append(f"{tally.source}: no page to which it applies")
        elif not tally.taken:
            lines.append(f"{tally.source}: no value on any of {pages}; check its selector")
    more = len(lines) - MAX_SOURCE_LINES
    return [
        *lines[:MAX_SOURCE_LINES],
        *([f"and {more} more: `report extraction_sources`"] if more > 0 else []),
    ]


def resume_lines(stop_reason: str, called: Sequence[str]) -> list[str]:
    """The command that resumes, exactly as it was called, after what has to change in it; [] if finished.

    Secrets are not repeated: these lines end up in the logs of cron and CI, where the command
    itself may not be seen.
    """
    if stop_reason == "finished":
        return []
    shown, hidden = _without_secrets(called)
    changes = [f"raise --{stop_reason.replace('_', '-')}"] if stop_reason in _RAISE_FIRST else []
    if hidden:
        changes.append(f"put back the value of {' and '.join(hidden)}")
    if "--seeds=-" in called or ("--seeds", "-") in pairwise(called):
        changes.append("give the same seeds on standard input")
    first = [f"before you resume: {', '.join(changes)}"] if changes else []
    return [*first, f"resume with: {_shell(shown)}"]


def _sum(states: Mapping[str, int]) -> str:
    parts = ", ".join(f"{format_count(states.get(state, 0))} {state}" for state in STATES)
    return f"{format_count(sum(states.values()))} = {parts}"


def _headline(report: Report, outcome: Outcome | None) -> str:
    totals = report.totals
    failed = causes.failed_in_words(totals.states)
    if report.exit_code == 4:
        return f"no seed could be stored{_main_cause(outcome)}"
    if report.exit_code == 6:
        return f"{failed}, which is more than --max-failed allows: {_ending(report)}"
    if report.nothing_to_do:
        ending = "nothing to do: this crawl was complete already"
        return f"{ending}; {failed} for good" if failed else ending
    broken = [tally.source for tally in report.sources if tally.is_broken]
    if broken and report.stop_reason == "finished":
        names = ", ".join(broken[:3]) + (", ..." if len(broken) > 3 else "")
        also = f"; {failed}" if failed else ""
        return f"complete, but not what was asked for: {names} failed wherever applied{also}"
    if failed and report.stop_reason == "finished" and causes.is_loud(totals.states):
        return f"complete, but {failed}{' (resumed)' if report.resumed else ''}"
    return f"{_ending(report)}; {failed}" if failed else _ending(report)


def _ending(report: Report) -> str:
    ending = _ENDINGS.get(report.stop_reason, f"stopped: {escape_control_chars(report.stop_reason)}")
    return f"{ending} (resumed)" if report.resumed and report.stop_reason == "finished" else ending


def _main_cause(outcome: Outcome | None) -> str:
    if outcome is None or not outcome.lost_seeds:
        return ": `why URL` shows the reason"
    first = outcome.lost_seeds[0]
    meaning = about(causes.cause_of(first)).meaning
    if not meaning:
        return ""
    if first.reason == "robots_unreachable" and first.robots is not None and first.robots.status is not None:
        meaning = f"for its robots.txt {meaning}"
    return f": {escape_control_chars(meaning)}"


def _causes(report: Report, outcome: Outcome, depth: int | None) -> Iterator[causes.Row]:
    if outcome.lost_seeds:
        yield from causes.lost_seed_rows(outcome.lost_seeds, outcome.seeds)
    if report.totals.stored:
        yield from causes.failed_rows(outcome.failed)
    elif outcome.lost_seeds and report.stop_reason == "finished":
        yield "again", "the same command tries again"
    page = outcome.only_page if report.stop_reason == "finished" else None
    if page is not None and (hint := causes.only_page_hint(page, depth=depth)):
        yield "note", hint


def _without_secrets(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words without secret values, and the flags of these values."""
    shown: list[str] = []
    hidden: dict[str, None] = {}
    for before, word in pairwise(["", *words]):
        flag, equals, value = word.partition("=")
        if before in _SECRETS:
            flag, lead, value = before, "", word
        elif flag in _SECRETS and equals:
            lead = f"{flag}="
        else:
            shown.append(word)
            continue
        shown_value = _shown_value(flag, value)
        if shown_value != value:
            hidden[flag] = None
        shown.append(lead + shown_value)
    return shown, list(hidden)


def _shown_value(flag: str, value: str) -> str:
    if flag == "--proxy":
        return hide_user(value)
    name, colon, _ = value.partition(":")
    if flag == "--auth" or not colon:
        return "..."
    return value if name.strip().lower() in _PLAIN_HEADERS else f"{name}: ..."


def _shell(words: Sequence[str]) -> str:
    return escape_control_chars(shlex.join(words))
