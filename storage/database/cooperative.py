"""Cooperative chunks: long loops in parts, so that other tasks of the event loop run in between.

May touch: asyncio.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from itertools import islice
from typing import TypeVar

T = TypeVar("T")

# A link costs some 20 us on its way to the disk, a few of them in each loop that is chunked.
CHUNK_SIZE = 1_000


async def in_chunks(items: Iterable[T], size: int = CHUNK_SIZE) -> AsyncIterator[Sequence[T]]:
    """Yield `items` in lists of at most `size`; other tasks run between two of them."""
    rest = iter(items)
    chunk = list(islice(rest, size))
    while chunk:
        yield chunk
        chunk = list(islice(rest, size))
        if chunk:
            await asyncio.sleep(0)


async def chunkwise(items: Iterable[T], size: int) -> AsyncIterator[T]:
    """Yield each of `items`; other tasks run after every `size` of them."""
    async for chunk in in_chunks(items, size):
        for item in chunk:
            yield item
