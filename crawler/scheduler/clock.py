"""Clock: the time of a run, which no adjustment of the machine's clock can bend.

May touch: time. The rest of the crawl gets a clock as an argument.
"""

from __future__ import annotations

import time


class Clock:
    """Unix seconds that only move forward: wall time at the start, then the monotonic clock."""

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def now(self) -> float:
        return time.monotonic() + self._offset
