"""Lane: parser processes that share limits, and the documents that wait for them.

May touch: subprocesses and sockets.

Each child has a few documents in hand, so that it never waits for the next one. The first
of them is the one being parsed, and the culprit if the child dies or its time is over; the
others are given to another child.
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
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from crawler.environment import without_secrets
from crawler.logs import get_logger
from stages.extractors.frames import FrameReader, framed
from stages.extractors.slots import Slots

START_UP = 30.0  # seconds for a child to start and to load the plugins
IN_HAND = 4  # documents per child ...
IN_HAND_BYTES = 256 << 10  # ... while they are no more than this in all

# To look for cycles while modules load finds none, and takes 2 ms. msgspec would load
# typing_extensions for the sake of older Pythons, and with it `inspect`: 7 ms.
_PROGRAM = """
import gc, sys
gc.disable()
sys.modules["typing_extensions"] = None
from stages.extractors.child import main
main()
"""

log = get_logger()


class Limits(NamedTuple):
    """What a child may spend on one document."""

    cpu_seconds: float
    memory_bytes: int  # above the child's own


class ParseFailed(Exception):
    """A document that no parser came back from. `reason`: parse_timeout or parse_crash."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(slots=True, eq=False)
class Job:
    request: tuple[str | bool | None, ...]  # what is to be said of the body
    body: bytes
    future: asyncio.Future[bytes]  # the answer's frame
    slot: int | None = None  # where its child finds the body


