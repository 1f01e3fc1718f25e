"""Bottleneck: which part of a crawl the others waited for, told from how busy each of them was.

May touch: stats. Pure.

A full inbox is the surest sign: the stage behind it could not keep up, and those before it
had to wait. With none full it is whoever had work for all its workers; with nobody so
busy the work itself came slowly, because hosts take no more or may not be asked for more.
"""

from __future__ import annotations

from collections.abc import Mapping

from penstock.crawler.snapshot import StageView

FULL = 0.5  # of an inbox, on the average of all looks
BUSY = 0.8  # messages per worker, those that wait included
LOOP_BUSY = 0.75  # of a core: little is left over, what the system and the other threads take


def bottleneck(stages: Mapping[str, StageView], loop_busy: float) -> str | None:
    """One line on a run, from means over all of it; None if nothing was done.

    `stages` are in flow order; `loop_busy` is the event loop's share of one core.
    """
    if not any(stage.handled for stage in stages.values()):
        return None
    core = f"event loop {loop_busy:.0%}"
    # Where two are full the later one made the earlier one wait.
    for name, stage in reversed(list(stages.items())):
        if stage.waiting >= FULL * stage.bound:
            return f"{name} (inbox {stage.waiting / stage.bound:.0%} full, {_workers(stage)} busy, {core})"
    first = next(iter(stages))
    if loop_busy >= LOOP_BUSY:
        return f"the event loop ({loop_busy:.0%} of a core, {_workers(stages[first])} in {first} busy)"
    for name, stage in reversed(list(stages.items())):
        if stage.waiting + stage.busy >= BUSY * stage.workers:
            return f"{name} ({_workers(stage)} busy, {stage.waiting:.0f} waiting, {core})"
    return f"server/politeness ({_workers(stages[first])} in {first} busy, {core})"


def _workers(stage: StageView) -> str:
    return f"{stage.busy:.1f} of {stage.workers}"
