"""Worker pool: parser processes, for what a thread cannot do: use another core, be stopped, be bounded.

May touch: the queues beside it.

Two queues. Most documents need a few milliseconds: the quick queue has as many workers as
there are cores to share, and each may spend little time and memory on one document. What
they did not finish goes to the slow queue, whose only worker may spend more, one document
after the other. So a hostile page costs the others a quarter of a second and a new worker;
and what becomes of it does not depend on what else goes on, since the time is the processor's.

An extractor's verdict is a value: `ParseFailed` names what a document did.
"""

from __future__ import annotations

import asyncio
import marshal
from typing import TYPE_CHECKING

from penstock.crawler.messages import CanonicalUrl, Content, Sitemap
from penstock.stages.extractors.text.markup import has_more_tags
from penstock.stages.workers.wire import decode_content, decode_sitemap
from penstock.stages.workers.worker_process import Job
from penstock.stages.workers.worker_queue import Limits, ParseFailed, ResultBudget, WorkerQueue

if TYPE_CHECKING:
    from penstock.stages.extractors.fields.plan import Plan

__all__ = ["Limits", "ParseFailed", "WorkerPool"]

DEADLINE = 20.0  # seconds for one document, however little of them the system gave to its worker
QUICK = Limits(0.25, 40 << 20)  # an ordinary page needs 14 times its size: 2.5 MB of it 0.05 s and 34 MiB
SLOW = Limits(2.0, 128 << 20)  # 10 MiB of text need 0.3 s and 100 MiB; dense markup up to 20 times its size

# What the quick queue would hardly finish, and what it need not try; so most sites need no slow one.
# The densest of ordinary pages (tables of contents of 2.5 MB) have 100,000 tags.
LARGE_BYTES = 3 << 20
MANY_TAGS = 120_000


class WorkerPool:
    """`count` parser processes, and one more for slow documents. `close` them."""

    def __init__(
        self,
        count: int,
        *,
        plan: Plan | None = None,
        quick: Limits = QUICK,
        slow: Limits = SLOW,
        deadline: float = DEADLINE,
        results: ResultBudget | None = None,
    ) -> None:
        """Without room for its results no document is begun; `dispatch` is told that there may be some."""
        wanted = marshal.dumps(plan.wire()) if plan is not None else None
        room = results or _Unbounded()
        self._slow = WorkerQueue(1, slow, wanted, deadline, room, _fail)
        # Whatever the first death was (it may have come from outside), another try decides.
        self._quick = WorkerQueue(count, quick, wanted, deadline, room, lambda job, _: self._slow.put(job))

    @property
    def has_room(self) -> bool:
        """True if a document given now would be in somebody's hand at once."""
        return self._quick.has_room

    def start(self) -> None:
        """Begin to start the workers that are missing."""
        self._quick.start()

    def dispatch(self) -> None:
        self._quick.dispatch()
        self._slow.dispatch()

    async def extract(
        self, body: bytes, *, url: CanonicalUrl, charset: str | None = None, nofollow: bool = False
    ) -> Content:
        """Read a document in a worker. Raises ParseFailed."""
        return decode_content(await self._ask(body, "page", str(url), charset, nofollow))

    async def read_sitemap(self, body: bytes, *, url: CanonicalUrl, charset: str | None = None) -> Sitemap:
        """Read a sitemap in a worker. Raises ParseFailed."""
        return decode_sitemap(await self._ask(body, "sitemap", str(url), charset, False))

    async def close(self) -> None:
        """End all workers; nobody waits for one any more."""
        await self._quick.close()
        await self._slow.close()

    async def _ask(self, body: bytes, *request: str | bool | None) -> bytes:
        job = Job(request, body, asyncio.get_running_loop().create_future())
        (self._slow if _is_large(body) else self._quick).put(job)
        try:
            return await job.future
        finally:
            # What is raised holds this stack frame, and the job what is raised: a circle with a body in it,
            # which would stay until somebody looks for circles.
            del job


def _is_large(body: bytes) -> bool:
    return len(body) > LARGE_BYTES or has_more_tags(body, MANY_TAGS)


class _Unbounded:
    """For those who keep what they get elsewhere."""

    has_room = has_room_for_large = True


def _fail(job: Job, reason: str) -> None:
    job.future.set_exception(ParseFailed(reason))
