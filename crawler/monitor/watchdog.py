"""Watch: say what a crawl is doing right now, and say so unasked when it does nothing.

May touch: pools, the event loop's tasks.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from penstock.crawler.engine.pool import Pool, task_of
from penstock.crawler.messages import RobotsTask
from penstock.crawler.output.logs import get_logger

STUCK_AFTER = 60.0  # seconds without a settled URL
LOOK_EVERY = 5.0  # seconds

_AWAITED = {"fetch": "answers", "parse": "a parser", "store": "a commit"}  # by whoever is busy there

log = get_logger()


def oldest_work(pool: Pool) -> tuple[str, float] | None:
    """The URL that a pool's workers have had for the longest, and for how many seconds."""
    at_work = [entry for entry in pool.at_work.values() if entry is not None]
    if not at_work:
        return None
    message, since = min(at_work, key=lambda entry: entry[1])
    task = task_of(message)
    name = task.origin + "/robots.txt" if isinstance(task, RobotsTask) else task.url
    return name, time.monotonic() - since


def pool_lines(pools: Sequence[Pool]) -> list[str]:
    """One line on each stage, in flow order: what it waits for, queue, busy workers, oldest work."""
    before = ["the frontier", *(pool.stage.name for pool in pools)]
    after = [*pools[1:], None]
    return [_pool_line(*of_one) for of_one in zip(pools, before, after, strict=False)]


def _pool_line(pool: Pool, before: str, after: Pool | None) -> str:
    name, inbox = pool.stage.name, pool.inbox
    busy = sum(entry is not None for entry in pool.at_work.values())
    if not busy:
        awaited = before
    elif after is not None and after.inbox.full():
        awaited = f"room in {after.stage.name}"
    else:
        awaited = _AWAITED.get(name, "its work")
    line = f"{name}: waits for {awaited}, inbox {inbox.qsize()}/{inbox.maxsize}, busy {busy}/{pool.workers}"
    oldest = oldest_work(pool)
    return f"{line}, oldest {oldest[0]} for {oldest[1]:.1f} s" if oldest else line


def task_lines() -> list[str]:
    """One line on every task of the running event loop: its name and where it waits."""
    lines = []
    for task in sorted(asyncio.all_tasks(), key=lambda task: task.get_name()):
        frames = task.get_stack(limit=1)
        where = f"{frames[-1].f_code.co_qualname} line {frames[-1].f_lineno}" if frames else "ended"
        lines.append(f"task {task.get_name()}: {where}")
    return lines


async def watch(
    pools: Sequence[Pool],
    frontier: object,
    settled: Callable[[], int],
    *,
    paused: Callable[[], bool] = lambda: False,
    stuck_after: float = STUCK_AFTER,
) -> None:
    """Log a line whenever nothing was settled for `stuck_after` seconds. Runs until cancelled.

    Time in which the crawl is `paused`, because the program that consumes its pages is slow, does not count.
    """
    last, since = settled(), time.monotonic()
    while True:
        await asyncio.sleep(min(LOOK_EVERY, stuck_after))
        now = settled()
        if now != last or paused():
            last, since = now, time.monotonic()
        elif time.monotonic() - since >= stuck_after:
            log.warning(
                "nothing_settled",
                seconds=round(time.monotonic() - since),
                stages=pool_lines(pools),
                frontier=repr(frontier),
            )
            since = time.monotonic()


def warn_of_slow_plugin(plugin: str, seconds: float, url: str) -> None:
    """While a plugin runs on the event loop nothing else does. Said once of each."""
    log.warning(
        "plugin_slow",
        plugin=plugin,
        seconds=round(seconds, 3),
        url=url,
        hint="the crawl waits while a plugin runs",
    )
