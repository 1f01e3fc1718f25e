"""Event stream: a bounded queue between a crawl and the program that consumes its events.

May touch: asyncio.

Invariant: it never keeps a crawl that was asked to stop from ending. After `release` it takes
what is still in flight without waiting, after `close` it drops everything.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

Item = TypeVar("Item")

MAX_BODY_BYTES = 8 << 20  # of the bodies that wait for the consumer, beside the bound in items


class EventStream(Generic[Item]):
    """`put` waits while the consumer is behind by `bound` items, and so the crawl waits too."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._items: deque[tuple[Item, int]] = deque()
        self._bytes = 0
        self._changed = asyncio.Event()  # something was put, or the end is known
        self._room = asyncio.Event()
        self._waits = True  # `put` does, when there is no room
        self._closed = self._ended = False

    @property
    def is_full(self) -> bool:
        return len(self._items) >= self._bound or self._bytes > MAX_BODY_BYTES

    @property
    def is_closed(self) -> bool:
        return self._closed

    async def put(self, item: Item, size: int = 0) -> None:
        """Add an item with a body of `size` bytes. Returns at once after `release` and `close`."""
        while self._waits and self.is_full:
            self._room.clear()
            await self._room.wait()
        if not self._closed:
            self._items.append((item, size))
            self._bytes += size
            self._changed.set()

    async def get(self) -> Item | None:
        """The next item; None after the last one."""
        while not self._items:
            if self._ended:
                return None
            self._changed.clear()
            await self._changed.wait()
        item, size = self._items.popleft()
        self._bytes -= size
        self._room.set()
        return item

    def release(self) -> None:
        """From now on `put` does not wait: only what is in flight will still come."""
        self._waits = False
        self._room.set()

    def end(self) -> None:
        """Nothing will be put any more."""
        self._ended = True
        self._changed.set()

    def close(self) -> None:
        """The consumer has left."""
        self._closed = True
        self._items.clear()
        self.release()
