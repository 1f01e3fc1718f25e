"""Congestion, pacing and bandwidth as tables: one answer in, the next state out."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from penstock.crawler.policies.congestion import ConcurrencyState, Congestion, Outcome
from penstock.crawler.policies.pacing import UNLIMITED, Pacing, RateState
from penstock.crawler.policies.politeness import Bandwidth

OVERLOADED = Outcome(None, overloaded=True)


def update_all(
    state: ConcurrencyState, *latencies: float, noise: float = 0.0, saturated: bool = True
) -> ConcurrencyState:
    for latency in latencies:
        state = Congestion().update(state, Outcome(latency, saturated=saturated), in_flight=0, noise=noise)
    return state


class TestCongestion:
    def test_the_limit_doubles_while_the_latency_stays(self) -> None:
        state = ConcurrencyState()
        limits = []
        for _ in range(20):
            state = update_all(state, 0.1)
            limits.append(state.limit)

        assert limits == [1] * 3 + [2] * 4 + [4] * 8 + [8] * 5

    def test_the_limit_does_not_grow_while_it_is_not_used_up(self) -> None:
        assert update_all(ConcurrencyState(), *[0.1] * 50, saturated=False).limit == 1

    def test_a_queue_lowers_the_limit_to_where_there_was_none(self) -> None:
        state = ConcurrencyState(limit=8, base_latency=0.1)

        assert update_all(state, *[0.2] * 16).limit == 4

    def test_a_few_slow_pages_are_no_queue(self) -> None:
        state = ConcurrencyState(limit=8, base_latency=0.1)

        assert update_all(state, *[0.1] * 8, *[2.0] * 8).limit == 8

    def test_latency_that_we_may_have_caused_is_no_queue(self) -> None:
        state = ConcurrencyState(limit=8, base_latency=0.002)

        assert update_all(state, *[0.02] * 16, noise=0.03).limit == 8

    @pytest.mark.parametrize(("limit", "left"), [(8, 4), (5, 2), (1, 1)])
    def test_overload_halves_the_limit(self, limit: int, left: int) -> None:
        now = Congestion().update(ConcurrencyState(limit=limit), OVERLOADED, in_flight=0, noise=0)

        assert now.limit == left

    def test_requests_that_time_out_together_are_one_overload(self) -> None:
        """Eight requests that time out together are one overload."""
        state = ConcurrencyState(limit=8)
        for in_flight in reversed(range(8)):
            state = Congestion().update(state, OVERLOADED, in_flight=in_flight, noise=0)

        assert state.limit == 4

    def test_each_step_down_doubles_the_cooldown(self) -> None:
        first = Congestion().update(ConcurrencyState(limit=8), OVERLOADED, in_flight=0, noise=0)
        second = Congestion().update(first, OVERLOADED, in_flight=0, noise=0)

        assert (first.cooldown, second.cooldown) == (64, 128)

    def test_a_longer_latency_of_a_single_request_is_the_new_base(self) -> None:
        """The site's slow part has begun; nobody queues behind oneself."""
        assert update_all(ConcurrencyState(base_latency=0.01, cooldown=500), *[0.5] * 12).limit > 1

    @pytest.mark.parametrize(("known", "first"), [(8, 4), (3, 1), (1, 1), (0, 1)])
    def test_a_restored_limit_is_half_of_the_known_one(self, known: int, first: int) -> None:
        assert Congestion().restore(known).limit == first


class TestPacing:
    def refused_at(self, rate: float) -> RateState:
        """A host that took so many a second for ten seconds, and now says 429."""
        state = RateState()
        for number in range(int(10 * rate)):
            state = Pacing().update(state, rate_limited=False, now=100 + number / rate, in_flight=0)
        return Pacing().update(state, rate_limited=True, now=110, in_flight=0)

    def test_there_is_no_rate_until_the_first_429(self) -> None:
        assert Pacing().update(RateState(), rate_limited=False, now=1, in_flight=0).gap == 0

    def test_the_first_429_sets_the_rate_a_tenth_below_the_answered_one(self) -> None:
        state = self.refused_at(20)

        assert state.rate == pytest.approx(18, rel=0.05)
        assert state.gap == pytest.approx(1 / state.rate)
        assert state.pause == 1.0

    def test_open_requests_that_meet_429_together_lower_the_rate_once(self) -> None:
        known = RateState(rate=10, ceiling=10, accepted=50)
        state = Pacing().update(known, rate_limited=True, now=9, in_flight=2)

        assert Pacing().update(state, rate_limited=True, now=9, in_flight=1).rate == state.rate

    def test_a_429_right_after_a_pause_makes_the_next_pause_longer(self) -> None:
        """A host that counts by the minute refuses whatever comes until the minute is over."""
        first = self.refused_at(20)
        pauses = []
        state = first
        for number in range(6):
            state = Pacing().update(state, rate_limited=True, now=112 + number, in_flight=0)
            pauses.append(state.pause)

        assert pauses == [3, 9, 27, 60, 60, 60]
        assert state.rate == first.rate

    def test_the_rate_approaches_the_ceiling_without_reaching_it(self) -> None:
        state = RateState(rate=10, ceiling=20)
        for number in range(99 + 5 * 20):
            state = Pacing().update(state, rate_limited=False, now=float(number), in_flight=0)

        assert 18.9 < state.rate < 20

    def test_enough_clean_answers_raise_the_ceiling(self) -> None:
        state = RateState(rate=19.0, ceiling=20, probe_after=100)
        for number in range(100):
            state = Pacing().update(state, rate_limited=False, now=float(number), in_flight=0)

        assert state.ceiling == 22

    def test_a_failed_probe_makes_the_next_one_come_later(self) -> None:
        known = RateState(rate=21, ceiling=22, probes=1, accepted=50)
        state = Pacing().update(known, rate_limited=True, now=9, in_flight=0)

        assert (state.probe_after, state.ceiling) == (400, 21)

    def test_the_rate_never_falls_below_its_minimum(self) -> None:
        known = RateState(rate=0.05, ceiling=1, accepted=1)
        state = Pacing().update(known, rate_limited=True, now=1e9, in_flight=0)

        assert state.rate == 0.05

    def test_a_429_right_after_a_resume_lowers_the_rate_by_a_tenth_only(self) -> None:
        known = Pacing().restore(20.0)
        state = Pacing().update(replace(known, accepted=30), rate_limited=True, now=1e9, in_flight=0)

        assert state.rate == 18

    def test_a_host_that_never_answered_429_is_restored_without_a_rate(self) -> None:
        assert Pacing().restore(None).rate == UNLIMITED


class TestBandwidth:
    def test_a_steady_reader_gets_exactly_its_rate(self) -> None:
        bandwidth = Bandwidth(1_000)
        now = 100.0
        for _ in range(100):
            now += bandwidth.wait(50, now)

        assert now - 100 == pytest.approx(5 - Bandwidth.BURST)

    def test_unused_bandwidth_is_not_saved_up(self) -> None:
        bandwidth = Bandwidth(1_000)
        bandwidth.wait(50, 100.0)

        assert bandwidth.wait(5_000, 200.0) == pytest.approx(5 - Bandwidth.BURST)
