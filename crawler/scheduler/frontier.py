"""Frontier: the small window in memory onto the frontier on disk. Decides what is fetched next.

May touch: the scheduler's other modules, policies, messages, ports, snapshot, asyncio.
Never: SQL, the network, a queue between stages.

A URL in the window or in flight is a fact of memory only; on disk it stays pending
until it is settled. Every public method but `next` is synchronous and leaves nothing
half-changed, so a cancellation cannot tear it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from itertools import islice

from penstock.crawler.messages import (
    LOGGED_OUT,
    CanonicalUrl,
    Dead,
    Done,
    Failed,
    Fetched,
    FetchTask,
    Message,
    Rejected,
    RetryAt,
    RobotsAnswer,
    RobotsTask,
    Skipped,
    Unsolved,
    Verdict,
)
from penstock.crawler.policies.breaker import Breaker
from penstock.crawler.policies.politeness import Budget, Politeness
from penstock.crawler.policies.retry import Retry
from penstock.crawler.policies.robots_txt import RobotsPolicy
from penstock.crawler.policies.sessions import Sessions, may_carry_session
from penstock.crawler.ports import FrontierStore, HostThrottle, Pending, Saved, Totals
from penstock.crawler.scheduler.handshakes import HopRules, unsolved
from penstock.crawler.scheduler.host_window import MAX_URLS, HostQueue, HostWindow
from penstock.crawler.scheduler.hosts_on_disk import HostsOnDisk
from penstock.crawler.scheduler.robots_cache import ALLOW_ALL, RobotsCache, RobotsRules
from penstock.crawler.scheduler.shares import SLOW_SECONDS
from penstock.crawler.scheduler.throttle import TIMEOUTS, Clock, Throttle
from penstock.crawler.snapshot import HostView
from penstock.crawler.urls import origin

FIRST_CONTACT_SECONDS = 3.0
MAX_DEFERRED = 16_000  # deferred URLs that are taken into the window at once
HOSTS_LOOKED_AT = 50  # to tell what holds the frontier back
NEARER_FIRST = "nearer_first"
"""The reason of a URL that may carry a session id while it is still pending."""


class DeferredUrls:
    """Decide which URLs wait until nothing else is left, and which of them turn out to be traps.

    They wait on disk (`RetryAt` at infinity); nothing about them is kept in memory. There are three
    kinds. An origin whose robots.txt could not be fetched is asked for it once more at the end. A
    URL that may carry a session id (`policies.sessions`) is deferred because the answer depends on
    the pages nearer to the seeds than itself, and on them alone. A URL behind a cookie gate
    (`scheduler.handshakes`) is planned when all others are settled.

    Deferred URLs are released depth by depth. When those of one depth are released, every URL of
    lesser depth is settled, and no new one can appear: a still nearer page would have to link to
    it. So the answer is the same at any number of fetchers, over any number of hosts, after any
    kill, as long as the servers answer the same and no budget ends the crawl, for the first
    hundred thousand different contents; URLs beyond these are fetched.
    """

    def __init__(self, store: FrontierStore, sessions: Sessions | None) -> None:
        """`sessions` None: session ids are not looked for."""
        self._store = store
        self._sessions = sessions
        self._noted_below = 0  # `sessions` knows all stored pages of lesser depth

    def must_wait(self, url: Pending) -> bool:
        """True for a URL that may carry a session id and was not returned by `release`."""
        return (
            self._sessions is not None
            and not url.deferred
            and url.depth > 0  # a seed is always fetched
            and url.kind == "page"
            and may_carry_session(url.url)
        )

    def rule(self, url: Pending) -> str | None:
        """Return `trap:session`, or None. A URL that a sitemap names is always a page."""
        if self._sessions is None or not url.deferred or url.listed or url.kind != "page":
            return None
        if url.handshake is not None:
            return None  # it was requested already
        return self._sessions.rule(CanonicalUrl(url.url), url.depth)

    async def release(self, *, without: Collection[str] = (), plans: bool = True) -> Sequence[Pending]:
        """Return the deferred URLs of the least depth, except those of the hosts `without`.

        Only right when nothing else is left to do. `plans`: handshakes too.
        """
        found = await self._store.deferred(limit=MAX_DEFERRED, without=without)
        if not found and plans and await self._store.plan_handshakes():
            self._noted_below = 0  # their pages may be near the seeds
            found = await self._store.deferred(limit=MAX_DEFERRED, without=without)
        found = [url for url in found if url.host not in without]  # where a handshake begins
        if found and self._sessions is not None and found[0].depth > self._noted_below:
            least, below = self._noted_below, found[0].depth
            async for pages in self._store.session_pages(least=least, below=below):
                for page in pages:
                    self._sessions.note(page.url, page.fingerprint, page.depth)
            self._noted_below = below
        return found


class Frontier:
    """Hands out tasks (`next`) and learns what became of them (`answered`, `settled`).

    Breadth-first by depth within a host; hosts that may be asked take turns. `next` is for one
    caller at a time.
    """

    def __init__(
        self,
        store: FrontierStore,
        *,
        politeness: Politeness,
        budget: Budget,
        retry: Retry,
        breaker: Breaker,
        robots: RobotsPolicy | None,
        clock: Clock,
        totals: Totals,
        poison_pages: Collection[CanonicalUrl] = (),
        fetchers: int = 64,
        lag: Callable[[], float] = lambda: 0.0,
        sessions: Sessions | None = None,
        tier: str = "plain",
        hops: HopRules | None = None,
        opening: Callable[[str], CanonicalUrl] | None = None,
    ) -> None:
        """`robots` None: robots.txt is not asked. `poison_pages`: pages that may have crashed an
        earlier run; they come after all others, one at a time. `lag`: the event loop's lag, seconds.
        `hops`: where handshakes may go. `opening`: the URL that is requested first of an origin."""
        self._store = store
        self._throttle = Throttle(politeness, breaker, fetchers=fetchers, lag=lag)
        self._budget = budget
        self._robots = RobotsCache(store, robots, retry)
        self._deferred = DeferredUrls(store, sessions)
        self._hops = hops or HopRules()
        self._opening = opening
        self._tier = tier  # of pages; everything else is fetched by "plain"
        self._clock = clock
        self._window = HostWindow(
            first_limit=self._throttle.first_limit,
            fetchers=fetchers,
            max_pages=budget.max_pages_per_host,
        )
        self._may_hurry = retry.retries > 0  # the first request to a host may end early
        self._window.isolate(poison_pages)
        self._pages = totals.pages
        self._bytes = totals.bytes
        self._hosts_on_disk = HostsOnDisk(store, self._window, self._throttle, self._robots)
        self._retry_check = 0.0  # when to look for due retries next; unix seconds
        self._wake_up: asyncio.Future[None] | None = None  # while `next` waits
        self._changed = False  # something happened since `next` last looked
        self._logged_out: set[str] = set()  # hosts whose session has ended
        self.leased = 0  # handed out and not yet settled

    def __repr__(self) -> str:
        return f"<Frontier leased={self.leased} {self._window!r}>"

    @property
    def host_count(self) -> int:
        """Hosts in the window."""
        return len(self._window.queues)

    def hosts_at_work(self) -> list[HostView]:
        """Return the hosts that are being asked, or that have URLs waiting in the window."""
        now, hosts = self._clock.now(), self._window.queues.values()
        return [self._throttle.view(host, now) for host in hosts if host.active or host.urls]

    def held_by(self) -> str | None:
        """Return what keeps the frontier from handing out a URL at this moment, in a word.

        rate, delay: the operator's options; crawl_delay: a robots.txt asks for it; dead: a host that does
        not answer; retry: all that is left waits for its next attempt. None: anything else, such as
        answers that are on their way. Looks at a few hosts only, so it may be asked often.
        """
        now, window = self._clock.now(), self._window
        if self._throttle.open_at > now:
            return "rate" if window.pending else None
        hosts = [host for host in islice(window.queues.values(), HOSTS_LOOKED_AT) if host.urls or host.active]
        held = Counter(self._throttle.held_by(host, now) for host in hosts)
        if held:
            return held.most_common(1)[0][0]
        return "retry" if not self.leased and self._retry_check < float("inf") else None

    @property
    def spent(self) -> str | None:
        """Why URLs are left pending, if some are: the budget that is used up, the crawl's or that of some
        hosts, or a session that has ended."""
        if self._logged_out:
            return LOGGED_OUT
        spent = self._budget.spent(pages=self._pages, size=self._bytes)
        return spent or ("max_pages_per_host" if self._window.spent else None)

    async def next(self) -> FetchTask | RobotsTask | Rejected | None:
        """Wait for the next message of the flow; None when nothing is left to do.

        Nothing is left when no URL is pending, waits for a retry or is in flight, or when a
        budget is used up and all in flight are settled.
        """
        while True:
            self._changed = False
            now = self._clock.now()
            may_lease = self._budget.may_lease(pages=self._pages, leased=self.leased, size=self._bytes)
            if may_lease and now >= self._throttle.open_at:
                await self._fill(now)
                if (host := self._window.take_ready(now)) is not None:
                    if (message := await self._dispatch(host, now)) is not None:
                        return message
                    continue
            if self.leased == 0 and await self._finished():
                return None
            if not may_lease:
                wake_at = float("inf")  # with all of the budget in flight only a settled URL changes anything
            elif self._throttle.open_at > now:
                wake_at = self._throttle.open_at
            else:
                wake_at = min(
                    self._window.next_ready(),
                    self._retry_check,
                    self._window.retries_at,
                    self._hosts_on_disk.wake_at,
                )
            await self._wait(now, wake_at)

    def answered(self, task: FetchTask, result: Fetched | Failed) -> None:
        """A request has ended: its connection is free, though the page is not stored yet."""
        now = self._clock.now()
        host = self._window.queues[task.host]
        pause_until, adapted = self._throttle.learn(
            host, result, now, open_requests=self._window.open_requests
        )
        latency = None if result.answer is None else result.answer.latency
        timed_out = latency is None and isinstance(result, Failed) and result.reason in TIMEOUTS
        self._window.note_latency(host, slow=timed_out or (latency or 0.0) >= SLOW_SECONDS)
        if isinstance(result, Failed) and result.reason == LOGGED_OUT:
            self._logged_out.add(task.host)
        self._window.answered(host, pause_until=pause_until, adapted=adapted)
        self._notify()

    def continue_handshake(self, task: FetchTask, result: Fetched | Failed) -> Sequence[Message]:
        """Line up the next request of a handshake, or return the message that ends it."""
        following = self._hops.follow(task, result, spent=self._window.spent)
        if isinstance(following, Pending):
            self.leased -= 1  # until it is dispatched again, by the host that is asked next
            self._window.forget(task.host, following.url, following.kind)
            self._window.add([following])
            self._notify()
            return []
        return [following]

    def robots_answered(self, host: str) -> None:
        """The request for a robots.txt has ended: its connection is free."""
        asked = self._window.queues[host]
        self._window.note_latency(asked, slow=self._clock.now() - asked.asked_at >= SLOW_SECONDS)
        self._window.answered(asked)

    def changed_throttles(self) -> dict[str, HostThrottle]:
        """Return the hosts' throttles that changed since the last call, for the next commit."""
        return self._window.changed_throttles()

    def settled(self, verdict: Verdict, saved: Saved) -> None:
        """The verdict is committed; `saved` is what the commit changed."""
        match verdict:
            case RobotsAnswer(task=task):
                host = self._window.queues[task.host]
                rules, wait = self._robots.learn(verdict)
                host.rules[task.origin] = rules
                # A Crawl-delay binds from the request that fetched it on.
                wait = max(wait, self._throttle.min_gap(rules.crawl_delay))
                self._window.unblock(host, pause_until=self._clock.now() + wait if wait else 0.0)
            case Done() | Dead() | Skipped() | RetryAt() | Unsolved():
                self.leased -= 1
                if isinstance(verdict, RetryAt):
                    self._retry_check = min(self._retry_check, verdict.at)
                elif isinstance(verdict, Done):
                    self._spend(verdict)
                self._window.forget(verdict.task.host, verdict.task.url, verdict.task.kind)
        for name in saved.grown:
            self._window.note_new_urls(name)
        self._notify()

    def _spend(self, done: Done) -> None:
        if done.answer.status == 200 and done.task.kind == "page":
            self._pages += 1
            host = self._window.queues[done.task.host]
            if self._window.record_pages(host, host.pages + 1):
                self._retry_check = 0.0  # the retries of this host no longer count
        if done.answer.content_hash is not None:
            self._bytes += done.answer.body_bytes or 0

    async def _dispatch(self, host: HostQueue, now: float) -> FetchTask | RobotsTask | Rejected | None:
        """Turn a taken host's first URL into a message; None if the host has to wait after all."""
        if not host.restored:
            await self._restore(host)
            if host.ready_at > now or host.name in self._window.spent:
                self._window.release(host)
                return None
        first, rules = host.first(), ALLOW_ALL
        handshake = first.handshake and self._hops.begin(first.handshake)
        url = first.url if handshake is None else handshake.at
        if not (waits := self._deferred.must_wait(first)):
            site = origin(url)
            rules = await self._robots.rules(host.rules, site, now=now)
            if (attempt := self._robots.next_attempt(rules, deferred=first.deferred)) is not None:
                self._window.block(host, next_start=self._throttle.next_start(host, now, 0.0))
                return RobotsTask(
                    origin=site, host=host.name, attempt=attempt, timeout=self._patience(host, attempt)
                )
        self.leased += 1
        task = FetchTask(
            url=url,
            kind=first.kind,
            host=host.name,
            depth=first.depth,
            attempt=first.attempts + 1,
            tier=self._tier if first.kind == "page" else "plain",
            timeout=self._patience(host, first.attempts + 1),
            handshake=handshake,
            opens=None if self._opening is None else self._opens(first, url, rules),
        )
        rejection = ("pending", NEARER_FIRST) if waits else self._rejection(host, first, rules)
        if rejection is None:
            next_start = self._throttle.next_start(host, now, rules.crawl_delay)
            self._window.start(host, now=now, next_start=next_start)
            return task
        self._window.drop_first(host)
        state, reason = rejection
        if handshake is not None:
            return unsolved(task, reason)
        return Rejected(task=task, state=state, reason=reason)

    def _patience(self, host: HostQueue, attempt: int) -> float | None:
        """Return how long the first request to a host may take while others wait for a fetcher.

        If it ends early, it is repeated later and then may take its whole time.
        """
        is_hurried = attempt == 1 and self._may_hurry and self._window.is_contested(host)
        return FIRST_CONTACT_SECONDS if is_hurried else None

    def _opens(self, url: Pending, at: CanonicalUrl, rules: RobotsRules) -> CanonicalUrl | None:
        """The URL whose cookies go with this request. Resources, which lie on any host, have none."""
        if self._opening is None or url.kind == "resource":
            return None
        first = self._opening(origin(at))
        return first if rules.allows(first) else None

    async def _restore(self, host: HostQueue) -> None:
        """Give a host that enters the window what the disk knows of it."""
        saved = await self._store.throttle(host.name)
        host.restored = True
        self._throttle.restore(host, saved, self._clock.now())
        if self._budget.max_pages_per_host is not None:
            self._window.record_pages(host, await self._store.count_pages(host.name))

    def _rejection(self, host: HostQueue, url: Pending, rules: RobotsRules) -> tuple[str, str] | None:
        """Return state and reason of a URL that may not be requested."""
        if self._throttle.gives_up(host):
            return "failed", "host_unreachable"
        at = url.url if url.handshake is None else url.handshake.at
        if (rejection := self._robots.rejection(rules, at, url.kind)) is not None:
            return rejection
        trap = self._deferred.rule(url)
        return ("skipped", trap) if trap is not None else None

    async def _fill(self, now: float) -> None:
        """Read from disk what the window has room for: due retries, new hosts, URLs of hosts that run low.

        What was read is filtered and queued without another await, so that no commit can settle a
        URL between the read and the comparison with memory.
        """
        window = self._window
        for name in self._logged_out - window.spent:
            if (host := window.queues.get(name)) is not None:
                window.leave_on_disk(host)
        if now >= window.retries_at:
            window.forget_rested(now)
            self._retry_check = 0.0
        if now >= self._retry_check and window.pending >= MAX_URLS:
            self._retry_check = now + 1.0
        if now >= self._retry_check:
            limit = window.held + window.batch()
            # Set before the first await. A commit between the two reads may hold a retry that is due
            # already, which `next_retry` does not return; `settled` then lowers `_retry_check`.
            self._retry_check = float("inf")
            without = window.spent | window.resting.keys()
            due = await self._store.due(now=now, limit=limit, without=without)
            window.add(due)
            later = await self._store.next_retry(after=now, without=without)
            again = now + 0.1 if len(due) >= limit else float("inf")
            self._retry_check = min(self._retry_check, again, later if later is not None else float("inf"))
        await self._hosts_on_disk.enter(now)
        for host in window.take_low():
            limit = window.batch() + host.held + window.isolated
            found = await self._store.pending(host.name, limit=limit)
            window.refill(host, found, more=len(found) >= limit)

    async def _finished(self) -> bool:
        """True if a budget is used up, or if neither memory nor disk has anything left to do.

        When nothing else is left, poison pages are released, one at a time, then the deferred URLs.
        """
        if self._budget.spent(pages=self._pages, size=self._bytes):
            return True
        if self._window.pending or self._hosts_on_disk.may_exist:
            return False
        if self._retry_check < float("inf") or self._window.resting:
            return False
        if self._window.release_isolated():
            self._notify()
            return False
        if not self._window.spent and not await self._store.unfinished():
            return True
        plans = not self._logged_out  # what the session has left is not known yet
        if found := await self._deferred.release(without=self._window.spent, plans=plans):
            self._window.add(found)
            self._notify()
            return False
        if self._window.spent:
            return True  # all that is left belongs to hosts whose budget is used up
        if self.leased == 0 and not self._window.pending and not self._changed:
            raise RuntimeError("the frontier on disk has URLs that the window cannot see")
        return False

    async def _wait(self, now: float, wake_at: float) -> None:
        """Wait until a request has ended or a URL is settled, or until `wake_at`."""
        if self._changed:
            return
        loop = asyncio.get_running_loop()
        self._wake_up = loop.create_future()
        timer = loop.call_later(max(wake_at - now, 0.0), self._notify) if wake_at < float("inf") else None
        try:
            await self._wake_up
        finally:
            self._wake_up = None
            if timer is not None:
                timer.cancel()

    def _notify(self) -> None:
        self._changed = True
        if self._wake_up is not None and not self._wake_up.done():
            self._wake_up.set_result(None)
