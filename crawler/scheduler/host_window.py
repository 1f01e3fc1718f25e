"""Host window: the hosts that have work, their queues of URLs, and which host may be asked next.

May touch: messages, ports, the policies' states, robots rules. All synchronous: a state machine
without a clock.

Each host is in exactly one place. `TRANSITIONS` lists every move; any other one raises.

    IDLE     it cannot start a request: no URL, no free connection, or no page left in its budget
    READY    it stands in the queue of hosts that can start a request
    LATER    it can start a request, but not before its time; it stands in the heap of times
    TAKEN    the caller of `take_ready` has it and decides about its first URL
    BLOCKED  its robots.txt is being requested, so nothing else is
    LEFT     it has left the window; if the host gets new URLs, a new `HostQueue` takes its place
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum

from penstock.crawler.messages import Kind
from penstock.crawler.policies.breaker import CLOSED
from penstock.crawler.policies.congestion import ConcurrencyState
from penstock.crawler.policies.pacing import RateState
from penstock.crawler.ports import HostThrottle, Pending
from penstock.crawler.scheduler.robots_cache import RobotsRules
from penstock.crawler.scheduler.shares import FetcherShares

MAX_HOSTS = 2_000  # in memory at once; the others wait on disk
MAX_URLS = 16_000  # in all queues together, about; some 5 MB
MAX_BATCH = 512  # URLs read from disk for one host at a time
MIN_BATCH = 8
LONG_PAUSE = 0.5  # seconds; a shorter one between two starts is over before a restart could ask
REST_SECONDS = 1.5  # a host that must wait longer leaves a window that is half full
SLOW_REST = 5.0  # seconds for which a slow host leaves a full window if the slow ones have their share
AHEAD_SECONDS = 1.0  # a host on disk may enter so long before its time
MAX_PAUSE = 300.0  # seconds; a longer one on disk was written while the machine's clock was wrong
NEVER = float("inf")
BEGUN = -1  # before all depths: the next request of a handshake whose jar is in memory
CHOSEN = -2  # before these: the URL that a host was taken for


class Place(IntEnum):
    """Where a host stands. An IntEnum: a look-up in `TRANSITIONS` takes 0.1 us, with a plain Enum 0.5."""

    IDLE = 0
    READY = 1
    LATER = 2
    TAKEN = 3
    BLOCKED = 4
    LEFT = 5


class Move(IntEnum):
    """What moves a host from one place to another."""

    LINE_UP = 0  # it can start a request
    STALL = 1  # its turn has come, but it can no longer start one
    WAIT = 2  # its turn has come before its time
    WAKE = 3  # its time has come
    TAKE = 4  # its turn and its time have come
    RELEASE = 5  # its first URL was started or dropped, or the host has to wait after all
    BLOCK = 6  # its robots.txt must be known first
    UNBLOCK = 7  # its robots.txt is known
    LEAVE = 8  # neither memory nor disk has work for it
    REST = 9  # it must wait for so long that others take its place in the window


# Names of their own: Python 3.11 takes 0.13 us to find `Place.IDLE`, and a page needs a dozen of them.
IDLE, READY, LATER, TAKEN, BLOCKED, LEFT = Place
LINE_UP, STALL, WAIT, WAKE, TAKE, RELEASE, BLOCK, UNBLOCK, LEAVE, REST = Move

TRANSITIONS: Mapping[Place, Mapping[Move, Place]] = {
    IDLE: {LINE_UP: READY, LEAVE: LEFT},
    READY: {TAKE: TAKEN, WAIT: LATER, STALL: IDLE, REST: LEFT},
    LATER: {WAKE: IDLE, REST: LEFT},
    TAKEN: {RELEASE: IDLE, BLOCK: BLOCKED},
    BLOCKED: {UNBLOCK: IDLE},
    LEFT: {},
}


class HostQueue:
    """One host's part of the window: its URLs by depth, its place, and the state of its throttle."""

    __slots__ = (
        "active",
        "asked_at",
        "breaker",
        "concurrency",
        "held",
        "known",
        "more_on_disk",
        "name",
        "pages",
        "place",
        "rate",
        "ready_at",
        "restored",
        "rules",
        "slow",
        "slow_requests",
        "unknown_requests",
        "urls",
    )

    def __init__(self, name: str, ready_at: float = 0.0, first_limit: int = 1) -> None:
        self.name = name
        self.place = IDLE
        self.urls: list[tuple[int, int, Pending]] = []  # heap of (depth, arrival, URL)
        self.held = 0  # URLs in memory: queued here or in flight
        self.active = 0  # open requests
        self.ready_at = ready_at  # unix seconds of the next allowed start
        self.more_on_disk = True  # the disk may have URLs that are not held
        self.restored = False  # the throttle's state was read from disk
        self.breaker = CLOSED
        self.concurrency = ConcurrencyState(first_limit)  # how many requests may be open
        self.rate = RateState()  # how many may start a second
        self.rules: dict[str, RobotsRules] = {}  # by origin
        self.pages = 0  # stored so far; counted only where a host has a budget
        self.known = False  # a request to it has ended in this run
        self.slow = False  # its last answer took `SLOW_SECONDS`, or did not come
        self.asked_at = 0.0  # unix seconds: when its robots.txt was asked for
        self.slow_requests = 0  # of the open ones, those that count for the share of slow hosts
        self.unknown_requests = 0  # those that count for the share of unknown hosts

    def __repr__(self) -> str:
        urls, place = len(self.urls), self.place.name
        return f"<HostQueue {self.name} {place} urls={urls} active={self.active} held={self.held}>"

    def move(self, move: Move) -> None:
        """Change the place. Raises RuntimeError if `TRANSITIONS` has no such move from here."""
        try:
            self.place = TRANSITIONS[self.place][move]
        except KeyError:
            raise RuntimeError(f"{self!r} cannot {move.name}") from None

    def first(self) -> Pending:
        return self.urls[0][2]

    def throttle(self) -> HostThrottle:
        """Return what outlives the run."""
        rate = self.rate.rate if self.rate.gap else None
        return HostThrottle(self.ready_at, *self.breaker, self.concurrency.limit, rate)


