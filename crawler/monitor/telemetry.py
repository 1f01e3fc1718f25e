"""Telemetry: measures a running crawl ten times a second, and makes a sample once a second.

May touch: pools, run counts, the frontier's own description, clocks, the event loop.
Never: the crawl's work; nothing here waits for anything but its own timer.

The measurements have four uses: the live view and the metrics call `snapshot`, the writer stores
the samples with its next commit (or, while there is none, now and then with a small one of their
own), and at the end of the run the means show its bottleneck.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence

from penstock.crawler.engine.pool import Pool, StageMeter
from penstock.crawler.monitor.estimates import Progress, RemainingBudget, Throughput, find_bottleneck
from penstock.crawler.monitor.run_counts import RunCounts
from penstock.crawler.output.logs import get_logger
from penstock.crawler.scheduler.frontier import Frontier
from penstock.crawler.snapshot import HostView, LiveEvent, Sample, Snapshot, StageView

MEASURE_EVERY = 0.1  # seconds
MEASUREMENTS_PER_SAMPLE = 10
MAX_UNWRITTEN = 60  # samples; if nothing is committed for longer, the oldest are lost
WRITE_AFTER = 5  # samples; that many are worth a commit of their own
MIN_INTERVAL = 0.5  # seconds; means over a shorter time say nothing
HOSTS_SHOWN = 5
HOST_EVENTS = 3  # kept apart from failures, which may be many
NO_BUDGET = RemainingBudget()

NEAR_LIMIT = 0.8  # of --bandwidth, on average over a run: then it is the limit

LAG_EVERY = 0.05  # seconds between two measurements of the event loop's lag
LAG_WEIGHT = 0.1  # of the newest one in the moving average, which so spans about a second

log = get_logger()


class Telemetry:
    """Measures one run: `await run()` beside the work, then `end()`."""

    def __init__(
        self,
        counts: RunCounts,
        frontier: Frontier,
        pools: Sequence[Pool],
        *,
        started: float,
        budget: RemainingBudget = NO_BUDGET,
        lag: Callable[[], float] = lambda: 0.0,
        mean_lag: Callable[[], float] = lambda: 0.0,
        bandwidth: float | None = None,
        stopping: Callable[[], str | None] = lambda: None,
    ) -> None:
        """`started` is when the run began, in monotonic seconds."""
        self._counts, self._frontier, self._pools = counts, frontier, pools
        self._started, self._budget, self._lag, self._stopping = started, budget, lag, stopping
        self._mean_lag, self._bandwidth = mean_lag, bandwidth
        self._throughput = Throughput(self._progress())
        self._whole_run = Interval(pools)
        self._holds: Counter[str | None] = Counter()  # what held the frontier back, by measurement
        self._second = self._second_before = Interval(pools)
        self._stages: dict[str, StageView] = {}
        self._loop_busy = 0.0
        self._hosts: dict[str, HostView] = {}
        self._busiest: Sequence[HostView] = ()
        self._host_events: deque[LiveEvent] = deque(maxlen=HOST_EVENTS)
        self._broken = False
        self._unwritten: deque[Sample] = deque(maxlen=MAX_UNWRITTEN)

    async def run(self, due: Callable[[], None]) -> None:
        """Measure until cancelled. `due` is called when samples have waited long for a commit."""
        measurements = 0
        while not self._broken:
            await asyncio.sleep(MEASURE_EVERY)
            self._whole_run.measure_queues()
            self._second.measure_queues()
            self._holds[self._frontier.held_by()] += 1
            measurements += 1
            if measurements % MEASUREMENTS_PER_SAMPLE == 0:
                self._take_sample()
                if len(self._unwritten) >= WRITE_AFTER:
                    due()

    def end(self) -> None:
        """Take the last sample, of the time since the one before it.

        A time that is too short for means is measured together with the second before it.
        """
        self._whole_run.measure_queues()
        self._second.measure_queues()
        if self._second.seconds < MIN_INTERVAL:
            self._second = self._second_before
        self._take_sample()

    def unwritten(self) -> Sequence[Sample]:
        """The samples since the last call, the newest last."""
        found = tuple(self._unwritten)
        self._unwritten.clear()
        return found

    def snapshot(self) -> Snapshot:
        """The state of the run at this moment."""
        counts, now = self._counts, self._progress()
        return Snapshot(
            elapsed_s=now.at,
            requests=counts.requests,
            pages=counts.pages,
            bytes=counts.bytes,
            failed=counts.failed,
            retries=counts.retries,
            pages_per_s=self._throughput.pages_per_s(now),
            left_s=self._throughput.left_s(now, self._budget),
            pending=counts.pending,
            skipped=counts.skipped,
            in_flight=self._frontier.leased,
            hosts=self._frontier.host_count,
            stages=self._stages or {pool.stage.name: view_now(pool) for pool in self._pools},
            hosts_held_back=sum(host.held_back for host in self._hosts.values()),
            busiest=self._busiest,
            answers=dict(counts.answers),
            failures=dict(counts.failures.most_common()),
            events=sorted([*counts.events, *self._host_events]),
            lag_ms=round(1000 * self._lag(), 2),
            loop_busy=self._loop_busy,
            stopping=self._stopping(),
        )

    def meters(self) -> dict[str, StageMeter]:
        """The work of each stage so far, in flow order."""
        return {pool.stage.name: pool.meter for pool in self._pools}

    def bottleneck(self) -> str | None:
        """The part that the other parts of the run waited for; None if nothing was done."""
        stages, loop_busy = self._whole_run.means()
        return find_bottleneck(stages, loop_busy, held_by=self._held_by(), lag=self._mean_lag())

    def _held_by(self) -> str | None:
        """What held the frontier back for at least half of the run."""
        seconds = self._whole_run.seconds
        if self._bandwidth is not None and self._counts.bytes >= NEAR_LIMIT * self._bandwidth * seconds:
            return "bandwidth"
        if not self._holds:
            return None
        hold, count = self._holds.most_common(1)[0]
        return hold if 2 * count >= self._holds.total() else None

    def _progress(self) -> Progress:
        counts = self._counts
        return Progress(
            at=time.monotonic() - self._started,
            pages=counts.pages,
            bytes=counts.bytes,
            settled=counts.settled_urls,
            pending=counts.pending,
        )

    def _take_sample(self) -> None:
        """Make a sample of the last second, and begin the next.

        A bug in here ends telemetry, not the crawl.
        """
        try:
            self._unwritten.append(self._sample())
        except Exception as error:
            self._broken = True
            log.warning("telemetry_ended", error=repr(error), exc_info=error)

    def _sample(self) -> Sample:
        self._stages, self._loop_busy = self._second.means()
        self._second_before, self._second = self._second, Interval(self._pools)
        self._throughput.add(self._progress())
        hosts_before, self._hosts = self._hosts, {}
        for host in self._frontier.hosts_at_work():
            self._hosts[host.name] = host
            if (before := hosts_before.get(host.name)) is not None:
                self._host_events += [
                    LiveEvent(time.time(), line) for line in describe_slowdown(before, host)
                ]
        self._busiest = heapq.nsmallest(HOSTS_SHOWN, self._hosts.values(), key=prominence)
        now = self.snapshot()
        return Sample(
            at=int(time.time()),
            requests=now.requests,
            pages=now.pages,
            bytes=now.bytes,
            failed=now.failed,
            pending=now.pending,
            skipped=now.skipped,
            in_flight=now.in_flight,
            hosts=now.hosts,
            hosts_held_back=now.hosts_held_back,
            lag_ms=now.lag_ms,
            loop_busy=now.loop_busy,
            stages=self._stages,
        )


class Interval:
    """A time of a run that is measured from its construction to now: the work of each stage in it."""

    def __init__(self, pools: Sequence[Pool]) -> None:
        now = time.monotonic()
        self._pools = pools
        self._began, self._core_s = now, time.thread_time()
        self._first = [(p.meter.busy_s(now), p.meter.handled, p.meter.finished_s) for p in pools]
        self._depths = [0] * len(pools)
        self._measurements = 0

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def measure_queues(self) -> None:
        self._measurements += 1
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
            waiting = depths / max(self._measurements, 1)
            views[pool.stage.name] = StageView(
                waiting=round(waiting, 2),
                bound=pool.inbox.maxsize,
                busy=round((meter.busy_s(now) - busy_s) / seconds, 2),
                workers=pool.workers,
                handled=meter.handled,
                # Little's law: the mean wait is the mean number of waiting messages by their throughput.
                wait_ms=round(1000 * waiting * seconds / handled, 2) if handled else 0.0,
                service_ms=round(1000 * (meter.finished_s - finished_s) / handled, 2) if handled else 0.0,
            )
        return views, round((time.thread_time() - self._core_s) / seconds, 3)


class LoopLag:
    """How late the event loop runs what is due, in seconds, averaged over about a second.

    `await run()` beside the work; call it for the value. A latency that we measure contains this lag.
    """

    def __init__(self) -> None:
        self.mean = 0.0
        self._sum, self._count = 0.0, 0

    def __call__(self) -> float:
        return self.mean

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LAG_EVERY
            await asyncio.sleep(LAG_EVERY)
            late = max(loop.time() - due, 0.0)
            self.mean += LAG_WEIGHT * (late - self.mean)
            self._sum, self._count = self._sum + late, self._count + 1

    def mean_of_run(self) -> float:
        return self._sum / self._count if self._count else 0.0


def view_now(pool: Pool) -> StageView:
    """A stage at this moment, for a run that has no sample yet."""
    return StageView(
        pool.inbox.qsize(), pool.inbox.maxsize, pool.meter.busy, pool.workers, pool.meter.handled
    )


def prominence(host: HostView) -> tuple[bool, int, str]:
    """Sort key: hosts that are held back first, then those with the most requests in flight."""
    return not host.held_back, -host.active, host.name


def describe_slowdown(before: HostView, now: HostView) -> list[str]:
    """One line for each limit of a host that became lower."""
    lines = []
    if now.limit < before.limit:
        lines.append(f"slower {now.limit} at once, not {before.limit}  {now.name}")
    if now.rate is not None and (before.rate is None or now.rate < before.rate):
        lines.append(f"slower {now.rate:.2g} a second at most  {now.name}")
    if now.pause_s > before.pause_s and now.pause_s >= 1:
        lines.append(f"paused {now.pause_s:.0f} s  {now.name}")
    return lines
