"""Crawl: some cases beside ordinary pages, in a process that watches its own event loop.

May touch: the crawler, as a library. Prints one line of JSON: what ordinary pages waited,
how long the loop was held up, and the most memory this process ever had.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from collections.abc import Sequence
from typing import Any, NamedTuple
from unittest.mock import patch

from penstock import Crawl, CrawlConfig
from penstock.crawler.messages import Done, RobotsAnswer, Verdict
from penstock.crawler.monitor.run_counts import RunCounts

TICK = 0.005  # seconds
ORDINARY = "/ordinary/"


class Lag(NamedTuple):
    worst: float  # seconds that the loop was late
    worst_busy: float  # seconds of processor time that its thread used between two ticks
    at: float  # seconds after the start


class Noting(RunCounts):
    """Notes when each ordinary page was settled, and how long after its request."""

    def __init__(self) -> None:
        super().__init__()
        self.at: list[float] = []  # unix seconds
        self.took: list[float] = []

    def count_verdict(self, verdict: Verdict) -> None:
        super().count_verdict(verdict)
        if not isinstance(verdict, RobotsAnswer) and ORDINARY in verdict.task.url:
            self.at.append(time.time())
            if isinstance(verdict, Done):
                self.took.append(time.time() - verdict.answer.fetched_at)

    def delay(self) -> float:
        """The longest that an ordinary page took, or that none was settled while some were left."""
        gaps = [later - earlier for earlier, later in zip(self.at, self.at[1:], strict=False)]
        return max([0.0, *self.took, *gaps])


async def watch_loop() -> Lag:
    """Until cancelled. The first second is the start-up's."""
    worst = busy = at = 0.0
    began = time.monotonic()
    try:
        while True:
            before, cpu = time.monotonic(), time.thread_time()
            await asyncio.sleep(TICK)
            late = time.monotonic() - before - TICK
            if late > worst:
                worst, at = late, before - began
            busy = max(busy, time.thread_time() - cpu)
    except asyncio.CancelledError:
        return Lag(worst, busy, at)


async def crawl(options: dict[str, Any]) -> dict[str, object]:
    noted = Noting()
    with patch("penstock.crawler.app.run.RunCounts", lambda: noted):
        run = Crawl(CrawlConfig(**options))
    watcher = asyncio.create_task(watch_loop())
    await asyncio.sleep(0)
    started = time.monotonic()
    report = await run.run()
    watcher.cancel()
    lag = await watcher
    return {
        "seconds": time.monotonic() - started,
        "exit_code": report.exit_code,
        "lag_s": lag.worst,
        "busy_s": lag.worst_busy,
        "lag_at_s": lag.at,
        "lost": len(noted.at) - len(noted.took),
        "delay_s": noted.delay(),
        "own_peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def main(argv: Sequence[str]) -> None:
    print(json.dumps(asyncio.run(crawl(json.loads(argv[0])))))


if __name__ == "__main__":
    main(sys.argv[1:])
