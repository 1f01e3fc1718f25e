"""Run result: how a run ended, as a report and as an exit code.

May touch: ports, snapshot.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from msgspec import Struct

from penstock.crawler.errors import PenstockError
from penstock.crawler.extraction import SourceTally
from penstock.crawler.messages import LOGGED_OUT
from penstock.crawler.ports import Totals
from penstock.crawler.snapshot import Snapshot

COMPLETE, INTERNAL_FAILURES, BUDGET_SPENT, NOTHING_STORED, TOO_MANY_FAILED, SESSION_ENDED = 0, 1, 3, 4, 6, 7
BY_SIGNAL = {"sighup": 129, "sigint": 130, "sigterm": 143}  # 128 and the signal's number
BUDGETS = frozenset({"max_pages", "max_pages_per_host", "max_time", "max_bytes"})
BY_PROGRAM = "stopped"  # the program that ran the crawl as a library wanted no more pages


class Report(Struct, frozen=True, kw_only=True):
    """How a run ended: its reason, its counts, and those of the whole crawl."""

    # Of the command: 0 complete, 1 with internal failures, 3 a budget or the program ended it, 4 no page is
    # stored, 6 more failed than `max_failed` allows, 7 the session
    # has ended, 129 and more a signal.
    exit_code: int
    stop_reason: str  # finished, stopped, sigint, sigterm, sighup, or a budget's name
    run_id: int  # runs.id in the file, from 1
    totals: Totals  # of all runs together, read from the database at the end
    elapsed_s: float  # seconds of this run
    resumed: bool  # the file held this crawl already
    nothing_to_do: bool  # the crawl was complete before this run
    this_run: Snapshot  # the counts of this run
    bottleneck: str | None = None  # the part that this run waited for, in one line
    sources: Sequence[SourceTally] = ()  # the rules and plugins of this run, counted over the whole crawl


def tallies_of(sources: Iterable[str], totals: Totals) -> list[SourceTally]:
    """The counts of these rules and plugins, in their order; 0 pages for one that was never applied."""
    known = {tally.source: tally for tally in totals.sources}
    return [known.get(source) or SourceTally(source) for source in dict.fromkeys(sources)]


def exit_code(
    reason: str,
    totals: Totals,
    *,
    internal: int,
    max_failed: float | None,
    sources: Iterable[SourceTally] = (),
) -> int:
    """The command's exit code. `totals` are the whole crawl's, `internal` are failures of this run.

    A rule or plugin (`sources`) that failed wherever it was applied counts as an internal failure: the
    result is not what was asked for. It is counted over the whole crawl, so that it does not depend on
    where a run was killed.

    `max_failed` counts at the end of a run, also of one that a budget ended: what is asked for on every
    run must not depend on which budget comes first.
    """
    if reason in BY_SIGNAL:
        return BY_SIGNAL[reason]
    if reason == LOGGED_OUT:
        return SESSION_ENDED
    ended_early = reason in BUDGETS or reason == BY_PROGRAM
    if not ended_early and (internal or any(tally.is_broken for tally in sources)):
        return INTERNAL_FAILURES
    if not ended_early and not totals.stored:
        return NOTHING_STORED
    if max_failed is not None and failed_share(totals) > max_failed:
        return TOO_MANY_FAILED
    return BUDGET_SPENT if ended_early else COMPLETE


def failed_share(totals: Totals) -> float:
    """The part of the URLs to fetch that failed, from 0 to 1. Skipped and pending URLs do not count."""
    failed = totals.states.get("failed", 0)
    settled = failed + totals.states.get("done", 0)
    return failed / settled if settled else 0.0


def peak_memory() -> int:
    """Peak resident bytes of this process so far; 0 where the system does not say."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def worst(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one error to tell: ours, which says what to do, before anything unexpected."""
    leaves: list[BaseException] = []
    todo: list[BaseException] = [group]
    while todo:
        error = todo.pop()
        if isinstance(error, BaseExceptionGroup):
            todo.extend(reversed(error.exceptions))
        else:
            leaves.append(error)
    return next((error for error in leaves if isinstance(error, PenstockError)), leaves[0])
