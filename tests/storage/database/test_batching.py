"""Chunked loops: every item, in order, and other tasks run between two chunks."""

from __future__ import annotations

import asyncio

from penstock.storage.database.batching import in_chunks


class TestInChunks:
    async def test_everything_comes_once_and_in_order(self) -> None:
        for count in (0, 1, 9, 10, 11, 35):
            taken = [list(some) async for some in in_chunks(iter(range(count)), 10)]

            assert [item for some in taken for item in some] == list(range(count))
            assert all(len(some) == 10 for some in taken[:-1])

    async def test_other_tasks_run_between_two_chunks(self) -> None:
        ticks: list[int] = []

        async def tick() -> None:
            for number in range(100):
                ticks.append(number)
                await asyncio.sleep(0)

        ticking = asyncio.create_task(tick())
        seen = [len(ticks) async for _ in in_chunks(range(50), 10)]
        ticking.cancel()

        assert seen == sorted(set(seen))

    async def test_a_little_is_done_without_a_break(self) -> None:
        """The writer must not be slowed down on ordinary pages."""
        other = asyncio.create_task(asyncio.sleep(0))

        async for _ in in_chunks(range(10), 10):
            pass

        assert not other.done()
        await other
