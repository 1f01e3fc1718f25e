"""Worker process: one parser process as seen from here, and the documents assigned to it.

May touch: its socket, its shared buffers.

It has a few documents, so that it never waits for the next one. The first of them is the one being
read, and the cause if the process ends or its time is over. The others are assigned anew.
"""

from __future__ import annotations

import asyncio
import subprocess
from collections import deque
from dataclasses import dataclass, field
from typing import Protocol, cast

from msgspec.structs import replace

from penstock.crawler.messages import Document
from penstock.stages.workers.wire import Request, SharedBuffers, WireReader, encode, message_pieces

START_SECONDS = 30.0  # seconds for a worker to start and to load the plugins
MAX_ASSIGNED = 24  # documents per worker, so that it has work while the event loop is busy elsewhere ...
MAX_ASSIGNED_BYTES = 1024 << 10  # ... while they are no more than this in all
# Of them for a worker that has answered nothing yet, and one more for each that it answers.
MAX_ASSIGNED_AT_START = 4
LARGE_BODY_BYTES = 256 << 10


class ProcessOwner(Protocol):
    """The queue that started it (`penstock.stages.workers.worker_pool.WorkerQueue`)."""

    deadline: float  # seconds for one document

    def dispatch(self) -> None: ...
    def remove(self, worker: WorkerProcess) -> None: ...


@dataclass(slots=True, eq=False)
class Job:
    where: str  # import path of the kind of document
    document: Document
    future: asyncio.Future[bytes]  # the answer's message
    buffer: int | None = None  # where its worker finds the body

    @property
    def is_large(self) -> bool:
        """True if the result may take much of the memory that all results share."""
        return len(self.document.body) > LARGE_BODY_BYTES


@dataclass(slots=True, eq=False)
class WorkerProcess(asyncio.BufferedProtocol):
    """One process and its documents; the first is being read."""

    queue: ProcessOwner
    process: subprocess.Popen[bytes]
    buffers: SharedBuffers | None
    jobs: deque[Job] = field(default_factory=deque)
    transport: asyncio.Transport | None = None
    clock: asyncio.TimerHandle | None = None
    timed_out: bool = False
    ready: bool = False  # it has answered the plan; the time for that is not a document's
    answered: int = 0  # documents
    reader: WireReader = field(default_factory=WireReader)

    @property
    def has_room(self) -> bool:
        """Whether it may be assigned another document.

        Not once it is known to have ended: asyncio warns of each write after that. Where every document
        ends its worker, those behind it wait for a start each: they should be few.
        """
        if self.transport is not None and self.transport.is_closing():
            return False
        return not self.jobs or (
            len(self.jobs) < min(MAX_ASSIGNED, MAX_ASSIGNED_AT_START + self.answered)
            and sum(len(job.document.body) for job in self.jobs) < MAX_ASSIGNED_BYTES
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not an isinstance: uvloop's transports are none of asyncio's.
        self.transport = cast(asyncio.Transport, transport)

    def assign(self, job: Job) -> None:
        assert self.transport is not None
        self.jobs.append(job)
        document = job.document
        job.buffer = self.buffers.put(document.body) if self.buffers is not None else None
        if job.buffer is None:
            request = Request(job.where, document)
        else:
            request = Request(job.where, replace(document, body=b""), job.buffer, len(document.body))
        for piece in message_pieces(encode(request)):
            self.transport.write(piece)
        if len(self.jobs) == 1:
            self._start_clock()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self.reader.room()

    def buffer_updated(self, nbytes: int) -> None:
        for message in self.reader.take(nbytes):
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
            # Not before the caller has counted the result: there may be no room after that.
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
