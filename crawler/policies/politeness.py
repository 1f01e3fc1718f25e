"""Politeness: when a host may be asked again, and by how many at once. All times in seconds.

May touch: nothing.
"""

from __future__ import annotations

from msgspec import Struct


class Politeness(Struct, frozen=True, kw_only=True):
    """One throttle per host: a bound on open requests and a pause between their starts."""

    per_host: int = 8
    delay: float = 0.0
    rate: float | None = None  # starts a second, to all hosts together
    adaptive: bool = True  # Retry-After then rests the whole host, not only its URL
    max_pause: float = 60.0
    max_crawl_delay: float = 30.0  # beyond that a Crawl-delay is a trap or a mistake

    def next_start(self, started_at: float, crawl_delay: float = 0.0) -> float:
        """The earliest moment of the host's next request after one that started then.

        Crawl-delay is a convention of robots.txt files; RFC 9309 does not define it. It is
        a floor under `adaptive`; `fixed` keeps exactly what the operator asked for.
        """
        floor = min(crawl_delay, self.max_crawl_delay) if self.adaptive else 0.0
        return started_at + max(self.delay, floor)

    def pause(self, retry_after: float | None) -> float:
        """How long the whole host rests after an answer with this Retry-After."""
        if retry_after is None or not self.adaptive:
            return 0.0
        return min(retry_after, self.max_pause)
