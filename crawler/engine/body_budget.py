"""Body budget: one bound on the bytes of all bodies in memory, and of what was read in them.

May touch: asyncio, malloc.

A fetcher reserves bytes as it reads. When the budget is used up, all bodies wait except the
oldest one, which alone may exceed it. So one body always reaches the parser and returns its
bytes, and a deadlock is impossible.

Large bodies together get half of the budget; the other half is kept for small ones. So pages of
megabytes delay no ordinary page, and the parsers, which take many times a body's size, meet
no more of them than there is memory for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from penstock.crawler.engine.malloc import MAPPED_BYTES, map_large_blocks

LARGE_BYTES = 128 << 10  # hardly any page is larger; 64 fetchers with bodies of that size hold 8 MiB


class BodyBudget:
    """`limit` bytes for all holds together. `peak` is the most that was ever reserved at once."""

    def __init__(self, limit: int, on_release: Callable[[], object] = lambda: None) -> None:
        self.limit = limit
        self.on_release = on_release  # called after each release
        self.used = 0
        self.peak = 0
        self.holds: dict[BodyHold, None] = {}  # the oldest first
        self.waiting: list[asyncio.Future[None]] = []  # of holds that wait for a release

    def open(self) -> BodyHold:
        hold = BodyHold(self)
        self.holds[hold] = None
        return hold

    @property
    def has_room(self) -> bool:
        return self.used <= self.limit

    @property
    def has_room_for_large(self) -> bool:
        """True if one more large page may be parsed, which takes an unknown amount of memory.

        Holds of more than a 32nd of the budget must have at most a quarter of it together. Small
        holds do not count: there are always some.
        """
        large = sum(hold.count for hold in self.holds if hold.count > self.limit // 32)
        return self.has_room and large <= self.limit // 4


class BodyHold:
    """The share of one body, from its first byte to the call of `release`."""

    __slots__ = ("_budget", "_released", "count")

    def __init__(self, budget: BodyBudget) -> None:
        self._budget = budget
        self.count = 0  # bytes
        self._released = False

    def try_reserve(self, count: int) -> bool:
        """Take `count` more bytes if they are free now. False: nothing was taken."""
        budget, size = self._budget, self.count + count
        if size > MAPPED_BYTES:
            map_large_blocks()
        limit = budget.limit if size <= LARGE_BYTES else budget.limit // 2
        if budget.used + count > limit and next(iter(budget.holds)) is not self:
            return False
        self.count = size
        budget.used += count
        budget.peak = max(budget.peak, budget.used)
        return True

    async def reserve(self, count: int) -> None:
        """Take `count` more bytes; wait until they are free or this hold is the oldest."""
        while not self.try_reserve(count):
            released = asyncio.get_running_loop().create_future()
            self._budget.waiting.append(released)
            await released

    def resize(self, count: int) -> None:
        """Hold exactly `count` bytes from now on, even beyond the limit."""
        self._budget.used += count - self.count
        self.count = count
        self._budget.peak = max(self._budget.peak, self._budget.used)

    def release(self) -> None:
        if self._released:
            return
        self._released = True
        budget = self._budget
        budget.used -= self.count
        del budget.holds[self]
        waiting, budget.waiting = budget.waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)
        budget.on_release()
