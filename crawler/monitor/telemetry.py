"""Telemetry: a look at a running crawl ten times a second, summed up once a second.

May touch: pools, tally, the frontier's own description, clocks, the event loop.
Never: the crawl's work; nothing here waits for anything but its own next look.

What is summed up goes four ways: the live view and the metrics ask for a `snapshot`, the
writer takes the samples along with its next commit (or, when there is none, with a small one
of their own now and then), and at the end of the run the means tell its bottleneck.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections import deque
from collections.abc import Callable, Sequence

from penstock.crawler.engine.pool import Pool, StageMeter
from penstock.crawler.monitor.bottleneck import bottleneck
from penstock.crawler.monitor.tally import Tally
from penstock.crawler.monitor.trend import Left, Look, Trend
from penstock.crawler.output.logs import get_logger
from penstock.crawler.scheduler.frontier import Frontier
from penstock.crawler.snapshot import Event, HostView, Sample, Snapshot, StageView

LOOK_EVERY = 0.1  # seconds
LOOKS_PER_SAMPLE = 10
MAX_UNWRITTEN = 60  # samples; when nothing is committed for longer than that the oldest are lost
WRITE_AFTER = 5  # samples; then they are worth a commit of their own
SHORT = 0.5  # seconds
HOSTS_SHOWN = 5
HOST_EVENTS = 3  # that are remembered, apart from failures, which may be many
NO_BUDGET = Left()

log = get_logger()


class Telemetry:
    """Measures one run: `await run()` beside the work, then `end()`."""

    def __init__(
        self,
        tally: Tally,
        frontier: Frontier,
        pools: Sequence[Pool],
        *,
        started: float,
        left: Left = NO_BUDGET,
        lag: Callable[[], float] = lambda: 0.0,
        stopping: Callable[[], str | None] = lambda: None,
    ) -> None:
        """`started` is when the run began (monotonic seconds), `left` what the budgets left to it."""
        self._tally, self._frontier, self._pools = tally, frontier, pools
        self._started, self._left, self._lag, self._stopping = started, left, lag, stopping
        self._trend = Trend(self._look())
        self._whole = Stretch(pools)
        self._second = self._before = Stretch(pools)
        self._stages: dict[str, StageView] = {}
        self._loop_busy = 0.0
        self._hosts: dict[str, HostView] = {}
        self._busiest: Sequence[HostView] = ()
        self._host_events: deque[Event] = deque(maxlen=HOST_EVENTS)
        self._broken = False
        self._unwritten: deque[Sample] = deque(maxlen=MAX_UNWRITTEN)

    async def run(self, due: Callable[[], None]) -> None:
        """Look until cancelled. `due` is called when samples have waited long for a commit."""
        looks = 0
        while not self._broken:
            await asyncio.sleep(LOOK_EVERY)
            self._whole.look()
            self._second.look()
            looks += 1
            if looks % LOOKS_PER_SAMPLE == 0:
                self._sum_up()
                if len(self._unwritten) >= WRITE_AFTER:
                    due()

    def end(self) -> None:
        """The last look. What came since the last sample is one too; a short rest is taken with the
        second before, because means over a few milliseconds say nothing."""
        self._whole.look()
        self._second.look()
        if self._second.seconds < SHORT:
            self._second = self._before
        self._sum_up()

    def unwritten(self) -> Sequence[Sample]:
        """The samples since the last call, the newest last."""
        found = tuple(self._unwritten)
        self._unwritten.clear()
        return found

    def snapshot(self) -> Snapshot:
        """How the run stands. Valid at any time."""
        tally, now = self._tally, self._look()
        return Snapshot(
            elapsed_s=now.at,
            requests=tally.requests,
            pages=tally.pages,
            bytes=tally.bytes,
            failed=tally.failed,
            retries=tally.retries,
            pages_per_s=self._trend.pages_per_s(now),
            left_s=self._trend.left_s(now, self._left),
            pending=tally.pending,
            skipped=tally.skipped,
            in_flight=self._frontier.leased,
            hosts=self._frontier.host_count,
            stages=self._stages or {pool.stage.name: now_view(pool) for pool in self._pools},
            hosts_held_back=sum(host.held_back for host in self._hosts.values()),
            busiest=self._busiest,
            answers=dict(tally.answers),
            failures=dict(tally.failures.most_common()),
            events=sorted([*tally.events, *self._host_events]),
            lag_ms=round(1000 * self._lag(), 2),
            loop_busy=self._loop_busy,
            stopping=self._stopping(),
        )

    def meters(self) -> dict[str, StageMeter]:
        """What the workers of each stage have done, in flow order."""
        return {pool.stage.name: pool.meter for pool in self._pools}

    def bottleneck(self) -> str | None:
        """What the run waited for, over all of it."""
        return bottleneck(*self._whole.means())

    # -- within

    def _look(self) -> Look:
        tally = self._tally
        return Look(
            at=time.monotonic() - self._started,
            pages=tally.pages,
            bytes=tally.bytes,
            settled=tally.settled_urls,
            pending=tally.pending,
        )

    def _sum_up(self) -> None:
        """A bug of ours in here ends the watching, and never what is watched."""
        try:
            self._take_sample()
        except Exception as error:
            self._broken = True
            log.warning("telemetry_ended", error=repr(error), exc_info=error)

    def _take_sample(self) -> None:
        """Make a sample of the second that has passed, and begin the next."""
        self._stages, self._loop_busy = self._second.means()
        self._before, self._second = self._second, Stretch(self._pools)
        self._trend.add(self._look())
        self._watch_hosts()
        seen = self.snapshot()
        self._unwritten.append(
            Sample(
                at=int(time.time()),
                requests=seen.requests,
                pages=seen.pages,
                bytes=seen.bytes,
                failed=seen.failed,
                pending=seen.pending,
                skipped=seen.skipped,
                in_flight=seen.in_flight,
                hosts=seen.hosts,
                hosts_held_back=seen.hosts_held_back,
                lag_ms=seen.lag_ms,
                loop_busy=seen.loop_busy,
                stages=self._stages,
            )
        )

    def _watch_hosts(self) -> None:
        """Note which hosts are at work, and what has become of their limits within a second."""
        before, self._hosts = self._hosts, {}
        for host in self._frontier.hosts_at_work():
            self._hosts[host.name] = host
            if (known := before.get(host.name)) is not None:
                self._host_events += [Event(time.time(), text) for text in changes(known, host)]
        self._busiest = heapq.nsmallest(HOSTS_SHOWN, self._hosts.values(), key=prominence)


class Stretch:
    """Some time of a crawl: what its stages did since the first look at them."""

    def __init__(self, pools: Sequence[Pool]) -> None:
        now = time.monotonic()
        self._pools = pools
        self._began, self._core_s = now, time.thread_time()
        self._first = [(p.meter.busy_s(now), p.meter.handled, p.meter.finished_s) for p in pools]
        self._depths = [0] * len(pools)
        self._looks = 0

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def look(self) -> None:
        self._looks += 1
        for number, pool in enumerate(self._pools):
            self._depths[number] += pool.inbox.qsize()

    def means(self) -> tuple[dict[str, StageView], float]:
        """The stages by name, and the event loop's share of one core."""
        now = time.monotonic()
        seconds = max(now - self._began, 1e-9)
        views = {}
        for pool, first, depths in zip(self._pools, self._first, self._depths, strict=True):
            busy_s, handled_before, finished_s = first
            meter = pool.meter
            handled = meter.handled - handled_before
            waiting = depths / max(self._looks, 1)
            views[pool.stage.name] = StageView(
                waiting=round(waiting, 2),
                bound=pool.inbox.maxsize,
                busy=round((meter.busy_s(now) - busy_s) / seconds, 2),
                workers=pool.workers,
                handled=meter.handled,
                # Little's law: so many wait on the average, and so many come through.
                wait_ms=round(1000 * waiting * seconds / handled, 2) if handled else 0.0,
                service_ms=round(1000 * (meter.finished_s - finished_s) / handled, 2) if handled else 0.0,
            )
        return views, round((time.thread_time() - self._core_s) / seconds, 3)


def now_view(pool: Pool) -> StageView:
    """A stage at this very moment, for a run that is younger than its first sample."""
    return StageView(
        pool.inbox.qsize(), pool.inbox.maxsize, pool.meter.busy, pool.workers, pool.meter.handled
    )


def prominence(host: HostView) -> tuple[bool, int, str]:
    """Those held back first, then those asked the most."""
    return not host.held_back, -host.active, host.name


def changes(before: HostView, now: HostView) -> list[str]:
    """What a host's throttle has learnt that a person may want to know: it takes less than it did."""
    said = []
    if now.limit < before.limit:
        said.append(f"slower {now.limit} at once, not {before.limit}  {now.name}")
    if now.rate is not None and (before.rate is None or now.rate < before.rate):
        said.append(f"slower {now.rate:.2g} a second at most  {now.name}")
    if now.pause_s > before.pause_s and now.pause_s >= 1:
        said.append(f"resting {now.pause_s:.0f} s  {now.name}")
    return said
