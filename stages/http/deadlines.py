"""Deadlines: ends the exchanges that take too long, all with one timer.

May touch: the event loop's timers and clock.

A timer per request, moved with every piece that arrives, cost more than all the rest that
we do about a request. Looked at a few times a second, each exchange ends at most one
`tick` late.
"""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Deadline(Protocol):
    def look(self, now: float) -> None:
        """End what is too late at `now` (monotonic seconds)."""
        ...


class Deadlines:
    """Looks at what is under way every `tick` seconds. Needs a running event loop; `close` it."""

    def __init__(self, tick: float) -> None:
        self.tick = tick
        self._under_way: set[Deadline] = set()
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """How many are under way."""
        return len(self._under_way)

    def add(self, watched: Deadline) -> None:
        self._under_way.add(watched)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self.tick, self._look)

    def discard(self, watched: Deadline) -> None:
        self._under_way.discard(watched)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        now = time.monotonic()
        for watched in self._under_way:
            watched.look(now)
        under_way = bool(self._under_way)
        self._timer = asyncio.get_running_loop().call_later(self.tick, self._look) if under_way else None
