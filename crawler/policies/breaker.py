"""Breaker: when a host that does not answer at all is given a rest. All times in seconds.

May touch: nothing.

Only failures before a status line count: a host that answers, with whatever status, is
alive, and its throttle looks after it.
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct

NO_ANSWER = frozenset({"dns", "refused", "connect", "reset", "timeout_connect", "timeout_read", "timeout"})
"""Reasons that speak of the host, if no status line came before them."""


class Silence(NamedTuple):
    """What a host has failed to say so far."""

    failures: int = 0  # in a row, none answered
    rests: int = 0  # how often it was given one meanwhile


ANSWERED = Silence()


class Breaker(Struct, frozen=True, kw_only=True):
    """Open after `threshold` failures in a row; then one request at a time, each after a longer rest.

    After `max_rests` in vain the host is given up for this run: its URLs fail unasked, and
    stay retriable, so that one dead host cannot keep a crawl from ending.
    """

    threshold: int = 10
    first_rest: float = 5.0
    longest_rest: float = 60.0
    max_rests: int = 8  # 5 + 10 + 20 + 40 + 4 * 60: a bit over five minutes

    def after(self, silence: Silence, *, answered: bool, reason: str | None) -> Silence:
        """The silence after one more result. A failure that says nothing of the host changes nothing."""
        if answered:
            return ANSWERED
        if reason not in NO_ANSWER:
            return silence
        failures = silence.failures + 1
        opens = failures >= self.threshold
        return Silence(failures, silence.rests + opens)

    def rest(self, silence: Silence) -> float:
        """How long the host rests now, after a failure."""
        if not silence.rests:
            return 0.0
        return min(self.first_rest * 2.0 ** min(silence.rests - 1, 30), self.longest_rest)

    def is_open(self, silence: Silence) -> bool:
        """While open, one request at a time asks whether the host is back."""
        return silence.rests > 0

    def gives_up(self, silence: Silence) -> bool:
        return silence.rests > self.max_rests
