"""Run result: how a run ended, as a report and as an exit code.

May touch: ports, snapshot.
"""

from __future__ import annotations

import sys

from msgspec import Struct

from penstock.crawler.errors import PenstockError
from penstock.crawler.ports import Totals
from penstock.crawler.snapshot import Snapshot

COMPLETE, INTERNAL_FAILURES, BUDGET_SPENT, NOTHING_STORED = 0, 1, 3, 4
BY_SIGNAL = {"sighup": 129, "sigint": 130, "sigterm": 143}  # 128 and the signal's number
BUDGETS = frozenset({"max_pages", "max_pages_per_host", "max_time", "max_bytes"})
BY_PROGRAM = "stopped"  # the program that ran the crawl as a library wanted no more pages


class Report(Struct, frozen=True, kw_only=True):
    """How a run ended: its reason, its counts, and those of the whole crawl."""

    exit_code: int  # of the command: 0 complete, 1 with internal failures, 3 a budget or the program ended it
    stop_reason: str  # finished, stopped, sigint, sigterm, sighup, or a budget's name
    run_id: int  # runs.id in the file, from 1
    totals: Totals  # of all runs together, read from the database at the end
    elapsed_s: float  # seconds of this run
    resumed: bool  # the file held this crawl already
    nothing_to_do: bool  # the crawl was complete before this run
    this_run: Snapshot  # the counts of this run
    bottleneck: str | None = None  # the part that this run waited for, in one line


def exit_code(reason: str, *, first_run: bool, pages: int, internal: int) -> int:
    """The command's exit code. `pages` of the whole crawl, `internal` failures of this run."""
    if reason in BY_SIGNAL:
        return BY_SIGNAL[reason]
    if reason in BUDGETS or reason == BY_PROGRAM:
        return BUDGET_SPENT
    if internal:
        return INTERNAL_FAILURES
    return NOTHING_STORED if first_run and not pages else COMPLETE


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