@dataclass(slots=True, eq=False)
class _Child(asyncio.BufferedProtocol):
    """One process and what it has in hand; the first is being parsed."""

    lane: Lane
    process: subprocess.Popen[bytes]
    slots: Slots | None
    jobs: deque[Job] = field(default_factory=deque)
    transport: asyncio.Transport | None = None
    clock: asyncio.TimerHandle | None = None
    timed_out: bool = False
    ready: bool = False  # it has said that it is there; what that takes is no document's doing
    reader: FrameReader = field(default_factory=FrameReader)

    @property
    def has_room(self) -> bool:
        return not self.jobs or (
            len(self.jobs) < IN_HAND and sum(len(job.body) for job in self.jobs) < IN_HAND_BYTES
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def give(self, job: Job) -> None:
        assert self.transport is not None
        self.jobs.append(job)
        job.slot = self.slots.put(job.body) if self.slots is not None else None
        where = (job.slot, len(job.body)) if job.slot is not None else job.body
        for piece in framed(marshal.dumps((*job.request, where))):
            self.transport.write(piece)
        if len(self.jobs) == 1:
            self._start_clock()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self.reader.room()

    def buffer_updated(self, nbytes: int) -> None:
        for frame in self.reader.took(nbytes):
            if not self.ready:
                self.ready = True
                self._start_clock()
                continue
            job = self.jobs.popleft()
            if self.slots is not None and job.slot is not None:
                self.slots.free(job.slot)
            self._start_clock()
            if not job.future.done():
                job.future.set_result(frame)
            # Not before whoever waited for it has said how much was in it: there may be no room now.
            asyncio.get_running_loop().call_soon(self.lane.hand_out)

    def connection_lost(self, exc: Exception | None) -> None:
        self.kill()
        if self.slots is not None:
            self.slots.close()
        self.lane.lost(self)

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
            seconds = self.lane.deadline if self.ready else START_UP
            self.clock = asyncio.get_running_loop().call_later(seconds, self._too_late)

    def _stop_clock(self) -> None:
        if self.clock is not None:
            self.clock.cancel()
            self.clock = None

    def _too_late(self) -> None:
        self.timed_out = True
        self.kill()


class Lane:
    """`count` children with the same limits, started when first needed, replaced when lost.

    `plan` is the first frame they get: what is wanted of each page; None: its links and no more.
    `give_up` is told which document ended a child, and why.
    """

    def __init__(
        self,
        count: int,
        limits: Limits,
        plan: bytes | None,
        deadline: float,
        may_read: Callable[[], bool],
        give_up: Callable[[Job, str], None],
    ) -> None:
        self.deadline = deadline
        self.children: list[_Child] = []
        self._count = count
        self._limits = limits
        self._plan = plan
        self._may_read = may_read
        self._give_up = give_up
        self._starts: set[asyncio.Task[None]] = set()
        self._ending: set[asyncio.Task[None]] = set()  # dead, and not yet reaped
        self._waiting: deque[Job] = deque()
        self._closed = False

    @property
    def has_room(self) -> bool:
        """True if a document given now would be in somebody's hand at once."""
        return not self._waiting and any(child.has_room for child in self.children)

    def put(self, job: Job) -> None:
        self._waiting.append(job)
        self.hand_out()

    def start(self) -> None:
        """Begin to start the children that are missing."""
        for _ in range(self._count - len(self.children) - len(self._starts)):
            task = asyncio.get_running_loop().create_task(self._start(), name="parser-start")
            self._starts.add(task)
            task.add_done_callback(self._started)

    def hand_out(self) -> None:
        """Give what waits to whoever has the least in hand."""
        while self._waiting and self._may_read():
            if not (free := [child for child in self.children if child.has_room]):
                break
            job = self._waiting.popleft()
            if not job.future.done():  # its caller may have gone
                min(free, key=_in_hand).give(job)
        if self._waiting and not self._closed:
            self.start()

    def lost(self, child: _Child) -> None:
        """It died or was killed. The document in its hand is the culprit; what was behind it goes on."""
        self.children.remove(child)
        culprit = child.jobs.popleft() if child.jobs else None
        self._waiting.extendleft(reversed(child.jobs))
        ending = asyncio.get_running_loop().create_task(self._bury(child, culprit), name="parser-end")
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)
        self.hand_out()

    async def close(self) -> None:
        self._closed = True
        await asyncio.gather(*self._starts, return_exceptions=True)
        for child in self.children:
            child.kill()
        while self.children or self._ending:
            await asyncio.gather(*self._ending)
            await asyncio.sleep(0)  # connection_lost of the last ones

    async def _bury(self, child: _Child, culprit: Job | None) -> None:
        """Wait for its end, which says what it died of."""
        status = await asyncio.to_thread(child.process.wait)
        if self._closed or culprit is None or culprit.future.done():
            return
        timed_out = child.timed_out or status == -getattr(signal, "SIGPROF", 0)
        log.debug("parser_child_lost", timed_out=timed_out, status=status)
        self._give_up(culprit, "parse_timeout" if timed_out else "parse_crash")

    async def _start(self) -> None:
        ours, theirs = socket.socketpair()
        slots = Slots.open(IN_HAND)
        with theirs:
            try:
                process = self._spawn(theirs, [] if slots is None else [slots.fd])
            except OSError:
                ours.close()
                if slots is not None:
                    slots.close()
                raise
        ours.setblocking(False)
        child = _Child(self, process, slots)
        await asyncio.get_running_loop().create_connection(lambda: child, sock=ours)
        assert child.transport is not None
        for piece in framed(self._plan or marshal.dumps(None)):
            child.transport.write(piece)
        self.children.append(child)

    def _spawn(self, parent: socket.socket, slots: list[int]) -> subprocess.Popen[bytes]:
        # vfork and exec: a few milliseconds. A process group of its own: Ctrl-C goes to the parent alone.
        # Only plugins may be installed in a way that nothing but `site` knows how to find.
        flags = ["-S"] if self._plan is None else []
        path = [str(Path(__file__).parents[2]), *filter(None, sys.path)]
        return subprocess.Popen(
            [sys.executable, *flags, "-c", _PROGRAM, *map(str, (*self._limits, *slots))],
            stdin=parent.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=slots,
            env={**without_secrets(os.environ), "PYTHONPATH": os.pathsep.join(path)},
            process_group=0,
        )

    def _started(self, task: asyncio.Task[None]) -> None:
        self._starts.discard(task)
        if (error := task.exception()) is None:
            self.hand_out()
            return
        # No process is to be had (limits of the system): who waits is told, the crawl goes on.
        while self._waiting:
            self._waiting.popleft().future.set_exception(error)


def _in_hand(child: _Child) -> int:
    return len(child.jobs)
