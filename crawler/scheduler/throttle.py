"""Throttle: when each host may be asked next, and by how many requests at once.

May touch: the host window's queues, policies, messages, ports, snapshot, time (the `Clock`
alone). Synchronous: `Throttle` gets the time as an argument.

Each policy knows one state of one host. They meet here: the breaker for a host that never
answers, congestion for the number of open requests, pacing for the requests a second,
politeness for what the operator asked for.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from penstock.crawler.messages import Failed, Fetched
from penstock.crawler.policies.breaker import Breaker, BreakerState
from penstock.crawler.policies.congestion import Congestion, Outcome
from penstock.crawler.policies.pacing import Pacing
from penstock.crawler.policies.politeness import Politeness
from penstock.crawler.policies.robots_txt import RobotsMeaning
from penstock.crawler.ports import HostThrottle
from penstock.crawler.scheduler.host_window import MAX_PAUSE, HostQueue
from penstock.crawler.snapshot import HostView

CATCH_UP = 0.05  # seconds; a timer that woke us late must not lower the rate
HIDDEN_PAUSE = 0.5  # seconds beyond its gap that a host may wait without being shown as paused
MIN_NOISE = 0.01  # seconds of latency that tell nothing
TIMEOUTS = frozenset({"timeout", "timeout_read", "timeout_connect"})


class Throttle:
    """Keep the breaker, concurrency and rate of each `HostQueue` up to date."""

    def __init__(
        self, politeness: Politeness, breaker: Breaker, *, fetchers: int, lag: Callable[[], float]
    ) -> None:
        """`fetchers`: requests that may be open to all hosts. `lag`: the event loop's lag, seconds."""
        self._politeness = politeness
        self._breaker = breaker
        self._congestion = Congestion(per_host=politeness.per_host)
        self._pacing = Pacing()
        self._fetchers = fetchers
        self._lag = lag
        self.open_at = 0.0  # unix seconds before which no request may start, whatever its host

    @property
    def first_limit(self) -> int:
        """Requests that a host may have open before anything is known of it."""
        return 1 if self._politeness.adaptive else self._politeness.per_host

    def next_start(self, host: HostQueue, now: float, crawl_delay: float) -> float:
        """Return when the host's next request may start after one that starts now; move `open_at` on."""
        if rate := self._politeness.rate:
            self.open_at = max(self.open_at, now - CATCH_UP) + 1.0 / rate
        start = self._politeness.next_start(now, crawl_delay)
        if gap := host.rate.gap:
            start = max(start, max(host.ready_at, now - CATCH_UP) + gap)
        return start

    def min_gap(self, crawl_delay: float) -> float:
        """Return the seconds between two starts on a host whose robots.txt asks for `crawl_delay`."""
        return self._politeness.next_start(0.0, crawl_delay)

    def learn(
        self, host: HostQueue, result: Fetched | Failed, now: float, *, open_requests: int
    ) -> tuple[float, bool]:
        """Learn from a finished request, before the host's count of open requests goes down.

        `open_requests` are those of all hosts. Returns until when the host is left alone (unix
        seconds; 0: no pause), and whether its concurrency limit or its rate has changed.
        """
        answer = result.answer
        pause = self._politeness.pause(answer.retry_after if answer is not None else None)
        # A request that was open when the breaker opened tells nothing new by failing too.
        if answer is not None or not host.breaker.openings or now >= host.ready_at:
            reason = result.reason if isinstance(result, Failed) else None
            breaker = self._breaker.update(host.breaker, answered=answer is not None, reason=reason)
            if breaker is not host.breaker:
                host.breaker = breaker
                pause = max(pause, self._breaker.cooldown(breaker))
        adapted = False
        if self._politeness.adaptive:
            limit, rate = host.concurrency.limit, host.rate.rate
            pause = max(pause, self._adapt(host, result, now, open_requests))
            adapted = host.concurrency.limit != limit or host.rate.rate != rate
        return (now + pause if pause else 0.0), adapted

    def gives_up(self, host: HostQueue) -> bool:
        return self._breaker.gives_up(host.breaker)

    def view(self, host: HostQueue, now: float) -> HostView:
        """Return what the live view shows of a host. Held back: it answered slowly, with 429s or never."""
        asked = self.min_gap(max((rules.crawl_delay for rules in host.rules.values()), default=0.0))
        gap = max(host.rate.gap, asked)
        pause = host.ready_at - now
        pause = pause if pause > gap + HIDDEN_PAUSE else 0.0
        per_host, concurrency = self._politeness.per_host, host.concurrency
        limited = concurrency.slow_start_threshold < per_host and concurrency.limit < per_host
        is_open = host.breaker.openings > 0
        return HostView(
            name=host.name,
            active=host.active,
            limit=1 if is_open else concurrency.limit,
            rate=1.0 / gap if gap else None,
            pause_s=pause,
            held_back=is_open or limited or host.rate.gap > asked or pause > 0,
        )

    def held_by(self, host: HostQueue, now: float) -> str | None:
        """Return what keeps a host with URLs from being asked now: delay, crawl_delay, dead; None: else.

        The host's own limits, which adapt, and its Retry-After are no rule of ours and count as None.
        """
        if host.breaker.openings:
            return "dead"
        if not host.urls:
            return None
        unreachable = any(rules.meaning is RobotsMeaning.UNREACHABLE for rules in host.rules.values())
        if unreachable and host.ready_at > now:
            return "dead"
        crawl_delay = max((rules.crawl_delay for rules in host.rules.values()), default=0.0)
        asked, own = self.min_gap(crawl_delay), self.min_gap(0.0)
        # Not whether its time has come: a pause as long as that between two looks would never be seen.
        if not asked or host.rate.gap > asked or host.ready_at - now > asked + HIDDEN_PAUSE:
            return None
        if host.active >= self._politeness.per_host:
            return None  # it answers more slowly than it is asked
        return "crawl_delay" if asked > own else "delay"

    def restore(self, host: HostQueue, saved: HostThrottle, now: float) -> None:
        """Give a host that enters the window the state that it had when it was written down."""
        if saved.ready_at <= now + MAX_PAUSE:
            host.ready_at = max(host.ready_at, saved.ready_at)
        # A host is given up for one run only: the next run asks it at least once.
        host.breaker = BreakerState(saved.failures, min(saved.openings, self._breaker.max_openings))
        if self._politeness.adaptive:
            host.concurrency = self._congestion.restore(saved.connections)
            host.rate = self._pacing.restore(saved.rate)

    def _adapt(self, host: HostQueue, result: Fetched | Failed, now: float, open_requests: int) -> float:
        """Update the host's concurrency and rate; return for how many seconds it is left alone."""
        answer = result.answer
        status = answer.status if answer is not None else None
        in_flight = host.active - 1
        outcome = Outcome(
            latency=answer.latency if answer is not None else None,
            overloaded=status == 503 or (isinstance(result, Failed) and result.reason in TIMEOUTS),
            rate_limited=status == 429,
            saturated=host.active >= host.concurrency.limit and open_requests < self._fetchers,
        )
        host.concurrency = self._congestion.update(
            host.concurrency, outcome, in_flight=in_flight, noise=MIN_NOISE + 2.0 * self._lag()
        )
        if status is None:
            return 0.0
        host.rate = self._pacing.update(host.rate, rate_limited=status == 429, now=now, in_flight=in_flight)
        return host.rate.pause if status == 429 else 0.0


class Clock:
    """Unix seconds that only move forward: wall time at the start, then the monotonic clock.

    So an adjustment of the machine's clock does not change the time of a run.
    """

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def now(self) -> float:
        return time.monotonic() + self._offset
