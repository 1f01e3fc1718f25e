"""Trend: how fast a crawl goes, and when it will have come to its end if that can be known.

May touch: ports. Pure: looks go in, a rate and a guess come out.

A guess is only made where there is something to go by: a budget, or a frontier that has
stopped growing. While pages still bring new URLs nobody knows how many there will be.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple, Protocol

from penstock.crawler.ports import Totals

SPAN = 10.0  # seconds that "per second" looks back
KNOWN_AFTER = 2.0  # seconds; less is no ground for a guess
STILL = 0.1  # new URLs per settled one, up to which a frontier has stopped growing


class Look(NamedTuple):
    at: float = 0.0  # seconds since the run began
    pages: int = 0  # run, as are bytes
    bytes: int = 0
    settled: int = 0  # URLs that have their answer, whatever it is
    pending: int = 0


class Budgets(Protocol):
    """The three of a `CrawlConfig`."""

    @property
    def max_pages(self) -> int | None: ...
    @property
    def max_bytes(self) -> int | None: ...
    @property
    def max_time(self) -> float | None: ...


class Left(NamedTuple):
    """What the budgets left to a run when it began; None: there is no such budget."""

    pages: int | None = None
    bytes: int | None = None
    seconds: float | None = None

    @classmethod
    def of(cls, budgets: Budgets, spent: Totals) -> Left:
        return cls(
            None if budgets.max_pages is None else budgets.max_pages - spent.pages,
            None if budgets.max_bytes is None else budgets.max_bytes - spent.bytes,
            budgets.max_time,
        )


class Trend:
    def __init__(self, first: Look) -> None:
        self._seen: deque[Look] = deque([first])

    def add(self, look: Look) -> None:
        """Once a second or so."""
        self._seen.append(look)
        while len(self._seen) > 2 and look.at - self._seen[0].at > SPAN:
            self._seen.popleft()

    def pages_per_s(self, now: Look) -> float:
        then = self._seen[0]
        return (now.pages - then.pages) / (now.at - then.at) if now.at > then.at else 0.0

    def left_s(self, now: Look, left: Left) -> float | None:
        """Seconds until the first of all possible ends; None if none is in sight."""
        then = self._seen[0]
        span = now.at - then.at
        ends = [] if left.seconds is None else [max(left.seconds - now.at, 0.0)]
        if span >= KNOWN_AFTER:
            if left.pages is not None and now.pages > then.pages:
                ends.append(max(left.pages - now.pages, 0) * span / (now.pages - then.pages))
            if left.bytes is not None and now.bytes > then.bytes:
                ends.append(max(left.bytes - now.bytes, 0) * span / (now.bytes - then.bytes))
            settled, fell = now.settled - then.settled, then.pending - now.pending
            if settled and fell >= (1 - STILL) * settled:
                ends.append(now.pending * span / fell)
        return min(ends, default=None)
