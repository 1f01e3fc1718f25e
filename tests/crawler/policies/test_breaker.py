"""The circuit breaker: when a host that does not answer at all is given a rest, and when it is given up."""

from __future__ import annotations

from itertools import accumulate, repeat

import pytest

from penstock.crawler.policies.breaker import CLOSED, NO_ANSWER, Breaker, BreakerState
from penstock.crawler.policies.retry import RETRIED_REASONS


def states_after(breaker: Breaker, failures: int) -> list[BreakerState]:
    """The state after each of so many failures."""
    return list(
        accumulate(
            repeat("refused", failures),
            lambda state, reason: breaker.update(state, answered=False, reason=reason),
            initial=CLOSED,
        )
    )[1:]


class TestBreaker:
    def test_a_breaker_opens_after_ten_consecutive_failures(self) -> None:
        breaker = Breaker()

        opened = [state.openings > 0 for state in states_after(breaker, 10)]

        assert opened == [False] * 9 + [True]

    def test_a_closed_breaker_has_no_cooldown(self) -> None:
        breaker = Breaker()

        assert {breaker.cooldown(state) for state in states_after(breaker, 9)} == {0.0}

    def test_each_cooldown_is_twice_as_long_up_to_a_minute(self) -> None:
        breaker = Breaker()

        cooldowns = [breaker.cooldown(state) for state in states_after(breaker, 17)[9:]]

        assert cooldowns == [5, 10, 20, 40, 60, 60, 60, 60]

    def test_a_host_is_given_up_after_the_last_cooldown_was_in_vain(self) -> None:
        """One dead host cannot keep a crawl from ending."""
        breaker = Breaker(threshold=2, max_openings=3)

        given_up = [breaker.gives_up(state) for state in states_after(breaker, 6)]

        assert given_up == [False, False, False, False, True, True]

    @pytest.mark.parametrize("failures", [1, 9, 10, 30])
    def test_any_status_line_closes_the_breaker(self, failures: int) -> None:
        """A host that answers is alive, whatever it says and however the body ends."""
        breaker = Breaker()
        state = states_after(breaker, failures)[-1]

        assert breaker.update(state, answered=True, reason=None) == CLOSED
        assert breaker.update(state, answered=True, reason="truncated") == CLOSED

    @pytest.mark.parametrize("reason", [None, "cancelled", "tls", "bad_url", "bad_http", "internal:KeyError"])
    def test_a_failure_that_tells_nothing_about_the_host_changes_nothing(self, reason: str | None) -> None:
        state = BreakerState(failures=9, openings=0)

        assert Breaker().update(state, answered=False, reason=reason) == state

    @pytest.mark.parametrize("reason", sorted(NO_ANSWER))
    def test_every_way_of_not_answering_counts(self, reason: str) -> None:
        assert Breaker().update(CLOSED, answered=False, reason=reason) == BreakerState(1, 0)

    def test_every_failure_that_opens_the_breaker_is_also_retried(self) -> None:
        """What opens the breaker must also be worth another request."""
        assert NO_ANSWER <= RETRIED_REASONS
