"""Frontier: the small window in memory onto the frontier on disk. Decides what is fetched next.

May touch: hosts, policies, robots, messages, ports, stats, asyncio.
Never: SQL, the network, a queue between stages.

A URL in the window or in flight is a fact of memory only; on disk it stays pending
until it is settled. Every public method but `next` is synchronous and leaves nothing
half-changed, so a cancellation cannot tear it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection

from penstock.crawler.messages import (
    CanonicalUrl,
    Dead,
    Done,
    Failed,
    Fetched,
    FetchTask,
    Rejected,
    RetryAt,
    RobotsAnswer,
    RobotsTask,
    Skipped,
    Verdict,
)
from penstock.crawler.policies.breaker import Breaker
from penstock.crawler.policies.budget import Budget
from penstock.crawler.policies.politeness import Politeness
from penstock.crawler.policies.retry import Retry
from penstock.crawler.policies.robots import RobotsPolicy
from penstock.crawler.policies.sessions import Sessions
from penstock.crawler.ports import FrontierStore, HostClock, Pending, Saved, Totals
from penstock.crawler.scheduler.clock import Clock
from penstock.crawler.scheduler.deferred import NEARER_FIRST, DeferredUrls
from penstock.crawler.scheduler.host_queue import HostQueue
from penstock.crawler.scheduler.host_window import MAX_URLS, HostWindow
from penstock.crawler.scheduler.robots_cache import ALLOW_ALL, RobotsCache, RobotsRules
from penstock.crawler.scheduler.throttle import Throttle
from penstock.crawler.snapshot import HostView
from penstock.crawler.urls import origin


class Frontier:
    """Hands out tasks (`next`) and learns what became of them (`answered`, `settled`).

    Breadth-first by depth within a host, in turn between hosts that may be asked. `next`
    is for one caller at a time.
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
        suspects: Collection[CanonicalUrl] = (),
        fetchers: int = 64,
        lag: Callable[[], float] = lambda: 0.0,
        sessions: Sessions | None = None,
        tier: str = "plain",
    ) -> None:
        self._store = store
        self._throttle = Throttle(politeness, breaker, fetchers=fetchers, lag=lag)
        self._budget = budget
        self._robots = RobotsCache(store, robots, retry)
        self._deferred = DeferredUrls(store, sessions)
        self._tier = tier  # of pages; everything else is fetched by "plain"
        self._clock = clock
        self._window = HostWindow(first_limit=self._throttle.first_limit, max_pages=budget.max_pages_per_host)
        self._window.keep_for_last(suspects)
        self._pages = totals.pages
        self._bytes = totals.bytes
        self._more_hosts = True
        self._retry_check = 0.0  # when to look for due retries next; unix seconds
        self._bell: asyncio.Future[None] | None = None
        self._rang = False  # something happened since `next` last looked
        self.leased = 0  # handed out and not yet settled

    def __repr__(self) -> str:
        return f"<Frontier leased={self.leased} {self._window!r}>"

    @property
    def host_count(self) -> int:
        return len(self._window.queues)

    def hosts_at_work(self) -> list[HostView]:
        """The hosts that are being asked, or that have URLs waiting in the window."""
        now, hosts = self._clock.now(), self._window.queues.values()
        return [self._throttle.view(host, now) for host in hosts if host.active or host.queue]

    @property
    def spent(self) -> str | None:
        """The budget that is used up, if one is: the crawl's, or that of some hosts."""
        spent = self._budget.spent(pages=self._pages, size=self._bytes)
        return spent or ("max_pages_per_host" if self._window.spent else None)

    async def next(self) -> FetchTask | RobotsTask | Rejected | None:
        """Wait for the next message to send on its way; None when nothing is left to do.

        That is: nothing pending, nothing waiting for a retry and nothing in flight, or
        all in flight settled and a budget used up.
        """
        while True:
            self._rang = False
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
            # With the budget under way only what is settled can change anything.
            await self._wait(now, self._next_event(now) if may_lease else float("inf"))

    def answered(self, task: FetchTask, result: Fetched | Failed) -> None:
        """The answer is in: the host's connection is free, though the page is not stored yet."""
        now = self._clock.now()
        host = self._window.queues[task.host]
        rest_until = self._throttle.heard(host, result, now, open_requests=self._window.open_requests)
        self._window.answered(host, rest_until=rest_until)
        self._ring()

    def robots_answered(self, host: str) -> None:
        """The robots.txt request no longer occupies a connection."""
        self._window.answered(self._window.queues[host], rest_until=0.0)

    def changed_clocks(self) -> dict[str, HostClock]:
        """The hosts' clocks that changed since the last call, for the next commit."""
        return self._window.changed_clocks()

    def settled(self, verdict: Verdict, saved: Saved) -> None:
        """The commit that holds the verdict has happened."""
        match verdict:
            case RobotsAnswer():
                self._learn(verdict)
            case Done() | Dead() | Skipped() | RetryAt():
                self.leased -= 1
                if isinstance(verdict, RetryAt):
                    self._retry_check = min(self._retry_check, verdict.at)
                elif isinstance(verdict, Done):
                    self._spend(verdict)
                self._window.forget(verdict.task.host, verdict.task.url, verdict.task.kind)
        for name in saved.grown:
            if not self._window.grew(name):
                self._more_hosts = True
        self._ring()

    def _spend(self, done: Done) -> None:
        if done.answer.status == 200 and done.task.kind == "page":
            self._pages += 1
            host = self._window.queues[done.task.host]
            if self._window.count_pages(host, host.pages + 1):
                self._retry_check = 0.0  # its retries are nobody's business any more
        if done.answer.content_hash is not None:
            self._bytes += done.answer.body_bytes or 0

    async def _dispatch(self, host: HostQueue, now: float) -> FetchTask | RobotsTask | Rejected | None:
        """Turn a ready host's first URL into a message; None if the host has to wait after all."""
        if not host.clock_known:
            await self._recall(host)
            if host.ready_at > now or host.name in self._window.spent:
                self._window.put_back(host)
                return None
        first, rules = host.first(), ALLOW_ALL
        if not (waits := self._deferred.must_wait(first)):
            site = origin(first.url)
            rules = await self._robots.rules(host.rules, site, now=now)
            if (attempt := self._robots.next_attempt(rules, deferred=first.deferred)) is not None:
                self._window.block(host, next_start=self._throttle.next_start(host, now, 0.0))
                return RobotsTask(origin=site, host=host.name, attempt=attempt)
        self.leased += 1
        task = FetchTask(
            url=first.url,
            kind=first.kind,
            host=host.name,
            depth=first.depth,
            attempt=first.attempts + 1,
            tier=self._tier if first.kind == "page" else "plain",
        )
        refusal = ("pending", NEARER_FIRST) if waits else self._refusal(host, first, rules)
        if refusal is None:
            next_start = self._throttle.next_start(host, now, rules.crawl_delay)
            self._window.start(host, now=now, next_start=next_start)
            return task
        self._window.drop_first(host)
        return Rejected(task=task, state=refusal[0], reason=refusal[1])

    def _refusal(self, host: HostQueue, url: Pending, rules: RobotsRules) -> tuple[str, str] | None:
        """State and reason of a URL that may not be asked for."""
        if self._throttle.gives_up(host):
            return "failed", "host_unreachable"
        if url.kind != "sitemap" and (refusal := self._robots.refusal(rules, url.url)) is not None:
            return refusal
        trap = self._deferred.rule(url)
        return ("skipped", trap) if trap is not None else None

    async def _recall(self, host: HostQueue) -> None:
        """Give a host that enters the window the clock it had when it was last heard of."""
        clock = await self._store.clock(host.name)
        host.clock_known = True
        self._throttle.recall(host, clock, self._clock.now())
        if self._budget.max_pages_per_host is not None:
            self._window.count_pages(host, await self._store.count_pages(host.name))

    def _learn(self, answer: RobotsAnswer) -> None:
        """Take an origin's word."""
        host = self._window.queues[answer.task.host]
        rules, wait = self._robots.learn(answer)
        host.rules[answer.task.origin] = rules
        # The request that told us of a Crawl-delay is the first that it binds.
        wait = max(wait, self._throttle.floor(rules.crawl_delay))
        self._window.unblock(host, rest_until=self._clock.now() + wait if wait else 0.0)

    async def _fill(self, now: float) -> None:
        """Bring the window up to its size from disk: due retries, new hosts, URLs of hungry hosts.

        What comes back is filtered and taken in without another await, so that no commit
        can settle a URL between the look at the disk and the look at memory.
        """
        window = self._window
        if now >= self._retry_check and window.pending >= MAX_URLS:
            self._retry_check = now + 1.0
        if now >= self._retry_check:
            limit = window.held + window.batch()
            # Before the first await: a commit between the two looks at the disk may hold a retry
            # that is due already, which the second does not see; `settled` then says so here.
            self._retry_check = float("inf")
            due = await self._store.due(now=now, limit=limit, without=window.spent)
            window.take_in(due)
            later = await self._store.next_retry(after=now, without=window.spent)
            full = now + 0.1 if len(due) >= limit else float("inf")
            self._retry_check = min(self._retry_check, full, later if later is not None else float("inf"))
        if self._more_hosts and window.has_room_for_hosts():
            limit = len(window.queues) + window.max_hosts
            names = await self._store.pending_hosts(limit=limit, without=window.spent)
            crowded_out = [name for name in names if not window.grew(name)]
            self._more_hosts = bool(crowded_out) or len(names) >= limit
        for host in window.hungry():
            limit = window.batch() + host.held + window.put_off
            found = await self._store.pending(host.name, limit=limit)
            window.feed(host, found, more=len(found) >= limit)

    async def _finished(self) -> bool:
        """A budget is used up, or nothing in memory is left; believe that only if the disk says so too.

        What may have killed an earlier run comes now, one URL at a time; then the deferred URLs.
        """
        if self._budget.spent(pages=self._pages, size=self._bytes):
            return True
        if self._window.pending or self._more_hosts or self._retry_check < float("inf"):
            return False
        if self._window.release_last():
            self._ring()
            return False
        if not self._window.spent and not await self._store.unfinished():
            return True
        if found := await self._deferred.release(without=self._window.spent):
            self._window.take_in(found)
            self._ring()
            return False
        if self._window.spent:
            return True  # what is left belongs to hosts that have had their share
        if self.leased == 0 and not self._window.pending and not self._rang:
            raise RuntimeError("the frontier on disk has URLs that the window cannot see")
        return False

    def _next_event(self, now: float) -> float:
        """When there is something to do next, unix seconds: not before all hosts may be asked again."""
        if self._throttle.open_at > now:
            return self._throttle.open_at
        return min(self._window.next_ready(), self._retry_check)

    async def _wait(self, now: float, wake_at: float) -> None:
        """Sleep until something was answered or settled, or until `wake_at`."""
        if self._rang:
            return
        loop = asyncio.get_running_loop()
        self._bell = loop.create_future()
        timer = loop.call_later(max(wake_at - now, 0.0), self._ring) if wake_at < float("inf") else None
        try:
            await self._bell
        finally:
            self._bell = None
            if timer is not None:
                timer.cancel()

    def _ring(self) -> None:
        self._rang = True
        if self._bell is not None and not self._bell.done():
            self._bell.set_result(None)
