"""One budget of bytes for all bodies: bounded, and never waiting for itself."""

from __future__ import annotations

import asyncio
import random

import pytest

from penstock.crawler.engine.body_budget import LARGE_BYTES, BodyBudget, BodyHold
from tests.support.fakes import all_else, in_virtual_time, still_waiting


@in_virtual_time
class TestBodyBudget:
    async def test_bytes_are_reserved_while_there_is_room(self) -> None:
        budget = BodyBudget(100)
        one, other = budget.open(), budget.open()

        assert one.try_reserve(60)
        assert other.try_reserve(40)
        assert budget.used == 100

    async def test_a_younger_hold_waits_until_bytes_are_released(self) -> None:
        budget = BodyBudget(100)
        one, other = budget.open(), budget.open()
        one.try_reserve(60)
        waiting = await still_waiting(other.reserve(41))

        one.release()
        await waiting

        assert budget.used == 41

    async def test_a_failed_reservation_is_not_counted(self) -> None:
        budget = BodyBudget(100)
        budget.open().try_reserve(60)

        assert not budget.open().try_reserve(41)
        assert (budget.used, budget.peak) == (60, 60)

    async def test_only_the_oldest_hold_may_exceed_the_limit(self) -> None:
        """So one body always gets through, however many others have taken a part."""
        budget = BodyBudget(100)
        oldest, younger = budget.open(), budget.open()
        younger.try_reserve(90)

        assert oldest.try_reserve(1_000)
        assert not younger.try_reserve(1)

    async def test_the_age_of_a_hold_counts_from_its_opening(self) -> None:
        budget = BodyBudget(100)
        oldest, younger = budget.open(), budget.open()
        younger.try_reserve(100)

        assert oldest.try_reserve(1)

    async def test_when_the_oldest_hold_is_released_the_next_one_may_exceed_the_limit(self) -> None:
        """Even if the one that went had taken nothing."""
        budget = BodyBudget(100)
        oldest, second, third = budget.open(), budget.open(), budget.open()
        second.try_reserve(50)
        third.try_reserve(50)
        waiting = [await still_waiting(hold.reserve(100)) for hold in (third, second)]

        oldest.release()
        await all_else()

        assert [task.done() for task in waiting] == [False, True]
        second.release()
        await waiting[0]

    @pytest.mark.parametrize("times", [1, 2, 5])
    async def test_a_hold_is_released_exactly_once(self, times: int) -> None:
        """The parser and its error handling may both let go of it."""
        budget = BodyBudget(100)
        hold, other = budget.open(), budget.open()
        hold.try_reserve(30)
        other.try_reserve(20)

        for _ in range(times):
            hold.release()

        assert budget.used == 20

    async def test_a_cancelled_waiter_reserves_nothing(self) -> None:
        budget = BodyBudget(100)
        oldest, gone, third = budget.open(), budget.open(), budget.open()
        oldest.try_reserve(100)
        cancelled = await still_waiting(gone.reserve(50))
        waiting = await still_waiting(third.reserve(60))

        cancelled.cancel()
        await asyncio.wait([cancelled])
        gone.release()
        oldest.release()
        await waiting

        assert budget.used == 60

    @pytest.mark.parametrize("seed", range(5))
    async def test_no_hold_waits_for_ever_and_the_bound_holds(self, seed: int) -> None:
        """Fifty bodies of any size: at most the oldest one's bytes lie above the limit."""
        chance, limit, largest = random.Random(seed), 1_000, 1_500
        budget = BodyBudget(limit)

        async def body(hold: BodyHold, size: int) -> None:
            try:
                while size > 0:
                    await asyncio.sleep(chance.random())
                    await hold.reserve(min(size, 64))
                    size -= 64
                await asyncio.sleep(chance.random())
            finally:
                hold.release()

        await asyncio.gather(*(body(budget.open(), chance.randint(0, largest)) for _ in range(50)))

        assert budget.used == 0
        assert limit < budget.peak <= limit + largest

    async def test_large_bodies_leave_half_of_the_budget_to_small_ones(self) -> None:
        """So pages of megabytes, which wait for their parser, keep no ordinary page waiting."""
        budget = BodyBudget(8 * LARGE_BYTES)
        first, *others = (budget.open() for _ in range(10))
        first.try_reserve(2 * LARGE_BYTES)

        large = [hold.try_reserve(2 * LARGE_BYTES) for hold in others[:3]]
        small = [hold.try_reserve(LARGE_BYTES) for hold in others[3:8]]

        assert large == [True, False, False]
        assert small == [True, True, True, True, False]

    async def test_a_growing_body_counts_as_large_once_it_is(self) -> None:
        budget = BodyBudget(4 * LARGE_BYTES)
        first, second, third = (budget.open() for _ in range(3))
        first.try_reserve(LARGE_BYTES)
        second.try_reserve(LARGE_BYTES)

        assert not third.try_reserve(LARGE_BYTES + 1)
        assert third.try_reserve(LARGE_BYTES)
        assert not second.try_reserve(1)
        assert first.try_reserve(1)  # the oldest

    async def test_a_large_page_is_begun_while_other_large_ones_hold_little(self) -> None:
        budget = BodyBudget(100)
        hold = budget.open()

        seen = []
        for used in (25, 26, 100, 101):
            hold.resize(used)
            seen.append((budget.has_room_for_large, budget.has_room))

        assert seen == [(True, True), (False, True), (False, True), (False, False)]

    async def test_a_large_page_does_not_wait_for_small_ones(self) -> None:
        """In a crawl that waits for its disk there always is."""
        budget = BodyBudget(100)
        for _ in range(33):
            budget.open().resize(3)

        assert budget.has_room_for_large
        budget.open().resize(3)
        assert not budget.has_room_for_large

    async def test_a_body_larger_than_the_whole_budget_gets_through(self) -> None:
        hold = BodyBudget(10).open()

        for _ in range(5):
            await hold.reserve(7)

    async def test_a_hold_may_be_resized_beyond_the_limit(self) -> None:
        """What was read in a page exists when its size is known: waiting would not make it smaller."""
        told: list[int] = []
        budget = BodyBudget(10, on_release=lambda: told.append(budget.used))
        one, other = budget.open(), budget.open()

        one.resize(25)

        assert (budget.used, budget.peak, budget.has_room) == (25, 25, False)
        assert not other.try_reserve(0)
        one.release()
        assert (budget.used, budget.has_room, told) == (0, True, [0])
        assert other.try_reserve(0)
