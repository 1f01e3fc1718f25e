"""Retry: whether a failed request is worth another one, and when. All times in seconds.

May touch: nothing.
"""

from __future__ import annotations

from msgspec import Struct

# Failures that pass by themselves: overload, gateways, Cloudflare's 52x (the origin did not answer).
RETRIED_STATUSES = frozenset({408, 429, 500, 502, 503, 504, *range(520, 530)})
# A broken body may arrive whole the next time; a bad certificate or an oversized page does not change.
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
# Of a class of reasons that pass: these do not.
FINAL_REASONS = frozenset({"proxy:auth", "proxy:denied"})
RETRY_AFTER_TOO_LONG = "retry_after_too_long"


class Wait(Struct, frozen=True, kw_only=True):
    """Request again after so many seconds."""

    seconds: float


class GiveUp(Struct, frozen=True, kw_only=True):
    """Do not request again."""

    reason: str  # of the failed URL


class Retry(Struct, frozen=True, kw_only=True):
    """Exponential backoff with jitter (half to one and a half of the nominal wait).

    The jitter keeps URLs that failed together from coming back together. After a 429 the wait is
    longer than after a failure: the server has said that requests come too fast.
    """

    retries: int = 3  # after the first request
    first_wait: float = 1.0  # doubles with each attempt
    factor_429: float = 4.0  # times longer after a 429
    longest_wait: float = 300.0  # before jitter
    max_retry_after: float = 60.0  # a longer Retry-After fails the URL

    def judge(
        self, *, status: int | None, reason: str, attempt: int, retry_after: float | None, chance: float
    ) -> Wait | GiveUp:
        """Judge the failure of attempt number `attempt` (from 1). `chance` in [0, 1) is the jitter.

        `status` is the HTTP status if one arrived and is itself the failure, else None.
        Retry-After binds the URL whatever the status (RFC 9110 section 10.2.3).
        """
        if status is not None:
            passing = status in RETRIED_STATUSES
        else:
            word = reason.partition(":")[0]  # what follows is the cause in detail
            passing = word in RETRIED_REASONS and reason not in FINAL_REASONS
        if not passing:
            return GiveUp(reason=reason)
        if retry_after is not None and retry_after > self.max_retry_after:
            return GiveUp(reason=RETRY_AFTER_TOO_LONG)
        if attempt > self.retries:
            return GiveUp(reason=reason)
        return Wait(seconds=max(self.backoff(status, attempt, chance), retry_after or 0.0))

    @property
    def longest(self) -> float:
        """The longest backoff, jitter included."""
        return 1.5 * self.longest_wait

    def backoff(self, status: int | None, attempt: int, chance: float) -> float:
        """Return the wait after attempt number `attempt`, without regard to Retry-After."""
        nominal = self.first_wait * (self.factor_429 if status == 429 else 1.0) * 2.0 ** min(attempt - 1, 30)
        return min(nominal, self.longest_wait) * (0.5 + chance)
