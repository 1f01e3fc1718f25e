"""Throttle: what hosts say, turned into when and how widely each may be asked next.

May touch: hosts, policies, messages, ports, stats. Synchronous, without a clock of its own.

The policies know one host's state each and nothing of the others; here they meet: the
breaker for a host that says nothing, congestion for how many requests it may have open,
pacing for how many it may be sent a second, politeness for what was asked of us.
"""

from __future__ import annotations

from collections.abc import Callable

from penstock.crawler.messages import Failed, Fetched
from penstock.crawler.policies.breaker import Breaker, Silence
from penstock.crawler.policies.congestion import Congestion, Heard
from penstock.crawler.policies.pacing import Pacing
from penstock.crawler.policies.politeness import Politeness
from penstock.crawler.ports import HostClock
from penstock.crawler.scheduler.host_queue import HostQueue
from penstock.crawler.snapshot import HostView

MAX_REST = 300.0  # seconds; a clock on disk that is further ahead was written under a wrong time
CATCH_UP = 0.05  # seconds; a timer that woke us late must not lower the rate
NO_REST = 0.5  # seconds beyond its pace that a host may wait without being said to rest
LEAST_NOISE = 0.01  # seconds of latency that say nothing
TIMEOUTS = frozenset({"timeout", "timeout_read", "timeout_connect"})


class Throttle:
    """Keeps each `HostQueue`'s limit, pace and silence up to date; `open_at` is for all together."""

    def __init__(
        self, politeness: Politeness, breaker: Breaker, *, fetchers: int, lag: Callable[[], float]
    ) -> None:
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
        """The host's next start after one that happens now; `open_at` moves on too."""
        if rate := self._politeness.rate:
            self.open_at = max(self.open_at, now - CATCH_UP) + 1.0 / rate
        start = self._politeness.next_start(now, crawl_delay)
        if gap := host.pace.gap:
            start = max(start, max(host.ready_at, now - CATCH_UP) + gap)
        return start

    def floor(self, crawl_delay: float) -> float:
        """Seconds between two starts on a host whose robots.txt asks for this."""
        return self._politeness.next_start(0.0, crawl_delay)

    def heard(self, host: HostQueue, result: Fetched | Failed, now: float, *, open_requests: int) -> float:
        """Learn from an answer, or from there being none, before the host's count of open requests
        goes down; `open_requests` are those of all hosts. Until when the host rests, unix seconds;
        0: it need not."""
        answer = result.answer
        pause = self._politeness.pause(answer.retry_after if answer is not None else None)
        silence = self._silence(host, result, now)
        if silence is not host.silence:
            host.silence = silence
            pause = max(pause, self._breaker.rest(silence))
        if self._politeness.adaptive:
            pause = max(pause, self._adapt(host, result, now, open_requests))
        return now + pause if pause else 0.0

    def gives_up(self, host: HostQueue) -> bool:
        return self._breaker.gives_up(host.silence)

    def view(self, host: HostQueue, now: float) -> HostView:
        """What there is to tell of a host. Held back: it answered slowly, with refusals or not at all."""
        asked = self.floor(max((rules.crawl_delay for rules in host.rules.values()), default=0.0))
        gap = max(host.pace.gap, asked)
        rest = host.ready_at - now
        rest = rest if rest > gap + NO_REST else 0.0
        silent, most = host.silence.rests > 0, self._politeness.per_host
        narrowed = host.width.knee < most and host.width.limit < most
        return HostView(
            name=host.name,
            active=host.active,
            limit=1 if silent else host.width.limit,
            rate=1.0 / gap if gap else None,
            pause_s=rest,
            held_back=silent or narrowed or host.pace.gap > asked or rest > 0,
        )

    def recall(self, host: HostQueue, clock: HostClock, now: float) -> None:
        """Give a host that enters the window what an earlier run, or earlier work, knew of it."""
        if clock.ready_at <= now + MAX_REST:
            host.ready_at = max(host.ready_at, clock.ready_at)
        # Given up is for one run: the next one asks at least once.
        host.silence = Silence(clock.failures, min(clock.openings, self._breaker.max_rests))
        if self._politeness.adaptive:
            host.width = self._congestion.recalled(clock.connections)
            host.pace = self._pacing.recalled(clock.rate)

    def _silence(self, host: HostQueue, result: Fetched | Failed, now: float) -> Silence:
        # What was under way when the host was given its rest says nothing new.
        if result.answer is None and host.silence.rests and now < host.ready_at:
            return host.silence
        reason = result.reason if isinstance(result, Failed) else None
        return self._breaker.after(host.silence, answered=result.answer is not None, reason=reason)

    def _adapt(self, host: HostQueue, result: Fetched | Failed, now: float, open_requests: int) -> float:
        """Take in one answer; how many seconds the host rests for it."""
        answer = result.answer
        status = answer.status if answer is not None else None
        timed_out = isinstance(result, Failed) and result.reason in TIMEOUTS
        in_flight = host.active - 1
        heard = Heard(
            latency=answer.latency if answer is not None else None,
            overloaded=status == 503 or timed_out,
            refused=status == 429,
            busy=host.active >= host.width.limit and open_requests < self._fetchers,
        )
        width, pace = host.width, host.pace
        noise = LEAST_NOISE + 2.0 * self._lag()
        host.width = self._congestion.after(width, heard, in_flight=in_flight, noise=noise)
        if status is not None:
            host.pace = self._pacing.after(pace, refused=status == 429, now=now, in_flight=in_flight)
        host.adapted |= host.width.limit != width.limit or host.pace.rate != pace.rate
        return host.pace.rest if status == 429 else 0.0
