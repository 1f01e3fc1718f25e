"""Memory: budgets of bytes, for all bodies under way and for all that was read in them.

May touch: asyncio, the heap.

A fetcher reserves as it reads. When the budget is spent everybody waits but the oldest
hold, which alone may exceed it: so some body always gets through to the parser and
gives its bytes back, and the whole can never wait for itself.

What is large may not fill the budget alone: half of it is kept for small bodies. So pages of
megabytes keep no ordinary one waiting, and their readers, who take many times a body's size,
meet no more of them than there is memory for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from penstock.crawler.engine.malloc import MAPPED_BYTES, map_large_blocks

LARGE_BYTES = 128 << 10  # hardly any page is; 64 fetchers with less than that hold 8 MiB


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
        size = hold.count + count
        if size > MAPPED_BYTES:
            map_large_blocks()
        limit = self.limit if size <= LARGE_BYTES else self.limit // 2
        if self.used + count > limit and next(iter(self._holds)) is not hold:
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

    @property
    def has_room_for_large(self) -> bool:
        """True if something large may be begun, of which nobody knows how much it will take.

        So it may as soon as others of its kind, with more than a 32nd of the whole each, have
        little; how much small ones have, which never end, is another matter.
        """
        large = sum(hold.count for hold in self._holds if hold.count > self.limit // 32)
        return self.has_room and large <= self.limit // 4

    async def _until_released(self) -> None:
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await future


class BodyHold:
    """One body's share, from its first byte until whoever drops it calls `release`."""

    __slots__ = ("_budget", "_released", "count")

    def __init__(self, budget: BodyBudget) -> None:
        self._budget = budget
        self.count = 0  # bytes
        self._released = False

    def try_reserve(self, count: int) -> bool:
        """Take `count` more bytes if they may be had at once."""
        if not self._budget._take(self, count):
            return False
        self.count += count
        return True

    async def reserve(self, count: int) -> None:
        """Take `count` more bytes; wait until they are free or this hold is the oldest."""
        while not self.try_reserve(count):
            await self._budget._until_released()

    def resize(self, count: int) -> None:
        """Have `count` bytes from now on, at once."""
        self._budget.used += count - self.count
        self.count = count
        self._budget.peak = max(self._budget.peak, self._budget.used)

    def release(self) -> None:
        if not self._released:
            self._released = True
            self._budget._give_back(self, self.count)