class HostWindow:
    """All host queues. `take_ready` returns the host that may be asked next, hosts taking turns."""

    def __init__(
        self,
        *,
        first_limit: int,
        fetchers: int = 1_024,
        max_hosts: int | None = None,
        max_pages: int | None = None,
    ) -> None:
        """`first_limit`: how many requests a host may have open until more is known of it.
        `fetchers`: how many all hosts may have open together.
        `max_pages`: how many pages of one host may be stored; None: no bound."""
        self.queues: dict[str, HostQueue] = {}  # by host
        self.pending = 0  # URLs in all queues
        self.open_requests = 0  # to all hosts
        self.max_hosts = max_hosts or MAX_HOSTS
        self.spent: set[str] = set()  # hosts whose own budget is used up
        self._first_limit = first_limit
        self.max_pages = max_pages
        self._held: set[tuple[Kind, str]] = set()
        self._ready: deque[HostQueue] = deque()  # those READY
        self._later: list[tuple[float, int, HostQueue]] = []  # those LATER: heap of (ready at, arrival, host)
        self._low: dict[HostQueue, None] = {}  # their queues run low while the disk may have more
        self._ready_at: dict[str, float] = {}  # of hosts that left before their time
        self._arrival = itertools.count()
        self._isolated: set[str] = set()  # URLs that come after all others
        self._waiting_alone: dict[str, Pending] = {}  # of these, the ones that were read from disk
        self._changed: set[HostQueue] = set()  # throttles to be written with the next commit
        self._shares = FetcherShares(fetchers)
        self._now = 0.0  # unix seconds, as of the last `take_ready`
        # About hosts outside; reset by who reads them from disk.
        self.left_out = True  # one found no room
        self.returns_at = NEVER  # unix seconds: when the first of those that rest may be asked
        # Hosts that rest though a retry of theirs is due, with the time when each may be asked. What reads
        # pending hosts from disk does not see retries, so these are looked for again at `retries_at`.
        self.resting: dict[str, float] = {}
        self.retries_at = NEVER  # unix seconds: the first of these

    def __repr__(self) -> str:
        return f"<HostWindow hosts={len(self.queues)} pending={self.pending} held={len(self._held)}>"

    # -- sizes

    @property
    def held(self) -> int:
        """URLs on disk that need not be read again."""
        return len(self._held) + len(self._waiting_alone)

    @property
    def isolated(self) -> int:
        """URLs read from disk that wait for `release_isolated`."""
        return len(self._waiting_alone)

    def batch(self) -> int:
        """How many URLs to read for one host: the window's size, shared."""
        return max(MIN_BATCH, min(MAX_BATCH, MAX_URLS // max(len(self.queues), 1)))

    def has_room_for_hosts(self) -> bool:
        return len(self.queues) < max(self.max_hosts // 2, 1)

    # -- what the disk has

    def note_new_urls(self, name: str) -> bool:
        """The disk has new URLs of this host. False if the host stays outside for now."""
        if name in self.spent:
            return True
        host = self.queues.get(name)
        if host is None:
            if not self.has_room_for_hosts() and self.rests(name, 0.0, self._now):
                return False
            if len(self.queues) >= self.max_hosts:
                self.left_out = True
                return False
            host = self._enter(name)
        host.more_on_disk = True
        self._note_low(host)
        return True

    def take_low(self) -> list[HostQueue]:
        """Return the hosts whose queues run low while the disk may have more; each is named once."""
        hosts, self._low = self._low, {}
        return [host for host in hosts if host.place is not LEFT]

    def add(self, found: Iterable[Pending]) -> None:
        """Queue the URLs that are not in memory already."""
        fed: set[HostQueue] = set()
        for pending in found:
            key = (pending.kind, pending.url)
            if key in self._held or pending.host in self.spent:
                continue
            if pending.url in self._isolated:
                self._waiting_alone[pending.url] = pending
                continue
            host = self.queues.get(pending.host)
            if host is None:
                host = self._enter(pending.host)
            self._held.add(key)
            host.held += 1
            # A handshake that has begun goes on first, so that few jars are open, and a kill repeats few.
            place = pending.depth
            if pending.handshake is not None and pending.handshake.hops:
                place = BEGUN
                if host.place is TAKEN and host.urls:
                    # Its first URL is becoming a request, and is the one that will leave the queue.
                    host.urls[0] = (CHOSEN, *host.urls[0][1:])
            heapq.heappush(host.urls, (place, next(self._arrival), pending))
            self.pending += 1
            fed.add(host)
            self._line_up(host)
        for host in fed:  # not before: a queue that is being filled is not running low
            self._low.pop(host, None)
            self._note_low(host)

    def refill(self, host: HostQueue, found: Iterable[Pending], *, more: bool) -> None:
        """Queue what was read for one host; `more`: the disk may have others."""
        host.more_on_disk = more
        self.add(found)
        self._leave_if_done(host)

    def rests(self, name: str, ready_at: float, now: float) -> bool:
        """True for a host outside that need not enter yet. `ready_at`: when it may be asked, by the disk."""
        if ready_at > now + MAX_PAUSE:
            ready_at = 0.0  # written while the machine's clock was wrong
        ready_at = max(ready_at, self._ready_at.get(name, 0.0))
        if ready_at <= now + AHEAD_SECONDS:
            return False
        self.returns_at = min(self.returns_at, ready_at)
        return True

    def forget_rested(self, now: float) -> None:
        """Drop the names of hosts whose retries may be read from disk again."""
        self.resting = {name: at for name, at in self.resting.items() if at - AHEAD_SECONDS > now}
        self.retries_at = min(self.resting.values(), default=NEVER) - AHEAD_SECONDS

    def enter(self, name: str, found: Sequence[Pending], *, more: bool) -> HostQueue | None:
        """Let a host in with its first URLs, in no request yet. None if it was in the window already."""
        known = self.queues.get(name)
        host = known or self._enter(name)
        self.refill(host, found, more=more)
        return None if known is not None or host.place is LEFT else host

    def isolate(self, urls: Iterable[str]) -> None:
        """Keep these URLs back until all others are settled (`release_isolated`)."""
        self._isolated.update(urls)

    def release_isolated(self) -> bool:
        """Queue one of the isolated URLs. False if there is none."""
        if not self._waiting_alone:
            return False
        url, pending = self._waiting_alone.popitem()
        self._isolated.discard(url)
        self.add([pending])
        return True

    # -- who is next

    def take_ready(self, now: float) -> HostQueue | None:
        """Take the next host that may be asked at `now`, if there is one.

        The caller then calls one of `start`, `drop_first`, `block` and `release`.
        """
        self._now = now
        self._readmit()
        while self._later and self._later[0][0] <= now:
            host = heapq.heappop(self._later)[2]
            if host.place is LATER:
                host.move(WAKE)
                self._line_up(host)
        while self._ready or self._readmit():
            host = self._ready.popleft()
            if not self._can_start(host):
                host.move(STALL)
            elif host.ready_at > now:
                if self._may_rest(host):
                    self._rest(host)
                    continue
                host.move(WAIT)
                heapq.heappush(self._later, (host.ready_at, next(self._arrival), host))
            elif not self._shares.may_start(host):
                self._set_aside(host)
            else:
                host.move(TAKE)
                return host
        return None

    def next_ready(self) -> float:
        """When the first host of those LATER may be asked, unix seconds; infinity if there is none."""
        while self._later and self._later[0][2].place is not LATER:
            heapq.heappop(self._later)
        return self._later[0][0] if self._later else float("inf")

    def start(self, host: HostQueue, *, now: float, next_start: float) -> None:
        """The taken host's first URL is being requested; the next may start at `next_start`."""
        self._open_request(host)
        host.ready_at = max(host.ready_at, next_start)
        if next_start - now >= LONG_PAUSE:
            self._changed.add(host)
        self.drop_first(host)

    def drop_first(self, host: HostQueue) -> None:
        """The taken host's first URL leaves the queue; it stays held until it is settled."""
        heapq.heappop(host.urls)
        self.pending -= 1
        self._note_low(host)
        self.release(host)

    def release(self, host: HostQueue) -> None:
        """The taken host goes on as its URLs and its throttle allow."""
        host.move(RELEASE)
        self._line_up(host)
        self._leave_if_done(host)

    def block(self, host: HostQueue, *, next_start: float = 0.0) -> None:
        """The taken host's robots.txt is being requested; nothing else is until `unblock`."""
        host.move(BLOCK)
        host.ready_at = max(host.ready_at, next_start)
        host.asked_at = self._now
        self._open_request(host)

    def is_contested(self, host: HostQueue) -> bool:
        """True for a host of which nothing is known, while more hosts than fetchers are in the window."""
        return not host.known and len(self.queues) > self._shares.fetchers

    # -- what became of it

    def answered(self, host: HostQueue, *, pause_until: float = 0.0, adapted: bool = False) -> None:
        """One request to the host has ended, that for its robots.txt included.

        `pause_until`: when the next may start, unix seconds. `adapted`: the limit of open requests
        or the request rate has changed.
        """
        self._close_request(host)
        if adapted or pause_until > host.ready_at:
            self._changed.add(host)
        host.ready_at = max(host.ready_at, pause_until)
        self._line_up(host)
        self._leave_if_done(host)

    def unblock(self, host: HostQueue, *, pause_until: float = 0.0) -> None:
        """The host's robots.txt is known, and committed."""
        host.move(UNBLOCK)
        if pause_until > host.ready_at:
            self._changed.add(host)
            host.ready_at = pause_until
        self._line_up(host)
        self._leave_if_done(host)

    def forget(self, name: str, url: str, kind: Kind = "page") -> None:
        """A URL is settled: from now on only the disk knows it."""
        self._held.discard((kind, url))
        host = self.queues[name]
        host.held -= 1
        self._line_up(host)  # with a budget, one fewer in flight may let the next one start
        self._leave_if_done(host)
        if host.place is LATER and self._may_rest(host):
            self._rest(host)

    def record_pages(self, host: HostQueue, pages: int) -> bool:
        """So many pages of the host are stored. True if its budget is used up: the rest stays on disk.

        A host whose budget could be used up by the pages in flight is not READY, so only an IDLE
        or a TAKEN one loses its queue here.
        """
        host.pages = pages
        if self.max_pages is None or pages < self.max_pages:
            return False
        self.leave_on_disk(host)
        return True

    def leave_on_disk(self, host: HostQueue) -> None:
        """Request nothing more of this host in this run."""
        self.spent.add(host.name)
        self._drop_urls(host)
        host.more_on_disk = False

    def changed_throttles(self) -> dict[str, HostThrottle]:
        """Return the throttles that changed since the last call, by host."""
        changed, self._changed = self._changed, set()
        return {host.name: host.throttle() for host in changed}

    # -- moves

    def note_latency(self, host: HostQueue, *, slow: bool) -> None:
        """A request to the host has ended: it is slow, or quick."""
        self._shares.note_latency(host, slow=slow)

    def _set_aside(self, host: HostQueue) -> None:
        """Let the host wait until its class has room; a slow one outside a half-full window."""
        if host.slow and self._is_quiet(host) and not self.has_room_for_hosts():
            host.ready_at = self._now + SLOW_REST
            self._changed.add(host)
            self._rest(host)
        else:
            self._shares.set_aside(host)

    def _readmit(self) -> bool:
        """Line up the hosts that were set aside and may start now. False if there is none."""
        admitted = self._shares.take_admitted()
        self._ready.extend(admitted)
        return bool(admitted)

    def _open_request(self, host: HostQueue) -> None:
        host.active += 1
        self.open_requests += 1
        self._shares.open_request(host)

    def _close_request(self, host: HostQueue) -> None:
        host.active -= 1
        self.open_requests -= 1
        self._shares.close_request(host)

    def _enter(self, name: str) -> HostQueue:
        host = self.queues[name] = HostQueue(name, self._ready_at.pop(name, 0.0), self._first_limit)
        self._shares.note_entry(host)
        return host

    def _can_start(self, host: HostQueue) -> bool:
        # While the breaker is open, one request at a time tests whether the host is back.
        limit = 1 if host.breaker.openings else host.concurrency.limit
        if self.max_pages is not None and host.pages + host.held - len(host.urls) >= self.max_pages:
            return False  # each URL in flight may become a page
        return bool(host.urls) and host.active < limit

    def _line_up(self, host: HostQueue) -> None:
        if host.place is IDLE and self._can_start(host):
            host.move(LINE_UP)
            self._ready.append(host)

    def _may_rest(self, host: HostQueue) -> bool:
        """True if the host has to wait, has nothing in flight, and the window is half full."""
        is_long = host.ready_at - self._now > REST_SECONDS
        return is_long and self._is_quiet(host) and not self.has_room_for_hosts()

    def _is_quiet(self, host: HostQueue) -> bool:
        """True if nothing of the host is in flight, in memory or both."""
        if host.active or host.held != len(host.urls):
            return False
        return not host.urls or host.urls[0][0] > BEGUN

    def _rest(self, host: HostQueue) -> None:
        """Leave the host to the disk: it enters again shortly before its time."""
        if any(url.attempts for _, _, url in host.urls):
            self.resting[host.name] = host.ready_at
            self.retries_at = min(self.retries_at, host.ready_at - AHEAD_SECONDS)
        self._drop_urls(host)
        host.move(REST)
        self._remove(host)
        self.returns_at = min(self.returns_at, host.ready_at)

    def _drop_urls(self, host: HostQueue) -> None:
        for _, _, url in host.urls:
            self._held.discard((url.kind, url.url))
        host.held -= len(host.urls)
        self.pending -= len(host.urls)
        host.urls.clear()

    def _note_low(self, host: HostQueue) -> None:
        if host.more_on_disk and len(host.urls) < self.batch() // 4:
            self._low[host] = None

    def _leave_if_done(self, host: HostQueue) -> None:
        if host.place is not IDLE or host.held or host.active or host.more_on_disk:
            return
        host.move(LEAVE)
        self._remove(host)

    def _remove(self, host: HostQueue) -> None:
        del self.queues[host.name]
        self._shares.note_exit(host)
        self._ready_at[host.name] = host.ready_at
        if len(self._ready_at) > self.max_hosts:  # keep those that must wait the longest
            latest = sorted(self._ready_at.items(), key=lambda item: item[1])[-self.max_hosts // 2 :]
            self._ready_at = dict(latest)
