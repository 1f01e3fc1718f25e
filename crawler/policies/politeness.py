"""Politeness: how hard the operator lets hosts, and the network, be used. All times in seconds.

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
