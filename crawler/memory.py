"""Memory: budgets of bytes, for all bodies under way and for all that was read in them.

May touch: asyncio.

A fetcher reserves as it reads. When the budget is spent everybody waits but the oldest
hold, which alone may exceed it: so some body always gets through to the parser and
gives its bytes back, and the whole can never wait for itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class BodyBudget:
    """`limit` bytes, shared. `peak` is the most that was ever reserved at once."""

    def __init__(self, limit: int, on_release: Callable[[], object] = lambda: None) -> None:
        self.limit = limit
        self.on_release = on_release  # called whenever there is more room than before
        self.used = 0
        self.peak = 0
        self._holds: dict[BodyHold, None] = {}  # insertion order is age
        self._waiting: list[asyncio.Future[None]] = []

    def open(self) -> BodyHold:
        hold = BodyHold(self)
        self._holds[hold] = None
        return hold

    def _take(self, hold: BodyHold, count: int) -> bool:
        if self.used + count > self.limit and next(iter(self._holds)) is not hold:
            return False
        self.used += count
        self.peak = max(self.peak, self.used)
        return True

    def _give_back(self, hold: BodyHold, count: int) -> None:
        self.used -= count
        del self._holds[hold]
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)
        self.on_release()

    @property
    def has_room(self) -> bool:
        return self.used <= self.limit

    async def _until_released(self) -> None:
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await future


class BodyHold:
    """One body's share, from its first byte until whoever drops it calls `release`."""

    __slots__ = ("_budget", "_count", "_released")

    def __init__(self, budget: BodyBudget) -> None:
        self._budget = budget
        self._count = 0
        self._released = False

    def try_reserve(self, count: int) -> bool:
        """Take `count` more bytes if they may be had at once."""
        if not self._budget._take(self, count):
            return False
        self._count += count
        return True

    async def reserve(self, count: int) -> None:
        """Take `count` more bytes; wait until they are free or this hold is the oldest."""
        while not self.try_reserve(count):
            await self._budget._until_released()

    def resize(self, count: int) -> None:
        """Have `count` bytes from now on, at once."""
        self._budget.used += count - self._count
        self._count = count
        self._budget.peak = max(self._budget.peak, self._budget.used)

    def release(self) -> None:
        if not self._released:
            self._released = True
            self._budget._give_back(self, self._count)
