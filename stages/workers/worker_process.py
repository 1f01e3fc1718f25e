"""Worker process: one parser process, as seen from here, and the documents that it has in hand.

May touch: its pipe, its buffers.

It has a few documents in hand, so that it never waits for the next one. The first of them is
the one being parsed, and the culprit if the process dies or its time is over; the others are
given to another.
"""

from __future__ import annotations

import asyncio
import marshal
import subprocess
from collections import deque
from dataclasses import dataclass, field
from typing import Protocol, cast

from penstock.stages.workers.shared_buffers import SharedBuffers
from penstock.stages.workers.wire import WireReader, message_pieces

START_SECONDS = 30.0  # seconds for a worker to start and to load the plugins
MAX_ASSIGNED = 24  # documents per worker, so that it has work while the event loop is busy elsewhere ...
MAX_ASSIGNED_BYTES = 1024 << 10  # ... while they are no more than this in all
# Of them for a worker that has answered nothing yet, and one more for each that it answers.
MAX_ASSIGNED_AT_START = 4
LARGE_BODY_BYTES = 256 << 10


class ProcessOwner(Protocol):
    """Who started it (`penstock.stages.workers.worker_queue.WorkerQueue`)."""

    deadline: float  # seconds for one document

    def dispatch(self) -> None: ...
    def remove(self, worker: WorkerProcess) -> None: ...


@dataclass(slots=True, eq=False)
class Job:
    request: tuple[str | bool | None, ...]  # what is to be said of the body
    body: bytes
    future: asyncio.Future[bytes]  # the answer's message
    buffer: int | None = None  # where its worker finds the body

    @property
    def is_large(self) -> bool:
        """True if what the page leads to may take much of the memory that all share."""
        return len(self.body) > LARGE_BODY_BYTES


@dataclass(slots=True, eq=False)
class WorkerProcess(asyncio.BufferedProtocol):
    """One process and what it has in hand; the first is being parsed."""

    queue: ProcessOwner
    process: subprocess.Popen[bytes]
    buffers: SharedBuffers | None
    jobs: deque[Job] = field(default_factory=deque)
    transport: asyncio.Transport | None = None
    clock: asyncio.TimerHandle | None = None
    timed_out: bool = False
    ready: bool = False  # it has said that it is there; what that takes is no document's doing
    answered: int = 0  # documents
    reader: WireReader = field(default_factory=WireReader)

    @property
    def has_room(self) -> bool:
        """False too once it is found dead: what is written then, asyncio complains of.

        Where every document ends its worker, those behind wait for a start each: they should be few.
        """
        if self.transport is not None and self.transport.is_closing():
            return False
        return not self.jobs or (
            len(self.jobs) < min(MAX_ASSIGNED, MAX_ASSIGNED_AT_START + self.answered)
            and sum(len(job.body) for job in self.jobs) < MAX_ASSIGNED_BYTES
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not an isinstance: uvloop's transports are none of asyncio's.
        self.transport = cast(asyncio.Transport, transport)

    def assign(self, job: Job) -> None:
        assert self.transport is not None
        self.jobs.append(job)
        job.buffer = self.buffers.put(job.body) if self.buffers is not None else None
        where = (job.buffer, len(job.body)) if job.buffer is not None else job.body
        for piece in message_pieces(marshal.dumps((*job.request, where))):
            self.transport.write(piece)
        if len(self.jobs) == 1:
            self._start_clock()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self.reader.room()

    def buffer_updated(self, nbytes: int) -> None:
        for message in self.reader.took(nbytes):
            if not self.ready:
                self.ready = True
                self._start_clock()
                continue
            job = self.jobs.popleft()
            self.answered += 1
            if self.buffers is not None and job.buffer is not None:
                self.buffers.free(job.buffer)
            self._start_clock()
            if not job.future.done():
                job.future.set_result(message)
            # Not before whoever waited for it has said how much was in it: there may be no room now.
            asyncio.get_running_loop().call_soon(self.queue.dispatch)

    def connection_lost(self, exc: Exception | None) -> None:
        self.kill()
        if self.buffers is not None:
            self.buffers.close()
        self.queue.remove(self)

    def kill(self) -> None:
        """End it now; `connection_lost` follows."""
        self._stop_clock()
        if self.process.poll() is None:
            self.process.kill()
        if self.transport is not None:
            self.transport.abort()

    def _start_clock(self) -> None:
        self._stop_clock()
        if self.jobs:
            seconds = self.queue.deadline if self.ready else START_SECONDS
            self.clock = asyncio.get_running_loop().call_later(seconds, self._too_late)

    def _stop_clock(self) -> None:
        if self.clock is not None:
            self.clock.cancel()
            self.clock = None

    def _too_late(self) -> None:
        self.timed_out = True
        self.kill()
