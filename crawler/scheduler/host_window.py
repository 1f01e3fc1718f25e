"""Hosts: the window's queues, one per host, and the heap of when each may be asked.

May touch: host queues, messages, ports. All synchronous: a state machine without a clock.

A host is in exactly one place: `ready` (has work, may be asked now or soon to be
looked at), `later` (has work, not before its time), or neither (no work, all its
connections in use, or blocked until its robots.txt is known).
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Iterable

from penstock.crawler.messages import Kind
from penstock.crawler.ports import HostClock, Pending
from penstock.crawler.scheduler.host_queue import HostQueue

MAX_HOSTS = 2_000  # in memory at once; the others wait on disk
MAX_URLS = 16_000  # in all queues together, about; some 5 MB
MAX_BATCH = 512  # URLs read from disk for one host at a time
MIN_BATCH = 8
LONG_PAUSE = 0.5  # seconds; a shorter one between two starts is over before a restart could ask


class HostWindow:
    """All host queues; hands out, in turn, the host that may be asked."""

    def __init__(self, *, first_limit: int, max_hosts: int = MAX_HOSTS, max_pages: int | None = None) -> None:
        """`first_limit`: how many requests a host may have open until more is known of it.
        `max_pages`: how many pages of one host may be stored; None: no bound."""
        self.queues: dict[str, HostQueue] = {}
        self.pending = 0  # URLs in all queues
        self.open_requests = 0  # to all hosts
        self.max_hosts = max_hosts
        self.spent: set[str] = set()  # hosts whose own budget is used up
        self._first_limit = first_limit
        self._max_pages = max_pages
        self._held: set[tuple[Kind, str]] = set()
        self._ready: deque[HostQueue] = deque()
        self._later: list[tuple[float, int, HostQueue]] = []
        self._hungry: dict[HostQueue, None] = {}
        self._clocks: dict[str, float] = {}  # of hosts that left the window before their time
        self._arrival = itertools.count()
        self._last: set[str] = set()  # URLs that come after all others
        self._put_off: dict[str, Pending] = {}  # of these, the ones that were read from disk
        self._changed: set[HostQueue] = set()  # clocks to be written with the next commit

    def __repr__(self) -> str:
        return f"<HostWindow hosts={len(self.queues)} pending={self.pending} held={len(self._held)}>"

    # -- sizes

    @property
    def held(self) -> int:
        """URLs on disk that need not be read again."""
        return len(self._held) + len(self._put_off)

    @property
    def put_off(self) -> int:
        """URLs read from disk that come last."""
        return len(self._put_off)

    def batch(self) -> int:
        """How many URLs to read for one host: the window's size, shared."""
        return max(MIN_BATCH, min(MAX_BATCH, MAX_URLS // max(len(self.queues), 1)))

    def has_room_for_hosts(self) -> bool:
        return len(self.queues) < max(self.max_hosts // 2, 1)

    # -- what the disk has

    def grew(self, name: str) -> bool:
        """The disk has new URLs of this host. False if there is no room for the host now."""
        if name in self.spent:
            return True
        host = self.queues.get(name)
        if host is None:
            if len(self.queues) >= self.max_hosts:
                return False
            host = self.queues[name] = self._new_host(name)
        host.more = True
        self._note_hunger(host)
        return True

    def hungry(self) -> list[HostQueue]:
        """The hosts whose queues run low while the disk may have more. Each is named once."""
        hosts, self._hungry = self._hungry, {}
        return [host for host in hosts if self.queues.get(host.name) is host]

    def take_in(self, found: Iterable[Pending]) -> None:
        """Queue the URLs that are not in memory already."""
        fed: set[HostQueue] = set()
        for pending in found:
            key = (pending.kind, pending.url)
            if key in self._held or pending.host in self.spent:
                continue
            if pending.url in self._last:
                self._put_off[pending.url] = pending
                continue
            host = self.queues.get(pending.host)
            if host is None:
                host = self.queues[pending.host] = self._new_host(pending.host)
            self._held.add(key)
            host.held += 1
            heapq.heappush(host.queue, (pending.depth, next(self._arrival), pending))
            self.pending += 1
            fed.add(host)
            self._line_up(host)
        for host in fed:  # not before: a queue that is being filled is not running low
            self._hungry.pop(host, None)
            self._note_hunger(host)

    def keep_for_last(self, urls: Iterable[str]) -> None:
        """These URLs come after all others, and then one at a time (`release_last`)."""
        self._last.update(urls)

    def release_last(self) -> bool:
        """Queue one of the URLs kept for last. False if there is none."""
        if not self._put_off:
            return False
        url, pending = self._put_off.popitem()
        self._last.discard(url)
        self.take_in([pending])
        return True

    def feed(self, host: HostQueue, found: Iterable[Pending], *, more: bool) -> None:
        """Take in what was read for one host; `more` says that the disk may have others."""
        host.more = more
        self.take_in(found)
        self._drop_if_idle(host)

    # -- who is next

    def take_ready(self, now: float) -> HostQueue | None:
        """The next host that may be asked now. The caller starts, blocks or drops its first URL."""
        while self._later and self._later[0][0] <= now:
            host = heapq.heappop(self._later)[2]
            host.queued = False
            self._line_up(host)
        while self._ready:
            host = self._ready.popleft()
            host.queued = False
            if not self._may_start(host):
                continue
            if host.ready_at > now:
                host.queued = True
                heapq.heappush(self._later, (host.ready_at, next(self._arrival), host))
                continue
            return host
        return None

    def next_ready(self) -> float:
        """When the first waiting host may be asked; infinity if none waits for its time."""
        return self._later[0][0] if self._later else float("inf")

    def put_back(self, host: HostQueue) -> None:
        """The host may not be asked after all; it lines up again."""
        self._line_up(host)

    def start(self, host: HostQueue, *, now: float, next_start: float) -> None:
        """The host's first URL is on its way."""
        host.active += 1
        self.open_requests += 1
        host.ready_at = max(host.ready_at, next_start)
        if next_start - now >= LONG_PAUSE:
            self._changed.add(host)
        self.drop_first(host)

    def drop_first(self, host: HostQueue) -> None:
        """The host's first URL leaves the queue; it stays held until it is settled."""
        heapq.heappop(host.queue)
        self.pending -= 1
        self._note_hunger(host)
        self._line_up(host)

    def block(self, host: HostQueue, *, next_start: float = 0.0) -> None:
        """Ask nothing of the host until its robots.txt is known; that request is under way."""
        host.blocked = True
        host.ready_at = max(host.ready_at, next_start)
        host.active += 1
        self.open_requests += 1

    def count_pages(self, host: HostQueue, pages: int) -> bool:
        """So many pages are stored. True if these are all it may have: the rest is left on disk."""
        host.pages = pages
        if self._max_pages is None or pages < self._max_pages:
            return False
        self.spent.add(host.name)
        for _, _, url in host.queue:
            self._held.discard((url.kind, url.url))
        host.held -= len(host.queue)
        self.pending -= len(host.queue)
        host.queue.clear()
        host.more = False
        return True

    # -- what became of it

    def answered(self, host: HostQueue, *, rest_until: float) -> None:
        """A request to the host has ended; it rests until then (unix seconds; 0: it need not)."""
        host.active -= 1
        self.open_requests -= 1
        if host.adapted or rest_until > host.ready_at:
            host.adapted = False
            self._changed.add(host)
        host.ready_at = max(host.ready_at, rest_until)
        self._line_up(host)
        self._drop_if_idle(host)

    def unblock(self, host: HostQueue, *, rest_until: float) -> None:
        """The robots.txt request has been settled."""
        host.blocked = False
        if rest_until > host.ready_at:
            self._changed.add(host)
            host.ready_at = rest_until
        self._line_up(host)
        self._drop_if_idle(host)

    def changed_clocks(self) -> dict[str, HostClock]:
        """The clocks that changed since the last call."""
        changed, self._changed = self._changed, set()
        return {host.name: host.clock() for host in changed}

    def forget(self, name: str, url: str, kind: Kind = "page") -> None:
        """A URL is settled: memory no longer speaks for it."""
        self._held.discard((kind, url))
        host = self.queues[name]
        host.held -= 1
        self._line_up(host)  # with a budget, one fewer under way may let the next one start
        self._drop_if_idle(host)

    # -- within

    def _new_host(self, name: str) -> HostQueue:
        return HostQueue(name, self._clocks.pop(name, 0.0), self._first_limit)

    def _may_start(self, host: HostQueue) -> bool:
        # A host that has fallen silent is asked by one request at a time whether it is back.
        limit = host.width.limit if not host.silence.rests else 1
        if self._max_pages is not None and host.pages + host.held - len(host.queue) >= self._max_pages:
            return False  # each that is under way may become a page
        return bool(host.queue) and not host.blocked and host.active < limit

    def _line_up(self, host: HostQueue) -> None:
        if not host.queued and self._may_start(host):
            host.queued = True
            self._ready.append(host)

    def _note_hunger(self, host: HostQueue) -> None:
        if host.more and len(host.queue) < self.batch() // 4:
            self._hungry[host] = None

    def _drop_if_idle(self, host: HostQueue) -> None:
        if not (host.held or host.active or host.more or host.queue or host.blocked):
            if self.queues.get(host.name) is not host:
                return  # it left before, and another came in its name
            del self.queues[host.name]
            self._clocks[host.name] = host.ready_at
            if len(self._clocks) > self.max_hosts:
                self._forget_old_clocks()

    def _forget_old_clocks(self) -> None:
        """Keep the clocks of the hosts that must rest the longest."""
        latest = sorted(self._clocks.items(), key=lambda item: item[1])[-self.max_hosts // 2 :]
        self._clocks = dict(latest)
