"""The circuit breaker: when a host that does not answer at all is given a rest, and when it is given up."""

from __future__ import annotations

from itertools import accumulate, repeat

import pytest

from penstock.crawler.policies.breaker import ANSWERED, NO_ANSWER, Breaker, Silence
from penstock.crawler.policies.retry import RETRIED_REASONS


def silences(breaker: Breaker, failures: int) -> list[Silence]:
    """The silence after each of so many failures."""
    return list(
        accumulate(
            repeat("refused", failures),
            lambda silence, reason: breaker.after(silence, answered=False, reason=reason),
            initial=ANSWERED,
        )
    )[1:]


class TestBreaker:
    def test_it_opens_after_ten_failures_in_a_row(self) -> None:
        breaker = Breaker()

        opened = [breaker.is_open(silence) for silence in silences(breaker, 10)]

        assert opened == [False] * 9 + [True]

    def test_a_closed_one_gives_no_rest(self) -> None:
        breaker = Breaker()

        assert {breaker.rest(silence) for silence in silences(breaker, 9)} == {0.0}

    def test_each_rest_is_twice_as_long_up_to_a_minute(self) -> None:
        breaker = Breaker()

        rests = [breaker.rest(silence) for silence in silences(breaker, 17)[9:]]

        assert rests == [5, 10, 20, 40, 60, 60, 60, 60]

    def test_it_gives_up_after_the_last_rest_was_in_vain(self) -> None:
        """One dead host cannot keep a crawl from ending."""
        breaker = Breaker(threshold=2, max_rests=3)

        given_up = [breaker.gives_up(silence) for silence in silences(breaker, 6)]

        assert given_up == [False, False, False, False, True, True]

    @pytest.mark.parametrize("failures", [1, 9, 10, 30])
    def test_any_status_line_closes_it(self, failures: int) -> None:
        """A host that answers is alive, whatever it says and however the body ends."""
        breaker = Breaker()
        silence = silences(breaker, failures)[-1]

        assert breaker.after(silence, answered=True, reason=None) == ANSWERED
        assert breaker.after(silence, answered=True, reason="truncated") == ANSWERED

    @pytest.mark.parametrize("reason", [None, "cancelled", "tls", "bad_url", "bad_http", "internal:KeyError"])
    def test_what_says_nothing_of_the_host_changes_nothing(self, reason: str | None) -> None:
        silence = Silence(failures=9, rests=0)

        assert Breaker().after(silence, answered=False, reason=reason) == silence

    @pytest.mark.parametrize("reason", sorted(NO_ANSWER))
    def test_every_way_of_not_answering_counts(self, reason: str) -> None:
        assert Breaker().after(ANSWERED, answered=False, reason=reason) == Silence(1, 0)

    def test_a_host_that_rests_is_asked_again(self) -> None:
        """What opens the breaker must also be worth another request."""
        assert NO_ANSWER <= RETRIED_REASONS
