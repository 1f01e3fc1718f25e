"""Engine: the flow. Joins the pools by their inboxes, feeds the first, sends all home in order.

May touch: pool, frontier, messages, asyncio.

    frontier ═▶ [fetch] ═▶ [parse] ═▶ [store] ─ call ─▶ frontier

Every ═▶ is a bounded queue; the way back is a call, because a cycle of bounded queues
can fill up and then everyone waits for everyone. "Finished" is the frontier's
knowledge; pills follow it, pool after pool, so that none overtakes work.
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
    """The wish to end a run: made once gently, made again at once."""

    def __init__(self) -> None:
        self.reason: str | None = None
        self.aborted = False
        self.asked = asyncio.Event()
        self._gently: list[Callable[[], object]] = []
        self._at_once: list[Callable[[], object]] = []
        self._timer: asyncio.TimerHandle | None = None

    def request(self, reason: str) -> None:
        """Safe from a signal handler of the event loop. The first reason stays."""
        if self.reason is None:
            self.reason = reason
            self.asked.set()
            for call in self._gently:
                call()
        else:
            self.abort()

    def request_after(self, seconds: float, reason: str) -> None:
        """Request it then, unless it was requested before."""
        self._timer = asyncio.get_running_loop().call_later(max(seconds, 0.0), self._out_of_time, reason)

    def _out_of_time(self, reason: str) -> None:
        if self.reason is None:
            self.request(reason)

    def abort(self) -> None:
        self.aborted = True
        for call in self._at_once:
            call()

    def detach(self) -> None:
        """Nothing is left to stop; later requests only leave their mark."""
        if self._timer is not None:
            self._timer.cancel()
        self._gently.clear()
        self._at_once.clear()

    def on_request(self, gently: Callable[[], object], at_once: Callable[[], object]) -> None:
        """Call `gently` on the first request and `at_once` on the next; now, if it came before."""
        self._gently.append(gently)
        self._at_once.append(at_once)
        if self.reason is not None:
            gently()
        if self.aborted:
            at_once()


async def crawl(frontier: Frontier, pools: Sequence[Pool], stopping: Stopping, *, grace: float) -> None:
    """Run until the frontier is finished, or wind down once `stopping` asks for it.

    `grace` bounds the seconds that fetches under way may still take after a stop. Raises
    an ExceptionGroup if a worker loop, the frontier or the last stage failed.
    """
    inboxes = {pool.stage.name: pool.inbox for pool in pools}

    async def emit(message: Message) -> None:
        await inboxes[ROUTES[type(message)]].put(message)

    try:
        async with asyncio.TaskGroup() as group:
            crews = [
                [group.create_task(work(pool, number, emit)) for number in range(pool.workers)]
                for pool in pools
            ]
            # A task of its own: a stop must also reach a feeder that waits before a full inbox.
            # What it then drops is still pending on disk.
            feeder = group.create_task(_feed(frontier, emit))
            stopping.on_request(feeder.cancel, _canceller(asyncio.current_task()))
            await asyncio.wait([feeder])
            for pool, crew in zip(pools, crews, strict=True):
                if stopping.reason is not None and pool is pools[0]:
                    _empty(pool)
                await _send_home(pool, crew, stopping, grace)
    finally:
        stopping.detach()  # from here on an abort would only hit those who clean up


async def _feed(frontier: Frontier, emit: Emit) -> None:
    while (message := await frontier.next()) is not None:
        await emit(message)


def _canceller(task: asyncio.Task[None] | None) -> Callable[[], object]:
    assert task is not None
    return task.cancel


def _empty(pool: Pool) -> None:
    """Take back what no worker has begun."""
    while not pool.inbox.empty():
        pool.inbox.get_nowait()


async def _send_home(
    pool: Pool, crew: Sequence[asyncio.Task[None]], stopping: Stopping, grace: float
) -> None:
    """One pill per worker, then wait for all; `grace` seconds after a stop cut off those still at work.

    What they are cut off from stays pending, unless the writer commits it all the same.
    """
    home = asyncio.ensure_future(_dismiss(pool, crew))
    asked = asyncio.ensure_future(stopping.asked.wait())
    try:
        await asyncio.wait({home, asked}, return_when=asyncio.FIRST_COMPLETED)
        if not home.done():
            await asyncio.wait({home}, timeout=grace)
    finally:
        asked.cancel()
        home.cancel()
        await asyncio.gather(asked, home, return_exceptions=True)
    late = [worker for worker in crew if not worker.done()]
    if late:
        log.warning("workers_cut_off", stage=pool.stage.name, count=len(late))
        for worker in late:
            worker.cancel()
        await asyncio.wait(late)


async def _dismiss(pool: Pool, crew: Sequence[asyncio.Task[None]]) -> None:
    for _ in crew:
        await pool.inbox.put(Pill.STOP)
    await asyncio.wait(crew)
