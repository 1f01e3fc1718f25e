"""Pool: the workers of one stage, their inbox and their figures. The project's only worker loop.

May touch: messages, ports, logs, asyncio.

Invariant: a worker outlives any message. With every worker of a stage dead its inbox
would fill, the stage before would wait for ever, and the crawl would hang without a word.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Any

from msgspec import Struct, field

from penstock.crawler.messages import Failed, FetchTask, Message, RobotsTask, Task
from penstock.crawler.output.logs import get_logger
from penstock.crawler.ports import Stage

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)  # of buckets, seconds

Emit = Callable[[Message], Awaitable[None]]
log = get_logger()


class Pill(Enum):
    """The last message that a worker takes: it ends the worker."""

    STOP = "stop"


Inbox = asyncio.Queue[Message | Pill]


class StageMeter:
    """Counts what the workers of one stage have done. All times are monotonic seconds.

    Two calls per message, a microsecond for both; a reader computes the rest.
    """

    __slots__ = ("_begun_sum", "_finished_s", "buckets", "busy", "handled", "idle")

    def __init__(self) -> None:
        self.busy = 0  # workers that handle a message; waiting for room downstream does not count
        self.idle = 0  # workers that wait for a message
        self.handled = 0  # messages
        self.buckets = [0] * (len(BOUNDS) + 1)  # of these, by the time they took; the last is over all bounds
        self._finished_s = 0.0
        self._begun_sum = 0.0  # of the moments at which the messages now handled were begun

    def begin(self, now: float) -> None:
        self.busy += 1
        self._begun_sum += now

    def end(self, begun: float, now: float) -> None:
        """The message that was begun at `begun` is handled."""
        self.busy -= 1
        self._begun_sum = self._begun_sum - begun if self.busy else 0.0  # 0: no rounding error piles up
        self.handled += 1
        self._finished_s += now - begun
        self.buckets[bisect_left(BOUNDS, now - begun)] += 1

    @property
    def finished_s(self) -> float:
        """Worker seconds spent on the messages that are handled."""
        return self._finished_s

    def busy_s(self, now: float) -> float:
        """Return the worker seconds so far, those on unfinished messages included."""
        return self._finished_s + self.busy * now - self._begun_sum


class Pool(Struct, frozen=True, kw_only=True):
    """Copies of one stage's loop on one bounded inbox, for one crawl."""

    stage: Stage[Any]
    workers: int  # at most; each starts when a message comes and no other one is idle
    inbox: Inbox
    at_work: dict[int, tuple[Message, float] | None] = field(default_factory=dict)
    """By worker: its message and since when (monotonic seconds). Read by the watchdog."""
    meter: StageMeter = field(default_factory=StageMeter)
    logged_kinds: set[str] = field(default_factory=set)
    """Types of exceptions whose traceback this crawl has logged."""


async def work(pool: Pool, number: int, emit: Emit) -> None:
    """Handle messages until a pill comes. Raises what the last stage raises."""
    while await _serve_one(pool, number, emit):
        pass


async def _serve_one(pool: Pool, number: int, emit: Emit) -> bool:
    """Take one message through the stage; False if it was the pill.

    A function of its own, so that its variables go with each message: an idle worker that kept
    its last page alive would keep that body in memory, out of every budget.
    """
    stage, meter = pool.stage, pool.meter
    pool.at_work[number] = None
    meter.idle += 1
    try:
        message = await pool.inbox.get()
    finally:
        meter.idle -= 1
    if message is Pill.STOP:
        return False
    begun = time.monotonic()
    pool.at_work[number] = (message, begun)
    meter.begin(begun)
    try:
        results = await stage.handle(message)
    except (Exception, asyncio.CancelledError) as error:
        # A hard stop gets out. Any other CancelledError comes from the code of a plug: it would end
        # the worker in silence, because a task group ignores it, with the URL still leased.
        if _is_cancelled():
            raise
        if stage.is_last:  # nowhere downstream to send it: stop loudly, resume later
            if isinstance(error, asyncio.CancelledError):
                raise RuntimeError("code that the last stage called was cancelled") from error
            raise
        results = [_failed(pool, message, error)]
    finally:
        meter.end(begun, time.monotonic())
    for result in results:
        await emit(result)  # waits while the next inbox is full: backpressure
    return True


def _is_cancelled() -> bool:
    """True if somebody has cancelled the running task."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _failed(pool: Pool, message: Message, error: BaseException) -> Failed:
    """Turn an exception into the failure of its URL; log the first traceback of each kind."""
    task, kind = task_of(message), type(error).__name__
    is_first = kind not in pool.logged_kinds
    pool.logged_kinds.add(kind)
    log.error(
        "message_failed",
        stage=pool.stage.name,
        task=str(task),
        error=repr(error),
        exc_info=error if is_first else None,
    )
    return Failed(
        task=task, stage=pool.stage.name, reason=f"internal:{kind}", answer=getattr(message, "answer", None)
    )


def task_of(message: Message) -> Task:
    """Return the task that a message descends from."""
    if isinstance(message, FetchTask | RobotsTask):
        return message
    return message.task
