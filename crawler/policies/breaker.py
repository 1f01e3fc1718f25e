"""Breaker: when a host that never answers is left alone for a while. All times in seconds.

May touch: nothing.

Only failures before a status line count: a host that answers, with whatever status, is
alive, and its throttle adapts to it.
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct

NO_ANSWER = frozenset({"dns", "refused", "connect", "reset", "timeout_connect", "timeout_read", "timeout"})
"""Reasons that tell something about the host, if no status line came before them."""


class BreakerState(NamedTuple):
    """The latest failures of one host. Kept on disk from run to run."""

    failures: int = 0  # consecutive requests without any answer
    openings: int = 0  # how often the breaker opened meanwhile; 0: it is closed


CLOSED = BreakerState()


class Breaker(Struct, frozen=True, kw_only=True):
    """Open after `threshold` consecutive failures; then one request at a time, each after a longer cool-down.

    After `max_openings` the host is given up for this run: its URLs fail without a request and
    stay retriable, so that one dead host cannot keep a crawl from ending.
    """

    threshold: int = 10
    first_cooldown: float = 5.0
    max_cooldown: float = 60.0
    max_openings: int = 8  # 5 + 10 + 20 + 40 + 4 * 60: a bit over five minutes

    def update(self, state: BreakerState, *, answered: bool, reason: str | None) -> BreakerState:
        """Return the state after one more result; `reason` is that of a failure.

        A failure that tells nothing about the host (one that is not in `NO_ANSWER`) changes nothing.
        """
        if answered:
            return CLOSED
        if reason not in NO_ANSWER:
            return state
        failures = state.failures + 1
        return BreakerState(failures, state.openings + (failures >= self.threshold))

    def cooldown(self, state: BreakerState) -> float:
        """Return how long the host is left alone after the failure that led to `state`."""
        if not state.openings:
            return 0.0
        return min(self.first_cooldown * 2.0 ** min(state.openings - 1, 30), self.max_cooldown)

    def gives_up(self, state: BreakerState) -> bool:
        return state.openings > self.max_openings
