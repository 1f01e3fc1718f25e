"""Estimates: throughput, time left and the bottleneck of a run, calculated from measurements.

May touch: ports, snapshot. Pure.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import NamedTuple, Protocol

from penstock.crawler.ports import Totals
from penstock.crawler.snapshot import StageView

WINDOW = 10.0  # seconds over which throughput is averaged
MIN_SPAN = 2.0  # seconds; a shorter time is no basis for an estimate
STEADY_GROWTH = 0.1  # new URLs per settled URL, up to which a frontier counts as no longer growing

FULL = 0.5  # of an inbox, on average
BUSY = 0.8  # messages per worker, waiting ones included
STARVED = 0.05  # seconds of mean delay of an event loop that is not busy
LOOP_BUSY = 0.75  # of a core; the system and the other threads take what is left


class Progress(NamedTuple):
    """Counts of a run at one moment."""

    at: float = 0.0  # seconds since the run began
    pages: int = 0
    bytes: int = 0
    settled: int = 0  # URLs that will not be requested again
    pending: int = 0  # whole crawl


class Budgets(Protocol):
    """The three of a `CrawlConfig`."""

    @property
    def max_pages(self) -> int | None: ...
    @property
    def max_bytes(self) -> int | None: ...
    @property
    def max_time(self) -> float | None: ...


class RemainingBudget(NamedTuple):
    """The budgets of a run when it began, less what earlier runs spent; None: there is no such budget."""

    pages: int | None = None
    bytes: int | None = None
    seconds: float | None = None

    @classmethod
    def of(cls, budgets: Budgets, spent: Totals) -> RemainingBudget:
        return cls(
            None if budgets.max_pages is None else budgets.max_pages - spent.pages,
            None if budgets.max_bytes is None else budgets.max_bytes - spent.bytes,
            budgets.max_time,
        )


class Throughput:
    """The progress of the last seconds, and the estimates that follow from it."""

    def __init__(self, first: Progress) -> None:
        self._window: deque[Progress] = deque([first])

    def add(self, progress: Progress) -> None:
        """Call about once a second."""
        self._window.append(progress)
        while len(self._window) > 2 and progress.at - self._window[0].at > WINDOW:
            self._window.popleft()

    def pages_per_s(self, now: Progress) -> float:
        then = self._window[0]
        return (now.pages - then.pages) / (now.at - then.at) if now.at > then.at else 0.0

    def left_s(self, now: Progress, budget: RemainingBudget) -> float | None:
        """Seconds until the run ends for the first of all possible reasons; None: not known.

        Known are the budgets, and the end of a frontier that no longer grows. While pages still
        bring new URLs, the number of pages of a site is unknown.
        """
        then = self._window[0]
        span = now.at - then.at
        ends = [] if budget.seconds is None else [max(budget.seconds - now.at, 0.0)]
        if span >= MIN_SPAN:
            if budget.pages is not None and now.pages > then.pages:
                ends.append(max(budget.pages - now.pages, 0) * span / (now.pages - then.pages))
            if budget.bytes is not None and now.bytes > then.bytes:
                ends.append(max(budget.bytes - now.bytes, 0) * span / (now.bytes - then.bytes))
            settled, decrease = now.settled - then.settled, then.pending - now.pending
            if settled and decrease >= (1 - STEADY_GROWTH) * settled:
                ends.append(now.pending * span / decrease)
        return min(ends, default=None)


HOLDS = {  # what the frontier says of its own rules; see `Frontier.held_by`
    "rate": "your --rate",
    "delay": "your --delay",
    "bandwidth": "your --bandwidth",
    "crawl_delay": "robots.txt Crawl-delay",
    "dead": "a host without answers",
    "retry": "retries of failed URLs",
}


def find_bottleneck(
    stages: Mapping[str, StageView], loop_busy: float, *, held_by: str | None = None, lag: float = 0.0
) -> str | None:
    """The part that the other parts waited for, in one line; None if nothing was done.

    `stages` are in flow order and hold means over the whole run, `loop_busy` is the event loop's
    share of one core, `lag` its mean delay in seconds, `held_by` a key of `HOLDS`. A limit of the
    operator's own comes first: while it holds, no stage can be the cause. Then a full inbox is the surest
    sign: its stage could not keep up, and the stages before it had to wait. With none full it is the
    stage that had work for all its workers. An event loop that is late without being busy gets no
    processor. With none of these the work itself came slowly, because hosts take no more or may not be
    asked more often.
    """
    if not any(stage.handled for stage in stages.values()):
        return None
    core = f"event loop {loop_busy:.0%}"
    first = next(iter(stages))
    asked = f"({_workers(stages[first])} in {first} busy, {core})"
    if held_by in ("rate", "delay", "bandwidth"):
        return f"{HOLDS[held_by]} {asked}"
    # Where two inboxes are full the later stage made the earlier one wait.
    for name, stage in reversed(list(stages.items())):
        if stage.waiting >= FULL * stage.bound:
            return f"{name} (inbox {stage.waiting / stage.bound:.0%} full, {_workers(stage)} busy, {core})"
    if loop_busy >= LOOP_BUSY:
        return f"the event loop ({loop_busy:.0%} of a core, {_workers(stages[first])} in {first} busy)"
    for name, stage in reversed(list(stages.items())):
        if stage.waiting + stage.busy >= BUSY * stage.workers:
            return f"{name} ({_workers(stage)} busy, {stage.waiting:.0f} waiting, {core})"
    if held_by is not None:
        return f"{HOLDS[held_by]} {asked}"
    if lag >= STARVED:
        return f"the processor, used by others ({core}, late by {1000 * lag:.0f} ms)"
    return f"server/politeness {asked}"


def _workers(stage: StageView) -> str:
    return f"{stage.busy:.1f} of {stage.workers}"
