"""Watchdog: describes what a crawl is doing at this moment, and logs it when nothing happens.

May touch: pools, the event loop's tasks.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Sequence

from penstock.crawler.engine.pool import Pool, task_of
from penstock.crawler.extraction import ExtractionError
from penstock.crawler.messages import RobotsTask
from penstock.crawler.output.logs import get_logger

STUCK_AFTER = 60.0  # seconds without a settled URL
CHECK_EVERY = 5.0  # seconds
MAX_KINDS = 200  # of failures of rules and plugins that are logged
_PARTICULARS = re.compile(r"[:'\"0-9]")

_AWAITED = {"fetch": "answers", "parse": "a parser", "store": "a commit"}  # by the busy workers of a stage

log = get_logger()


def pool_lines(pools: Sequence[Pool]) -> list[str]:
    """One line on each stage, in flow order: what it waits for, its queue, busy workers, oldest message."""
    lines = []
    for number, pool in enumerate(pools):
        name, inbox, now = pool.stage.name, pool.inbox, time.monotonic()
        at_work = [entry for entry in pool.at_work.values() if entry is not None]
        if not at_work:
            awaited = pools[number - 1].stage.name if number else "the frontier"
        elif number + 1 < len(pools) and pools[number + 1].inbox.full():
            awaited = f"room in {pools[number + 1].stage.name}"
        else:
            awaited = _AWAITED.get(name, "its work")
        line = f"{name}: waits for {awaited}, inbox {inbox.qsize()}/{inbox.maxsize}"
        line += f", busy {len(at_work)}/{pool.workers}"
        if at_work:
            message, since = min(at_work, key=lambda entry: entry[1])
            task = task_of(message)
            url = task.origin + "/robots.txt" if isinstance(task, RobotsTask) else task.url
            line += f", oldest {url} for {now - since:.1f} s"
        lines.append(line)
    return lines


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
        await asyncio.sleep(min(CHECK_EVERY, stuck_after))
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


class FailureWarnings:
    """Logs each kind of failure of a rule or plugin once, with the page on which it came first."""

    def __init__(self) -> None:
        self._seen: set[tuple[str, str]] = set()

    def note(self, url: str, errors: Sequence[ExtractionError]) -> None:
        for error in errors:
            # The text behind these signs is that of one page.
            kind = error.source, _PARTICULARS.split(error.error, maxsplit=1)[0]
            if kind not in self._seen and len(self._seen) < MAX_KINDS:
                self._seen.add(kind)
                log.warning(
                    "extraction_failed",
                    source=error.source,
                    error=error.error,
                    url=url,
                    hint="further failures of this kind are not logged: see `report extraction_failures`",
                )


def warn_of_slow_plugin(plugin: str, seconds: float, url: str) -> None:
    """Log once for each plugin that it held up the event loop, and all else with it."""
    log.warning(
        "plugin_slow",
        plugin=plugin,
        seconds=round(seconds, 3),
        url=url,
        hint="the crawl waits while a plugin runs",
    )
