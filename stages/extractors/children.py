"""Children: parser processes, for what a thread cannot do: use another core, be stopped, be bounded.

May touch: subprocesses and sockets.

Each child has a few documents in hand, so that it never waits for the next one. The first
of them is the one being parsed; if the child dies or its deadline passes, that document
is the culprit, and the others are given to a new child. An extractor's verdict is a value:
`ParseFailed` names what a document did.
"""

from __future__ import annotations

import asyncio
import marshal
import os
import socket
import subprocess
import sys
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from crawler.environment import without_secrets
from crawler.logs import get_logger
from crawler.messages import CanonicalUrl, Content, Sitemap
from stages.extractors.child import LENGTH
from stages.extractors.frames import content_of, sitemap_of

if TYPE_CHECKING:
    from stages.extractors.plan import Plan

MEMORY_BYTES = 160 << 20  # above the child's own: a 10 MiB page of ordinary HTML needs about 100
DEADLINE = 8.0  # seconds for one document; the largest honest ones need one on a slow machine
START_UP = 30.0  # seconds for a child to start and to load the plugins
PATIENCE = 0.5  # seconds after which the documents behind a slow one go elsewhere
IN_HAND = 4  # documents per child
MAX_STUCK = 4  # children beyond the usual number that may still be busy with a slow document

log = get_logger()


