"""Retry: whether a failed request is worth another one, and when. All times in seconds.

May touch: nothing.
"""

from __future__ import annotations

from msgspec import Struct

# What passes by itself: overload, gateways, and Cloudflare's own 52x (the origin did not answer).
RETRIED_STATUSES = frozenset({408, 429, 500, 502, 503, 504, *range(520, 530)})
# A broken body may be whole the next time; a bad certificate or an oversized page will not.
RETRIED_REASONS = frozenset(
    {
        "timeout",
        "timeout_connect",
        "timeout_read",
        "dns",
        "refused",
        "connect",
        "proxy",
        "reset",
        "truncated",
        "bad_coding",
        "bad_http",
    }
)
RETRY_AFTER_TOO_LONG = "retry_after_too_long"


class Wait(Struct, frozen=True, kw_only=True):
    """Ask again after so many seconds."""

    seconds: float


class GiveUp(Struct, frozen=True, kw_only=True):
    reason: str


class Retry(Struct, frozen=True, kw_only=True):
    """Exponential backoff with jitter (half to one and a half of the nominal wait).

    The jitter keeps URLs that failed together from coming back together. A 429 is the
    server's own word that we are too fast, so it earns a longer wait than a failure.
    """

    retries: int = 3  # after the first request
    first_wait: float = 1.0
    factor_429: float = 4.0
    longest_wait: float = 300.0
    max_retry_after: float = 60.0

    def judge(
        self, *, status: int | None, reason: str, attempt: int, retry_after: float | None, chance: float
    ) -> Wait | GiveUp:
        """Judge the failure of attempt number `attempt` (from 1). `chance` is in [0, 1).

        `status` is the HTTP status if one arrived and is itself the failure, else None.
        Retry-After binds the URL whatever the status (RFC 9110 section 10.2.3).
        """
        passing = status in RETRIED_STATUSES if status is not None else reason in RETRIED_REASONS
        if not passing:
            return GiveUp(reason=reason)
        if retry_after is not None and retry_after > self.max_retry_after:
            return GiveUp(reason=RETRY_AFTER_TOO_LONG)
        if attempt > self.retries:
            return GiveUp(reason=reason)
        return Wait(seconds=max(self.backoff(status, attempt, chance), retry_after or 0.0))

    @property
    def longest(self) -> float:
        """No backoff is longer than this."""
        return 1.5 * self.longest_wait

    def backoff(self, status: int | None, attempt: int, chance: float) -> float:
        nominal = self.first_wait * (self.factor_429 if status == 429 else 1.0) * 2.0 ** min(attempt - 1, 30)
        return min(nominal, self.longest_wait) * (0.5 + chance)
