"""Congestion, pacing and bandwidth as tables: one answer in, the next state out."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from penstock.crawler.policies.bandwidth import Bandwidth
from penstock.crawler.policies.congestion import Congestion, Heard, Width
from penstock.crawler.policies.pacing import UNPACED, Pace, Pacing


def heard_all(width: Width, *latencies: float, noise: float = 0.0, busy: bool = True) -> Width:
    for latency in latencies:
        width = Congestion().after(width, Heard(latency, busy=busy), in_flight=0, noise=noise)
    return width


class TestCongestion:
    def test_it_doubles_while_the_latency_stays(self) -> None:
        width = Width()
        limits = []
        for _ in range(20):
            width = heard_all(width, 0.1)
            limits.append(width.limit)

        assert limits == [1] * 3 + [2] * 4 + [4] * 8 + [8] * 5

    def test_it_does_not_grow_while_there_is_room_unused(self) -> None:
        assert heard_all(Width(), *[0.1] * 50, busy=False).limit == 1

    def test_a_queue_takes_it_back_to_where_there_was_none(self) -> None:
        width = Width(limit=8, base=0.1)

        assert heard_all(width, *[0.2] * 16).limit == 4

    def test_a_few_slow_pages_are_no_queue(self) -> None:
        width = Width(limit=8, base=0.1)

        assert heard_all(width, *[0.1] * 8, *[2.0] * 8).limit == 8

    def test_what_may_be_our_own_doing_is_no_queue(self) -> None:
        width = Width(limit=8, base=0.002)

        assert heard_all(width, *[0.02] * 16, noise=0.03).limit == 8

    @pytest.mark.parametrize(("limit", "left"), [(8, 4), (5, 2), (1, 1)])
    def test_overload_halves_it(self, limit: int, left: int) -> None:
        now = Congestion().after(Width(limit=limit), Heard(None, overloaded=True), in_flight=0, noise=0)

        assert now.limit == left

    def test_answers_to_what_was_under_way_count_once(self) -> None:
        """Eight requests that time out together are one overload."""
        width = Width(limit=8)
        for in_flight in reversed(range(8)):
            width = Congestion().after(width, Heard(None, overloaded=True), in_flight=in_flight, noise=0)

        assert width.limit == 4

    def test_after_a_step_down_it_waits_longer_each_time(self) -> None:
        first = Congestion().after(Width(limit=8), Heard(None, overloaded=True), in_flight=0, noise=0)
        second = Congestion().after(first, Heard(None, overloaded=True), in_flight=0, noise=0)

        assert (first.hold, second.hold) == (64, 128)

    def test_alone_a_longer_latency_is_the_new_normal(self) -> None:
        """The site's slow part has begun; nobody queues behind oneself."""
        assert heard_all(Width(base=0.01, hold=500), *[0.5] * 12).limit > 1

    @pytest.mark.parametrize(("known", "first"), [(8, 4), (3, 1), (1, 1), (0, 1)])
    def test_a_resumed_host_begins_with_half_of_what_is_known(self, known: int, first: int) -> None:
        assert Congestion().recalled(known).limit == first


class TestPacing:
    def refused_at(self, rate: float) -> Pace:
        """A host that took so many a second for ten seconds, and now says 429."""
        pace = Pace()
        for number in range(int(10 * rate)):
            pace = Pacing().after(pace, refused=False, now=100 + number / rate, in_flight=0)
        return Pacing().after(pace, refused=True, now=110, in_flight=0)

    def test_nothing_is_paced_until_it_is_refused(self) -> None:
        assert Pacing().after(Pace(), refused=False, now=1, in_flight=0).gap == 0

    def test_a_refusal_sets_it_a_tenth_below_what_was_taken(self) -> None:
        pace = self.refused_at(20)

        assert pace.rate == pytest.approx(18, rel=0.05)
        assert pace.gap == pytest.approx(1 / pace.rate)
        assert pace.rest == 1.0

    def test_what_was_under_way_is_refused_only_once(self) -> None:
        pace = Pacing().after(Pace(rate=10, ceiling=10, taken=50), refused=True, now=9, in_flight=2)

        assert Pacing().after(pace, refused=True, now=9, in_flight=1).rate == pace.rate

    def test_refused_again_at_once_it_rests_ever_longer_at_the_same_rate(self) -> None:
        """A host that counts by the minute refuses whatever comes until the minute is over."""
        first = self.refused_at(20)
        rests = []
        pace = first
        for number in range(6):
            pace = Pacing().after(pace, refused=True, now=112 + number, in_flight=0)
            rests.append(pace.rest)

        assert rests == [3, 9, 27, 60, 60, 60]
        assert pace.rate == first.rate

    def test_it_closes_in_on_what_was_refused_without_reaching_it(self) -> None:
        pace = Pace(rate=10, ceiling=20)
        for number in range(99 + 5 * 20):
            pace = Pacing().after(pace, refused=False, now=float(number), in_flight=0)

        assert 18.9 < pace.rate < 20

    def test_after_long_enough_it_tries_more(self) -> None:
        pace = Pace(rate=19.0, ceiling=20, patience=100)
        for number in range(100):
            pace = Pacing().after(pace, refused=False, now=float(number), in_flight=0)

        assert pace.ceiling == 22

    def test_a_try_in_vain_makes_it_wait_longer_before_the_next(self) -> None:
        pace = Pacing().after(Pace(rate=21, ceiling=22, tries=1, taken=50), refused=True, now=9, in_flight=0)

        assert (pace.patience, pace.ceiling) == (400, 21)

    def test_it_is_never_slower_than_a_person_would_ask(self) -> None:
        pace = Pacing().after(Pace(rate=0.05, ceiling=1, taken=1), refused=True, now=1e9, in_flight=0)

        assert pace.rate == 0.05

    def test_a_refusal_right_after_a_resume_is_no_reason_to_despair(self) -> None:
        known = Pacing().recalled(20.0)
        pace = Pacing().after(replace(known, taken=30), refused=True, now=1e9, in_flight=0)

        assert pace.rate == 18

    def test_a_host_that_refused_nothing_is_recalled_without_a_pace(self) -> None:
        assert Pacing().recalled(None).rate == UNPACED


class TestBandwidth:
    def test_a_steady_reader_gets_exactly_its_rate(self) -> None:
        bandwidth = Bandwidth(1_000)
        now = 100.0
        for _ in range(100):
            now += bandwidth.wait(50, now)

        assert now - 100 == pytest.approx(5 - Bandwidth.BURST)

    def test_what_was_not_used_is_not_saved_up(self) -> None:
        bandwidth = Bandwidth(1_000)
        bandwidth.wait(50, 100.0)

        assert bandwidth.wait(5_000, 200.0) == pytest.approx(5 - Bandwidth.BURST)
