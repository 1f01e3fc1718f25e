"""Host queue: one host's part of the window, its URLs and what is known of it. No decisions.

May touch: ports, policies, robots.
"""

from __future__ import annotations

from penstock.crawler.policies.breaker import ANSWERED
from penstock.crawler.policies.congestion import Width
from penstock.crawler.policies.pacing import Pace
from penstock.crawler.ports import HostClock, Pending
from penstock.crawler.scheduler.robots_cache import RobotsRules


class HostQueue:
    """One host's part of the window: its URLs by depth, and its throttle."""

    __slots__ = (
        "active",
        "adapted",
        "blocked",
        "clock_known",
        "held",
        "more",
        "name",
        "pace",
        "pages",
        "queue",
        "queued",
        "ready_at",
        "rules",
        "silence",
        "width",
    )

    def __init__(self, name: str, ready_at: float, limit: int) -> None:
        self.name = name
        self.queue: list[tuple[int, int, Pending]] = []  # heap of (depth, arrival, URL)
        self.held = 0  # URLs in memory: queued here or in flight
        self.active = 0  # requests under way
        self.ready_at = ready_at  # unix seconds of the next allowed start
        self.more = True  # the disk may have URLs that are not held
        self.queued = False  # it stands in `ready` or `later`
        self.blocked = False  # its robots.txt is being asked for
        self.rules: dict[str, RobotsRules] = {}  # by origin
        self.clock_known = False  # what the disk remembers of its clock was read
        self.silence = ANSWERED  # the circuit breaker's memory
        self.width = Width(limit)  # how many requests may be open
        self.pace = Pace()  # how many may start a second
        self.adapted = False  # one of the two has changed since it was last written down
        self.pages = 0  # stored so far; counted only where a host has a budget

    def __repr__(self) -> str:
        return f"<HostQueue {self.name} queue={len(self.queue)} active={self.active} held={self.held}>"

    def first(self) -> Pending:
        return self.queue[0][2]

    def clock(self) -> HostClock:
        """What outlives the run."""
        rate = self.pace.rate if self.pace.gap else None
        return HostClock(self.ready_at, *self.silence, self.width.limit, rate)
