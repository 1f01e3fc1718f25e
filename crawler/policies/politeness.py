"""Politeness: what the operator allows: the load on hosts and network, and a budget. Times in seconds.

May touch: nothing. The caller brings the time and does the waiting.
"""

from __future__ import annotations

from msgspec import Struct


class Politeness(Struct, frozen=True, kw_only=True):
    """Bound a host's open requests, and the pause between their starts."""

    per_host: int = 8  # open requests, at most
    delay: float = 0.0  # between two starts, at least
    rate: float | None = None  # starts a second, to all hosts together; None: no bound
    adaptive: bool = True  # Retry-After then pauses the whole host, not only its URL
    max_pause: float = 60.0
    max_crawl_delay: float = 30.0  # a Crawl-delay beyond that is a trap or a mistake

    def next_start(self, started_at: float, crawl_delay: float = 0.0) -> float:
        """Return the earliest moment of the host's next request after one that started at `started_at`.

        Crawl-delay is a convention of robots.txt files; RFC 9309 does not define it. It is
        a floor under `adaptive`; `fixed` keeps exactly what the operator asked for.
        """
        floor = min(crawl_delay, self.max_crawl_delay) if self.adaptive else 0.0
        return started_at + max(self.delay, floor)

    def pause(self, retry_after: float | None) -> float:
        """Return how long the whole host is left alone after an answer with this Retry-After."""
        if retry_after is None or not self.adaptive:
            return 0.0
        return min(retry_after, self.max_pause)


class Bandwidth:
    """Spread received bytes evenly over time: `per_second` bytes, all hosts together."""

    BURST = 0.25  # seconds' worth that may come at once; with less, most of the work would be timers

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._paid_until = 0.0  # seconds, of the caller's clock

    def wait(self, count: int, now: float) -> float:
        """Note `count` received bytes; return the seconds to wait before the next are read."""
        self._paid_until = max(self._paid_until, now - self.BURST) + count / self._per_second
        return max(self._paid_until - now, 0.0)


class Budget(Struct, frozen=True, kw_only=True):
    """Bounds on what a crawl stores, all runs together. None: no bound."""

    max_pages: int | None = None  # pages of status 200 without error
    max_bytes: int | None = None  # bodies, after content-coding
    max_pages_per_host: int | None = None  # a host that has so many is not asked again; the other hosts go on

    def spent(self, *, pages: int, size: int) -> str | None:
        """Return which budget is used up, `max_pages` or `max_bytes`, or None. `size` is in bytes."""
        if self.max_pages is not None and pages >= self.max_pages:
            return "max_pages"
        if self.max_bytes is not None and size >= self.max_bytes:
            return "max_bytes"
        return None

    def may_lease(self, *, pages: int, leased: int, size: int) -> bool:
        """True if one more URL may be leased although each leased one may become a page.

        So `max_pages` is exact: there are never more URLs in flight than pages may be stored.
        """
        return self.spent(pages=pages + leased, size=size) is None
