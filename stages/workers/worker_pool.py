"""Worker pool: the parser processes of a crawl, and the documents that wait for them.

May touch: subprocesses and sockets.

A thread would do for the event loop, but it cannot use another core, be stopped, or be limited.

There are two queues. Most documents need a few milliseconds: the quick queue has as many workers
as there are cores to share, and little time and memory for one document. A document that does not
end within these limits goes to the slow queue, whose only worker may take more, one document after
the other. So a hostile page costs the others a quarter of a second and a new worker. The limit is
processor time, so the outcome does not depend on what else the machine does.

Within a queue small documents go before large ones, and go on while there is little memory for
results: the results of a page with 30,000 links take a second to store.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from penstock.crawler.config.environment import remove_secrets
from penstock.crawler.messages import Content, Document, Sitemap
from penstock.crawler.output.logs import get_logger
from penstock.stages.extractors.text.markup import has_more_tags
from penstock.stages.workers.wire import (
    SITEMAP,
    Failure,
    SharedBuffers,
    decode_content,
    decode_sitemap,
    message_pieces,
)
from penstock.stages.workers.worker_process import MAX_ASSIGNED, Job, WorkerProcess

if TYPE_CHECKING:
    from penstock.stages.extractors.fields.plan import Plan

# To look for cycles while modules load finds none, and takes 2 ms. msgspec would load
# typing_extensions for the sake of older Pythons, and with it `inspect`: 7 ms.
_PROGRAM = """
import gc, sys
gc.disable()
sys.modules["typing_extensions"] = None
from penstock.stages.workers.worker_main import main
main()
"""

log = get_logger()


class ResultBudget(Protocol):
    """Memory for what was read and is not stored yet (`penstock.crawler.engine.body_budget.BodyBudget`)."""

    @property
    def has_room(self) -> bool: ...
    @property
    def has_room_for_large(self) -> bool: ...


class Limits(NamedTuple):
    """What a worker may spend on one document."""

    cpu_seconds: float
    memory_bytes: int  # above the worker's own


DEADLINE = 20.0  # seconds for one document, however little of them the system gave to its worker
QUICK = Limits(0.25, 40 << 20)  # an ordinary page needs 14 times its size: 2.5 MB of it 0.05 s and 34 MiB
SLOW = Limits(2.0, 128 << 20)  # 10 MiB of text need 0.3 s and 100 MiB; dense markup up to 20 times its size

# Documents that the quick queue would hardly finish go to the slow one at once. Most sites have none.
# The densest of ordinary pages (tables of contents of 2.5 MB) have 100,000 tags.
LARGE_BYTES = 3 << 20
MANY_TAGS = 120_000


class ParseFailed(Exception):
    """A document that could not be read.

    `reason`: parse_timeout, parse_crash, or internal:TYPE with the `traceback` of the exception.
    """

    def __init__(self, reason: str, traceback: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.traceback = traceback


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
        """While `results` has no room no document is begun; call `dispatch` when it may have some."""
        wire = plan.to_wire() if plan is not None else b""
        room = results or _Unlimited()
        self._slow = WorkerQueue(1, slow, wire, deadline, room, _fail)
        # Whatever ended the first worker (it may have come from outside), a second try decides.
        self._quick = WorkerQueue(count, quick, wire, deadline, room, lambda job, _: self._slow.put(job))

    @property
    def has_room(self) -> bool:
        """True if a document would be assigned to a worker at once."""
        return self._quick.has_room

    def start(self) -> None:
        """Begin to start the workers that are missing."""
        self._quick.start()

    def dispatch(self) -> None:
        self._quick.dispatch()
        self._slow.dispatch()

    async def read(self, where: str, document: Document, *, is_slow: bool = False) -> Content | None:
        """Read a document in a worker: `where` is the import path of its kind. Raises ParseFailed."""
        answer = decode_content(await self._ask(where, document, is_slow))
        if answer.failure is not None:
            raise _bug(answer.failure)
        return answer.content

    async def read_sitemap(self, document: Document) -> Sitemap:
        """Read a sitemap in a worker. Raises ParseFailed."""
        answer = decode_sitemap(await self._ask(SITEMAP, document, False))
        if answer.failure is not None or answer.sitemap is None:
            raise _bug(answer.failure)
        return answer.sitemap

    async def close(self) -> None:
        """End all workers. No answer comes any more."""
        await self._quick.close()
        await self._slow.close()

    async def _ask(self, where: str, document: Document, is_slow: bool) -> bytes:
        job = Job(where, document, asyncio.get_running_loop().create_future())
        is_slow = is_slow or len(document.body) > LARGE_BYTES or has_more_tags(document.body, MANY_TAGS)
        (self._slow if is_slow else self._quick).put(job)
        try:
            return await job.future
        finally:
            # An exception holds this stack frame, and the job holds the exception: a cycle with a body
            # in it, which would stay until the next garbage collection.
            del job


class _Unlimited:
    """The budget of a caller that keeps results elsewhere."""

    has_room = has_room_for_large = True


def _fail(job: Job, reason: str) -> None:
    job.future.set_exception(ParseFailed(reason))


def _bug(failure: Failure | None) -> ParseFailed:
    if failure is None:
        return ParseFailed("parse_crash")
    return ParseFailed(f"internal:{failure.error}", failure.traceback)


class WorkerQueue:
    """`count` workers with the same limits, started when first needed, replaced when lost.

    `plan` is the first message to each: what is wanted of each page; empty: only its links.
    `give_up` is called with a document that ended its worker, and the reason.
    """

    def __init__(
        self,
        count: int,
        limits: Limits,
        plan: bytes,
        deadline: float,
        room: ResultBudget,
        give_up: Callable[[Job, str], None],
    ) -> None:
        self.deadline = deadline
        self.workers: list[WorkerProcess] = []
        self._count = count
        self._limits = limits
        self._plan = plan
        self._room = room
        self._give_up = give_up
        self._starts: set[asyncio.Task[None]] = set()
        self._ending: set[asyncio.Task[None]] = set()  # dead, and not yet reaped
        self._small: deque[Job] = deque()  # waiting, as the large ones; they may overtake these
        self._large: deque[Job] = deque()
        self._closed = False

    @property
    def has_room(self) -> bool:
        """True if a document would be assigned to a worker at once."""
        return not self._small and any(worker.has_room for worker in self.workers)

    def put(self, job: Job) -> None:
        self._waiting(job).append(job)
        self.dispatch()

    def start(self) -> None:
        """Begin to start the workers that are missing."""
        for _ in range(self._count - len(self.workers) - len(self._starts)):
            task = asyncio.get_running_loop().create_task(self._start(), name="parser-start")
            self._starts.add(task)
            task.add_done_callback(self._started)

    def dispatch(self) -> None:
        """Assign waiting documents to the workers that have the fewest."""
        self._dispatch(self._small, lambda: self._room.has_room)
        self._dispatch(self._large, lambda: self._room.has_room_for_large)
        if (self._small or self._large) and not self._closed:
            self.start()

    def _dispatch(self, waiting: deque[Job], may_read: Callable[[], bool]) -> None:
        while waiting and (free := [worker for worker in self.workers if worker.has_room]) and may_read():
            job = waiting.popleft()
            if not job.future.done():  # its caller may have been cancelled
                min(free, key=_assigned).assign(job)

    def _waiting(self, job: Job) -> deque[Job]:
        return self._large if job.is_large else self._small

    def remove(self, worker: WorkerProcess) -> None:
        """A worker has ended. The document that it was reading is the cause; those behind it wait again."""
        self.workers.remove(worker)
        culprit = worker.jobs.popleft() if worker.jobs else None
        for job in reversed(worker.jobs):
            self._waiting(job).appendleft(job)
        ending = asyncio.get_running_loop().create_task(self._reap(worker, culprit), name="parser-end")
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)
        self.dispatch()

    async def close(self) -> None:
        self._closed = True
        await asyncio.gather(*self._starts, return_exceptions=True)
        for worker in self.workers:
            worker.kill()
        while self.workers or self._ending:
            await asyncio.gather(*self._ending)
            await asyncio.sleep(0)  # connection_lost of the last ones

    async def _reap(self, worker: WorkerProcess, culprit: Job | None) -> None:
        """Wait for the end of the process, whose status tells the cause."""
        status = await asyncio.to_thread(worker.process.wait)
        if self._closed or culprit is None or culprit.future.done():
            return
        timed_out = worker.timed_out or status == -getattr(signal, "SIGPROF", 0)
        log.debug("parser_process_ended", timed_out=timed_out, status=status)
        self._give_up(culprit, "parse_timeout" if timed_out else "parse_crash")

    async def _start(self) -> None:
        ours, theirs = socket.socketpair()
        buffers = SharedBuffers.open(MAX_ASSIGNED)
        with theirs:
            try:
                process = self._spawn(theirs, [] if buffers is None else [buffers.fd])
            except OSError:
                ours.close()
                if buffers is not None:
                    buffers.close()
                raise
        ours.setblocking(False)
        worker = WorkerProcess(self, process, buffers)
        await asyncio.get_running_loop().create_connection(lambda: worker, sock=ours)
        assert worker.transport is not None
        for piece in message_pieces(self._plan):
            worker.transport.write(piece)
        self.workers.append(worker)

    def _spawn(self, parent: socket.socket, buffers: list[int]) -> subprocess.Popen[bytes]:
        # vfork and exec: a few milliseconds. A process group of its own: Ctrl-C reaches only the parent.
        # Only plugins and kinds of document may be installed in a way that needs `site` to be found.
        flags = [] if self._plan else ["-S"]
        path = [str(Path(__file__).parents[3]), *filter(None, sys.path)]
        return subprocess.Popen(
            [sys.executable, *flags, "-c", _PROGRAM, *map(str, (*self._limits, *buffers))],
            stdin=parent.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=buffers,
            env={**remove_secrets(os.environ), "PYTHONPATH": os.pathsep.join(path)},
            process_group=0,
        )

    def _started(self, task: asyncio.Task[None]) -> None:
        self._starts.discard(task)
        if (error := task.exception()) is None:
            self.dispatch()
            return
        # No process could be started (limits of the system): the documents fail, the crawl goes on.
        for waiting in (self._small, self._large):
            while waiting:
                waiting.popleft().future.set_exception(error)


def _assigned(worker: WorkerProcess) -> int:
    return len(worker.jobs)