class ParseFailed(Exception):
    """A document that no parser came back from. `reason`: parse_timeout or parse_crash."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(slots=True, eq=False)
class _Job:
    frame: bytes
    future: asyncio.Future[bytes]  # the answer's frame
    deaths: int = 0  # children that died while they parsed it


@dataclass(slots=True, eq=False)
class _Child(asyncio.Protocol):
    """One process and what it has in hand; the first is being parsed."""

    owner: Children
    process: subprocess.Popen[bytes]
    jobs: deque[_Job] = field(default_factory=deque)
    transport: asyncio.Transport | None = None
    clock: asyncio.TimerHandle | None = None
    timed_out: bool = False
    ready: bool = False  # it has said that it is there; what that takes is no document's doing
    buffer: bytearray = field(default_factory=bytearray)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def give(self, job: _Job) -> None:
        assert self.transport is not None
        self.jobs.append(job)
        self.transport.writelines((LENGTH.pack(len(job.frame)), job.frame))
        if len(self.jobs) == 1:
            self._start_clock()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        # Without jobs it is on its way out: what it was slow with has been given to others.
        while self.jobs and len(self.buffer) >= LENGTH.size:
            end = LENGTH.size + LENGTH.unpack_from(self.buffer)[0]
            if len(self.buffer) < end:
                return
            frame = bytes(self.buffer[LENGTH.size : end])
            del self.buffer[:end]
            if not self.ready:
                self.ready = True
                self._start_clock()
                continue
            job = self.jobs.popleft()
            self._start_clock()
            if not job.future.done():
                job.future.set_result(frame)
            self.owner.answered(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_clock()
        self.owner.lost(self)

    def kill(self) -> None:
        """End it now; `connection_lost` follows."""
        self._stop_clock()
        if self.process.poll() is None:
            self.process.kill()
        if self.transport is not None:
            self.transport.abort()

    def _start_clock(self) -> None:
        self._stop_clock()
        loop = asyncio.get_running_loop()
        if self.jobs:
            self.clock = (
                loop.call_later(PATIENCE, self._slow)
                if self.ready
                else loop.call_later(START_UP, self._too_late)
            )

    def _stop_clock(self) -> None:
        if self.clock is not None:
            self.clock.cancel()
            self.clock = None

    def _slow(self) -> None:
        self.clock = asyncio.get_running_loop().call_later(self.owner.deadline - PATIENCE, self._too_late)
        self.owner.slow(self)

    def _too_late(self) -> None:
        self.timed_out = True
        self.kill()


class Children:
    """`count` parser processes, started when first needed, replaced when lost. `close` them."""

    def __init__(
        self,
        count: int,
        *,
        plan: Plan | None = None,
        deadline: float = DEADLINE,
        memory_bytes: int = MEMORY_BYTES,
    ) -> None:
        self.deadline = deadline
        self._plan = marshal.dumps(plan.wire() if plan is not None else None)
        self._count = count
        self._memory_bytes = memory_bytes
        self._children: list[_Child] = []  # at work
        self._stuck: set[_Child] = set()  # busy with a slow document; given nothing more
        self._starts: set[asyncio.Task[None]] = set()
        self._ending: set[asyncio.Future[int]] = set()  # dead, and not yet reaped
        self._waiting: deque[_Job] = deque()
        self._closed = False

    @property
    def has_room(self) -> bool:
        """True if a document given now would be in somebody's hand at once."""
        return not self._waiting and any(len(child.jobs) < IN_HAND for child in self._children)

    def start(self) -> None:
        """Begin to start the children that are missing."""
        for _ in range(self._count - len(self._children) - len(self._starts)):
            task = asyncio.get_running_loop().create_task(self._start(), name="parser-start")
            self._starts.add(task)
            task.add_done_callback(self._started)

    async def extract(
        self, body: bytes, *, url: CanonicalUrl, charset: str | None = None, nofollow: bool = False
    ) -> Content:
        """Read a document in a child. Raises ParseFailed."""
        return content_of(await self._ask("page", str(url), charset, nofollow, body))

    async def read_sitemap(self, body: bytes, *, url: CanonicalUrl, charset: str | None = None) -> Sitemap:
        """Read a sitemap in a child. Raises ParseFailed."""
        return sitemap_of(await self._ask("sitemap", str(url), charset, False, body))

    async def close(self) -> None:
        """End all children; nobody waits for one any more."""
        self._closed = True
        await asyncio.gather(*self._starts, return_exceptions=True)
        children = [*self._children, *self._stuck]
        for child in children:
            child.kill()
        while self._ending:
            await asyncio.gather(*self._ending)
            await asyncio.sleep(0)  # connection_lost of the last ones
        for child in children:
            await asyncio.to_thread(child.process.wait)

    # -- told by a child

    def answered(self, child: _Child) -> None:
        """It has room again; one that was stuck is back, or goes home if it was replaced meanwhile."""
        if child in self._stuck:
            self._stuck.discard(child)
            if len(self._children) >= self._count:
                child.jobs.clear()  # all of them were given to others
                child.kill()
                return
            self._children.append(child)
        self._hand_out()

    def slow(self, child: _Child) -> None:
        """Its document takes long: what is behind it goes elsewhere, and so does what comes next."""
        behind = [job for job in list(child.jobs)[1:] if not job.future.done()]
        self._waiting.extendleft(reversed(behind))
        if child in self._children and len(self._stuck) < MAX_STUCK:
            self._children.remove(child)
            self._stuck.add(child)
        self._hand_out()

    def lost(self, child: _Child) -> None:
        """It died or was killed. The document in its hand is the culprit; what was behind it goes on."""
        was_slow = child in self._stuck
        self._stuck.discard(child)
        if child in self._children:
            self._children.remove(child)
        child.kill()
        self._reap(child)
        if self._closed or not child.jobs:
            return
        culprit = child.jobs.popleft()
        culprit.deaths += 1
        if not was_slow:
            self._waiting.extendleft(job for job in reversed(child.jobs) if not job.future.done())
        if not culprit.future.done():
            if child.timed_out or culprit.deaths > 1:
                reason = "parse_timeout" if child.timed_out else "parse_crash"
                culprit.future.set_exception(ParseFailed(reason))
            else:
                self._waiting.appendleft(culprit)  # the first death may have come from outside
        log.warning("parser_child_lost", timed_out=child.timed_out, status=child.process.poll())
        self._hand_out()

    # -- within

    async def _ask(self, *request: str | bytes | bool | None) -> bytes:
        job = _Job(marshal.dumps(request), asyncio.get_running_loop().create_future())
        self._waiting.append(job)
        self._hand_out()
        return await job.future

    def _reap(self, child: _Child) -> None:
        ending = asyncio.get_running_loop().run_in_executor(None, child.process.wait)
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    async def _start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            # A process group of its own: Ctrl-C goes to the parent alone.
            process = subprocess.Popen(  # noqa: ASYNC220 (vfork and exec: a few milliseconds)
                [sys.executable, "-m", "stages.extractors.child", str(self._memory_bytes)],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**without_secrets(os.environ), "PYTHONPATH": str(Path(__file__).parents[2])},
                process_group=0,
            )
        ours.setblocking(False)
        child = _Child(self, process)
        await asyncio.get_running_loop().create_connection(lambda: child, sock=ours)
        if len(self._children) >= self._count:
            child.kill()  # it was to replace a slow one, which has answered meanwhile
            return
        assert child.transport is not None
        child.transport.writelines((LENGTH.pack(len(self._plan)), self._plan))
        self._children.append(child)

    def _started(self, task: asyncio.Task[None]) -> None:
        self._starts.discard(task)
        if (error := task.exception()) is None:
            self._hand_out()
            return
        # No process is to be had (limits of the system): who waits is told, the crawl goes on.
        while self._waiting:
            self._waiting.popleft().future.set_exception(error)

    def _hand_out(self) -> None:
        """Give what waits to whoever has the least in hand."""
        while self._waiting and self._children:
            child = min(self._children, key=_in_hand)
            if len(child.jobs) >= IN_HAND:
                return
            child.give(self._waiting.popleft())
        if self._waiting and not self._closed:
            self.start()


def _in_hand(child: _Child) -> int:
    return len(child.jobs)
