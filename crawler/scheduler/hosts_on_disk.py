"""Hosts on disk: lets hosts with pending URLs into the window in turn, those that may be asked soon.

May touch: the window, the throttle, the robots cache, ports.

The disk may have a hundred thousand hosts, the window has room for two thousand. The hosts are read
round by round, in order of discovery. One that has to wait (a delay, a pause, an open breaker) is passed
over until shortly before its time, so that it keeps no other host from being asked.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from penstock.crawler.ports import FrontierStore, LoadedHost, WaitingHost
from penstock.crawler.scheduler.host_window import AHEAD_SECONDS, HostWindow
from penstock.crawler.scheduler.robots_cache import RobotsCache
from penstock.crawler.scheduler.throttle import Throttle

HOSTS_AT_ONCE = 2_000  # read in one go, in some 5 ms
LOADED_AT_ONCE = 250  # with their URLs and robots.txt; some 10 ms
MIN_PAUSE = 0.25  # seconds between two rounds
PAUSE_PER_HOST = 20e-6  # seconds; a host takes some 3 us to be read and passed over


class HostsOnDisk:
    """The hosts that have pending URLs on disk and may be outside the window."""

    def __init__(
        self, store: FrontierStore, window: HostWindow, throttle: Throttle, robots: RobotsCache
    ) -> None:
        self._store, self._window, self._throttle, self._robots = store, window, throttle, robots
        self._next_round = 0.0  # unix seconds; not before
        self._last: str | None = None  # host of this round; None: no round has begun
        self._passed = 0  # hosts of this round

    @property
    def may_exist(self) -> bool:
        """False if all hosts with pending URLs are in the window, or have spent their budget."""
        return self._last is not None or self._window.left_out or self._window.returns_at < math.inf

    @property
    def wake_at(self) -> float:
        """When to call `enter` next, unix seconds, if nothing else happens; infinity: not needed."""
        if not self._window.has_room_for_hosts():
            return math.inf
        if self._last is not None:
            return 0.0
        wanted = 0.0 if self._window.left_out else self._window.returns_at - AHEAD_SECONDS
        return max(wanted, self._next_round)

    async def enter(self, now: float) -> None:
        """Let hosts into the window, as far as it has room and they may be asked soon."""
        if now < self.wake_at:
            return
        if self._last is None:
            self._window.left_out, self._window.returns_at = False, math.inf
        found = await self._store.waiting_hosts(after=self._last, limit=HOSTS_AT_ONCE)
        chosen = self._choose(found, now)
        for start in range(0, len(chosen), LOADED_AT_ONCE):
            await self._load(chosen[start : start + LOADED_AT_ONCE], now)

    def _choose(self, found: Sequence[WaitingHost], now: float) -> list[WaitingHost]:
        """Choose the hosts that enter now; end the round if these were the last hosts."""
        window = self._window
        chosen: list[WaitingHost] = []
        room = window.max_hosts - len(window.queues)
        for host in found:
            if not (
                host.name in window.queues
                or host.name in window.spent
                or window.rests(host.name, host.throttle.ready_at, now)
            ):
                if len(chosen) == room:
                    return chosen  # the round goes on behind the last of these
                chosen.append(host)
            self._last = host.name
            self._passed += 1
        if len(found) < HOSTS_AT_ONCE:
            self._next_round = now + max(MIN_PAUSE, self._passed * PAUSE_PER_HOST)
            self._last, self._passed = None, 0
        return chosen

    async def _load(self, hosts: Sequence[WaitingHost], now: float) -> None:
        # What was read is queued without another await, so that no commit can settle a URL between
        # the read and the comparison with memory.
        limit = self._window.batch()
        names = [host.name for host in hosts]
        loaded = await self._store.load_hosts(names, limit=limit, newer_than=self._robots.oldest(now))
        for host in hosts:
            if (own := loaded.get(host.name)) is not None and host.name not in self._window.spent:
                self._let_in(host, own, limit, now)

    def _let_in(self, host: WaitingHost, loaded: LoadedHost, limit: int, now: float) -> None:
        entered = self._window.enter(host.name, loaded.urls, more=len(loaded.urls) >= limit)
        if entered is not None:
            self._throttle.restore(entered, host.throttle, now)
            # With a budget of pages per host the frontier still has to count them.
            entered.restored = self._window.max_pages is None
            for site, answer in loaded.robots.items():
                entered.rules[site] = self._robots.read(answer)
