"""Turns: much work, done a little at a time, so that the event loop's other tasks have theirs.

May touch: asyncio.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from itertools import islice
from typing import TypeVar

T = TypeVar("T")

# A link costs some 20 us from here to the disk, a few of them in each place that takes turns.
CHUNK_SIZE = 1_000


async def in_chunks(items: Iterable[T], size: int = CHUNK_SIZE) -> AsyncIterator[Sequence[T]]:
    """Yield `items` in lists of at most `size`; between two of them everybody else has a turn."""
    rest = iter(items)
    some = list(islice(rest, size))
    while some:
        yield some
        some = list(islice(rest, size))
        if some:
            await asyncio.sleep(0)


async def chunkwise(items: Iterable[T], size: int) -> AsyncIterator[T]:
    """Yield each of `items`; after `size` of them everybody else has a turn."""
    async for some in in_chunks(items, size):
        for item in some:
            yield item
