"""Engine: the flow. Connects the pools by their inboxes, feeds the first, stops all in order.

May touch: pool, frontier, messages, logs, asyncio.

    frontier ═▶ [fetch] ═▶ [parse] ═▶ [store] ─ call ─▶ frontier

Every ═▶ is a bounded queue; the way back is a call, because a cycle of bounded queues
can fill up, and then every stage waits for another one for ever. Only the frontier knows when
the crawl is finished; then pills follow, pool after pool, so that none overtakes work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from penstock.crawler.engine.pool import Emit, Pill, Pool, work
from penstock.crawler.messages import (
    Failed,
    Fetched,
    FetchTask,
    Message,
    ParsedPage,
    Rejected,
    RobotsAnswer,
    RobotsTask,
)
from penstock.crawler.output.logs import get_logger
from penstock.crawler.scheduler.frontier import Frontier

ROUTES: Mapping[type[Message], str] = {
    FetchTask: "fetch",
    RobotsTask: "fetch",
    Fetched: "parse",
    ParsedPage: "store",
    RobotsAnswer: "store",
    Failed: "store",
    Rejected: "store",
}

log = get_logger()


class Stopping:
    """Requests to stop the run: the first one stops it gently, the second one at once."""

    def __init__(self) -> None:
        self.reason: str | None = None
        self.aborted = False
        self.asked = asyncio.Event()
        self._gently: list[Callable[[], object]] = []
        self._at_once: list[Callable[[], object]] = []
        self._timer: asyncio.TimerHandle | None = None

    def request(self, reason: str) -> None:
        """Request a stop. The first reason is kept. May be called from a signal handler of the event loop."""
        if self.reason is None:
            self.reason = reason
            self.asked.set()
            for call in self._gently:
                call()
        else:
            self.abort()

    def request_after(self, seconds: float, reason: str) -> None:
        """Request a stop after `seconds`, unless one is requested before."""

        def out_of_time() -> None:
            if self.reason is None:
                self.request(reason)

        self._timer = asyncio.get_running_loop().call_later(max(seconds, 0.0), out_of_time)

    def abort(self) -> None:
        """Stop at once."""
        self.aborted = True
        for call in self._at_once:
            call()

    def detach(self) -> None:
        """Nothing is left to stop: later requests only set `reason` and `aborted`."""
        if self._timer is not None:
            self._timer.cancel()
        self._gently.clear()
        self._at_once.clear()

    def on_request(self, gently: Callable[[], object], at_once: Callable[[], object]) -> None:
        """Call `gently` at the first request and `at_once` at the next; now, if they were made already."""
        self._gently.append(gently)
        self._at_once.append(at_once)
        if self.reason is not None:
            gently()
        if self.aborted:
            at_once()


async def crawl(frontier: Frontier, pools: Sequence[Pool], stopping: Stopping, *, grace: float) -> None:
    """Run until the frontier is finished or a stop is requested.

    `grace`: seconds that open requests may still take after a stop. Raises an ExceptionGroup
    if a worker loop, the frontier or the last stage failed.
    """
    by_name = {pool.stage.name: pool for pool in pools}
    workers: dict[str, list[asyncio.Task[None]]] = {name: [] for name in by_name}

    async def emit(message: Message) -> None:
        name = ROUTES[type(message)]
        pool, started = by_name[name], workers[name]
        if pool.meter.idle <= pool.inbox.qsize() and len(started) < pool.workers:
            started.append(group.create_task(work(pool, len(started), emit)))
        await pool.inbox.put(message)

    try:
        async with asyncio.TaskGroup() as group:
            # A task of its own: a stop must also reach a feeder that waits for room in an inbox.
            # The message that it then drops is still pending on disk.
            feeder = group.create_task(_feed(frontier, emit))
            current = asyncio.current_task()
            assert current is not None
            stopping.on_request(feeder.cancel, current.cancel)
            await asyncio.wait([feeder])
            if stopping.reason is not None:
                while not pools[0].inbox.empty():  # take back what no worker has begun
                    pools[0].inbox.get_nowait()
            for name, pool in by_name.items():
                if workers[name]:
                    await _stop_pool(pool, workers[name], stopping, grace)
    finally:
        stopping.detach()  # from here on an abort would only interrupt the clean-up


async def _feed(frontier: Frontier, emit: Emit) -> None:
    while (message := await frontier.next()) is not None:
        await emit(message)


async def _stop_pool(
    pool: Pool, workers: Sequence[asyncio.Task[None]], stopping: Stopping, grace: float
) -> None:
    """Send one pill per worker and wait for all workers. `grace` seconds after a stop cancel the others.

    The URLs of cancelled workers stay pending, unless the writer commits them all the same.
    """

    async def send_pills() -> None:
        for _ in workers:
            await pool.inbox.put(Pill.STOP)
        await asyncio.wait(workers)

    stopped = asyncio.ensure_future(send_pills())
    asked = asyncio.ensure_future(stopping.asked.wait())
    try:
        await asyncio.wait({stopped, asked}, return_when=asyncio.FIRST_COMPLETED)
        if not stopped.done():
            await asyncio.wait({stopped}, timeout=grace)
    finally:
        asked.cancel()
        stopped.cancel()
        await asyncio.gather(asked, stopped, return_exceptions=True)
    late = [worker for worker in workers if not worker.done()]
    if late:
        log.warning("workers_cut_off", stage=pool.stage.name, count=len(late))
        for worker in late:
            worker.cancel()
        await asyncio.wait(late)
