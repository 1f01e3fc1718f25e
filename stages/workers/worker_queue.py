"""Worker queue: parser processes that share limits, and the documents that wait for them.

May touch: subprocesses and sockets.

Small documents go before large ones, and do so while there is little room for what is read:
what a page of 30,000 links led to takes a second to store.
"""

from __future__ import annotations

import asyncio
import marshal
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

from penstock.crawler.config.environment import remove_secrets
from penstock.crawler.output.logs import get_logger
from penstock.stages.workers.shared_buffers import SharedBuffers
from penstock.stages.workers.wire import message_pieces
from penstock.stages.workers.worker_process import MAX_ASSIGNED, Job, WorkerProcess

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
    """For what was read and is not stored yet (`penstock.crawler.engine.body_budget.BodyBudget`)."""

    @property
    def has_room(self) -> bool: ...
    @property
    def has_room_for_large(self) -> bool: ...


class Limits(NamedTuple):
    """What a worker may spend on one document."""

    cpu_seconds: float
    memory_bytes: int  # above the worker's own


class ParseFailed(Exception):
    """A document that no parser came back from. `reason`: parse_timeout or parse_crash."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class WorkerQueue:
    """`count` workers with the same limits, started when first needed, replaced when lost.

    `plan` is the first message they get: what is wanted of each page; None: its links and no more.
    `give_up` is told which document ended a worker, and why.
    """

    def __init__(
        self,
        count: int,
        limits: Limits,
        plan: bytes | None,
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
        """True if a document given now would be in somebody's hand at once."""
        return not self._small and any(worker.has_room for worker in self.workers)

    def put(self, job: Job) -> None:
        self._line_of(job).append(job)
        self.dispatch()

    def start(self) -> None:
        """Begin to start the workers that are missing."""
        for _ in range(self._count - len(self.workers) - len(self._starts)):
            task = asyncio.get_running_loop().create_task(self._start(), name="parser-start")
            self._starts.add(task)
            task.add_done_callback(self._started)

    def dispatch(self) -> None:
        """Give what waits to whoever has the least in hand."""
        self._dispatch(self._small, lambda: self._room.has_room)
        self._dispatch(self._large, lambda: self._room.has_room_for_large)
        if (self._small or self._large) and not self._closed:
            self.start()

    def _dispatch(self, line: deque[Job], may_read: Callable[[], bool]) -> None:
        while line and (free := [worker for worker in self.workers if worker.has_room]) and may_read():
            job = line.popleft()
            if not job.future.done():  # its caller may have gone
                min(free, key=_in_hand).assign(job)

    def _line_of(self, job: Job) -> deque[Job]:
        return self._large if job.is_large else self._small

    def remove(self, worker: WorkerProcess) -> None:
        """It died or was killed. The document in its hand is the culprit; what was behind it goes on."""
        self.workers.remove(worker)
        culprit = worker.jobs.popleft() if worker.jobs else None
        for job in reversed(worker.jobs):
            self._line_of(job).appendleft(job)
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
        """Wait for its end, which says what it died of."""
        status = await asyncio.to_thread(worker.process.wait)
        if self._closed or culprit is None or culprit.future.done():
            return
        timed_out = worker.timed_out or status == -getattr(signal, "SIGPROF", 0)
        log.debug("parser_child_lost", timed_out=timed_out, status=status)
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
        for piece in message_pieces(self._plan or marshal.dumps(None)):
            worker.transport.write(piece)
        self.workers.append(worker)

    def _spawn(self, parent: socket.socket, buffers: list[int]) -> subprocess.Popen[bytes]:
        # vfork and exec: a few milliseconds. A process group of its own: Ctrl-C goes to the parent alone.
        # Only plugins may be installed in a way that nothing but `site` knows how to find.
        flags = ["-S"] if self._plan is None else []
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
        # No process is to be had (limits of the system): who waits is told, the crawl goes on.
        for line in (self._small, self._large):
            while line:
                line.popleft().future.set_exception(error)


def _in_hand(worker: WorkerProcess) -> int:
    return len(worker.jobs)
