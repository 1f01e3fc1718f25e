"""Shares: how many fetchers slow and unknown hosts may hold while quick hosts are there.

May touch: the window's host queues, of which it keeps the class and its requests.

By Little's law a host holds fetchers in proportion to its latency; without a share (a bulkhead) the slow
hosts of a wide crawl would hold them all. So while some hosts in the window are known to be quick, the slow
ones have at most half of the fetchers, and together with the unknown ones three quarters. Without quick
hosts nobody is kept waiting.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from penstock.crawler.scheduler.host_window import HostQueue

SLOW_SECONDS = 2.0  # to an answer; a host that needs more is slow
MAX_SLOW = 20_000  # names of slow hosts outside the window that are kept


class FetcherShares:
    """Counts the open requests of slow and of unknown hosts, and keeps those that find no share."""

    def __init__(self, fetchers: int) -> None:
        """`fetchers`: how many requests all hosts may have open together."""
        self.fetchers = fetchers
        self._slow_share = max(fetchers // 2, 1)
        self._slow_and_unknown_share = max(fetchers * 3 // 4, 1)
        self._quick_hosts = 0  # in the window
        self._slow_requests = 0  # open
        self._unknown_requests = 0  # open
        self._slow_aside: deque[HostQueue] = deque()  # READY, but their class has its share
        self._unknown_aside: deque[HostQueue] = deque()
        self._slow_names: dict[str, None] = {}  # of hosts that left the window

    def note_entry(self, host: HostQueue) -> None:
        """The host has entered the window. One that was slow when it left still is."""
        if host.name in self._slow_names:
            del self._slow_names[host.name]
            host.known = host.slow = True

    def note_exit(self, host: HostQueue) -> None:
        """The host has left the window, with no request open."""
        self._quick_hosts -= host.known and not host.slow
        if host.slow and len(self._slow_names) < MAX_SLOW:
            self._slow_names[host.name] = None

    def note_latency(self, host: HostQueue, *, slow: bool) -> None:
        """A request to the host has ended: it is slow, or quick."""
        self._quick_hosts += (not slow) - (host.known and not host.slow)
        host.known, host.slow = True, slow

    def open_request(self, host: HostQueue) -> None:
        if not host.known:
            host.unknown_requests += 1
            self._unknown_requests += 1
        elif host.slow:
            host.slow_requests += 1
            self._slow_requests += 1

    def close_request(self, host: HostQueue) -> None:
        """End a request. It counts for the class that the host had when it was opened."""
        if host.unknown_requests:
            host.unknown_requests -= 1
            self._unknown_requests -= 1
        elif host.slow_requests:
            host.slow_requests -= 1
            self._slow_requests -= 1

    def may_start(self, host: HostQueue) -> bool:
        """True if the host's class has room for another request."""
        if not self._quick_hosts or (host.known and not host.slow):
            return True
        if host.slow and self._slow_requests >= self._slow_share:
            return False
        return self._slow_requests + self._unknown_requests < self._slow_and_unknown_share

    def set_aside(self, host: HostQueue) -> None:
        """Keep a host that may not start now until `take_admitted` returns it."""
        (self._slow_aside if host.slow else self._unknown_aside).append(host)

    def take_admitted(self) -> list[HostQueue]:
        """Return a host of each class that was set aside, if its class has room.

        Not one for each request that ends: a host that became quick meanwhile, or has nothing to ask,
        would leave its part of the share unused until no quick host is left.
        """
        return [
            aside.popleft()
            for aside in (self._slow_aside, self._unknown_aside)
            if aside and self.may_start(aside[0])
        ]
