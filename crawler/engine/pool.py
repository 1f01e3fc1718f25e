"""Pool: the workers of one stage and their inbox. The project's only worker loop.

May touch: messages, ports, meter, asyncio.

Invariant: a worker outlives any message. With every worker of a stage dead its inbox
would fill, the stage before would wait for ever, and the crawl would hang in silence.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Any

from msgspec import Struct, field

from penstock.crawler.engine.stage_meter import StageMeter
from penstock.crawler.messages import Failed, FetchTask, Message, RobotsTask, Task
from penstock.crawler.output.logs import get_logger
from penstock.crawler.ports import Stage

Emit = Callable[[Message], Awaitable[None]]
log = get_logger()


class Pill(Enum):
    """The last message a worker takes: it goes home."""

    STOP = "stop"


Inbox = asyncio.Queue[Message | Pill]


class Pool(Struct, frozen=True, kw_only=True):
    """`workers` copies of one stage's loop on one bounded inbox."""

    stage: Stage[Any]
    workers: int
    inbox: Inbox
    at_work: dict[int, tuple[Message, float] | None] = field(default_factory=dict)
    """By worker: the message in hand and since when (monotonic seconds). For those who watch."""
    meter: StageMeter = field(default_factory=StageMeter)


async def work(pool: Pool, number: int, emit: Emit) -> None:
    """Handle messages until a pill comes. Raises what the last stage raises."""
    while await _serve_one(pool, number, emit):
        pass


async def _serve_one(pool: Pool, number: int, emit: Emit) -> bool:
    """Take one message through the stage; False if it was the pill.

    A call for each: an idle worker that still knew its last page would keep that body in
    memory, out of every budget, and there are many workers.
    """
    stage, at_work, meter = pool.stage, pool.at_work, pool.meter
    at_work[number] = None
    message = await pool.inbox.get()
    if message is Pill.STOP:
        return False
    begun = time.monotonic()
    at_work[number] = (message, begun)
    meter.begin(begun)
    try:
        results = await stage.handle(message)
    except Exception as error:
        # CancelledError is a BaseException, so a hard stop still gets out.
        if stage.is_last:
            raise  # nowhere downstream to send it: stop loudly, resume later
        results = [_failed(message, stage.name, error)]
    finally:
        meter.end(begun, time.monotonic())
    for result in results:
        await emit(result)  # waits while the next inbox is full: backpressure
    return True


_logged_kinds: set[tuple[str, str]] = set()


def _failed(message: Message, stage: str, error: Exception) -> Failed:
    """A bug of ours met on one message: that URL's failure, its traceback shown once per kind."""
    task = task_of(message)
    kind = (stage, type(error).__name__)
    first = kind not in _logged_kinds
    _logged_kinds.add(kind)
    log.error(
        "message_failed", stage=stage, task=str(task), error=repr(error), exc_info=error if first else None
    )
    return Failed(
        task=task,
        stage=stage,
        reason=f"internal:{type(error).__name__}",
        answer=getattr(message, "answer", None),
    )


def task_of(message: Message) -> Task:
    """The task a message descends from."""
    if isinstance(message, FetchTask | RobotsTask):
        return message
    return message.task
