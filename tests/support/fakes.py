"""Fakes: small implementations of the ports, and a virtual time.

`MemoryCrawl` stands for the file; tests/crawler/scheduler/test_frontier_contract.py holds both to one
contract. `@in_virtual_time` runs a class of async tests on a loop whose clock jumps to
the next timer when every task waits. So a test of an hour takes a millisecond, and a hang is
an error at once.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import math
import selectors
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeVar

from msgspec.structs import replace

from penstock.crawler.messages import (
    Answer,
    CanonicalUrl,
    Content,
    Done,
    Failed,
    Fetched,
    FetchTask,
    Kind,
    Link,
    Links,
    Message,
    RetryAt,
    RobotsAnswer,
    RobotsTask,
    Verdict,
)
from penstock.crawler.ports import (
    HostThrottle,
    LoadedHost,
    Pending,
    Saved,
    SessionPage,
    ThrottleSource,
    WaitingHost,
)
from penstock.crawler.scheduler.throttle import Clock
from penstock.crawler.urls import origin, split

T = TypeVar("T")
C = TypeVar("C", bound=type[Any])

START = 1_000_000.0  # unix seconds at which virtual time begins


# -- values with everything but the essential filled in


def url(text: str) -> CanonicalUrl:
    return CanonicalUrl(text)


def task(address: str = "http://h/", *, depth: int = 0, attempt: int = 1, kind: Kind = "page") -> FetchTask:
    where = url(address)
    return FetchTask(url=where, host=split(where).host, depth=depth, attempt=attempt, kind=kind)


def answer(status: int = 200, **fields: Any) -> Answer:
    return Answer(**{"status": status, "fetched_at": START, "elapsed_ms": 1, **fields})


def links(*targets: str, followed: bool = True) -> Content:
    """The content of a page with these links."""
    return Content(links=Links.of(Link(url(target), "", "", followed) for target in targets))


def done(
    of: FetchTask, *targets: str, status: int = 200, fingerprint: bytes | None = None, **fields: Any
) -> Done:
    said = answer(status, **fields)
    return Done(task=of, answer=said, content=links(*targets), fingerprint=fingerprint)


def robots_answer(of: RobotsTask, body: str = "", *, status: int | None = 200, at: float = 0) -> RobotsAnswer:
    return RobotsAnswer(task=of, fetched_at=at, status=status, body=body.encode())


# -- time


class FakeClock(Clock):
    """Stands still until `advance`."""

    def __init__(self, now: float = START) -> None:
        self._now = now

    def now(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        self._now += seconds


class LoopClock(Clock):
    """The virtual loop's own time."""

    def __init__(self) -> None:
        return

    def now(self) -> float:
        return asyncio.get_running_loop().time()


class Stuck(Exception):
    """All tasks wait and no timer is left to wake one, or a task never waits."""


class _JumpingSelector(selectors.SelectSelector):
    """Moves the virtual time instead of sleeping."""

    MOST_STEPS = 100_000  # of the loop at one and the same moment

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self._steps = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Stuck("all wait for ever")
        self._steps = 0 if timeout > 0 else self._steps + 1
        if self._steps > self.MOST_STEPS:
            raise Stuck("busy for ever")
        self.now += timeout
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def run_in_virtual_time(test: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(test)


def in_virtual_time(cls: C) -> C:
    """Run every async test of a class on a `VirtualLoop`. Nothing in it may use a thread or a socket."""
    for name, test in list(vars(cls).items()):
        if name.startswith("test_") and inspect.iscoroutinefunction(test):
            setattr(cls, name, _synchronous(test))
    return cls


def _synchronous(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        run_in_virtual_time(test(*args, **kwargs))

    return run


async def all_else() -> None:
    """Let everything run that can run without the time passing."""
    for _ in range(50):
        await asyncio.sleep(0)


async def still_waiting(coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Start it, check that it has to wait, and return the task."""
    started = asyncio.get_running_loop().create_task(coroutine)
    await all_else()
    assert not started.done()
    return started


# -- the file


@dataclass(slots=True)
class _Row:
    pending: Pending
    number: int  # order of discovery
    state: str = "pending"  # pending, waiting, settled
    at: float = 0.0  # unix seconds, while waiting


def _key(address: str, kind: Kind) -> str:
    return address if kind == "page" else f"{kind} {address}"


@dataclass(slots=True)
class MemoryCrawl:
    """The crawl's file as a dict, with the ports `FrontierStore` and `VerdictStore`.

    Without scope, depth limit and relaxed depths, which the window does not need. One read or
    commit at a time, each after `pace` seconds; `before` is called with the name of every read, so
    that a test can make something happen meanwhile.
    """

    rows: dict[str, _Row] = field(default_factory=dict)
    by_host: dict[str, list[_Row]] = field(default_factory=dict)
    answers: dict[str, RobotsAnswer] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)  # as they were saved
    asked: list[str] = field(default_factory=list)  # names of the questions
    throttles: dict[str, HostThrottle] = field(default_factory=dict)
    stored: Counter[str] = field(default_factory=Counter)  # pages by host
    fingerprints: list[SessionPage] = field(default_factory=list)
    clocks: ThrottleSource | None = None  # whose changes ride along with every commit
    before: Callable[[str], object] = lambda question: None
    pace: Callable[[], float] = lambda: 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @classmethod
    def of(cls, *seeds: str) -> MemoryCrawl:
        memory = cls()
        memory.discover(seeds, depth=0)
        return memory

    def discover(self, urls: Iterable[str], *, depth: int, kind: Kind = "page") -> Saved:
        keys = {_key(text, kind): url(text) for text in urls}
        new = {key: where for key, where in keys.items() if key not in self.rows}
        for key, where in new.items():
            row = self.rows[key] = _Row(Pending(where, split(where).host, depth, 0, kind), len(self.rows))
            self.by_host.setdefault(row.pending.host, []).append(row)
        hosts = frozenset(split(where).host for where in new.values())
        return Saved(grown=hosts, pending=len(new) if kind == "page" else 0)

    def states(self, state: str) -> list[str]:
        return [text for text, row in self.rows.items() if row.state == state]

    async def save(self, verdict: Verdict) -> Saved:
        async with self.lock:
            await asyncio.sleep(self.pace())
            return self.commit(verdict)

    def commit(self, verdict: Verdict) -> Saved:
        self.verdicts.append(verdict)
        if self.clocks is not None:
            self.throttles.update(self.clocks.changed_throttles())
        if isinstance(verdict, RobotsAnswer):
            self.answers[verdict.task.origin] = verdict
            return self.discover(verdict.sitemaps, depth=0, kind="sitemap")
        row = self.rows[_key(verdict.task.url, verdict.task.kind)]
        if isinstance(verdict, RetryAt):
            row.pending = replace(row.pending, attempts=row.pending.attempts + verdict.requested)
            row.state, row.at = "waiting", verdict.at
            return Saved()
        row.state = "settled"
        if isinstance(verdict, Done) and verdict.answer.status == 200 and verdict.task.kind == "page":
            self.stored[verdict.task.host] += 1
        if isinstance(verdict, Done) and verdict.fingerprint is not None:
            self.fingerprints.append(SessionPage(verdict.task.url, verdict.fingerprint, row.pending.depth))
        if isinstance(verdict, Done) and verdict.content is not None:
            return self.discover((link.url for link in verdict.content.links), depth=row.pending.depth + 1)
        return Saved()

    @asynccontextmanager
    async def _asked(self, question: str) -> AsyncIterator[None]:
        """As on disk: a commit before the read counts, a later one does not."""
        self.asked.append(question)
        self.before(question)
        async with self.lock:
            await asyncio.sleep(self.pace())
            yield

    async def waiting_hosts(self, *, after: str | None, limit: int) -> Sequence[WaitingHost]:
        async with self._asked("waiting_hosts"):
            names = list(self.by_host)
            later = names[names.index(after) + 1 if after in names else 0 :]
            waiting = (name for name in later if any(row.state == "pending" for row in self.by_host[name]))
            return [
                WaitingHost(name, self.throttles.get(name, HostThrottle())) for name in islice(waiting, limit)
            ]

    async def load_hosts(
        self, hosts: Sequence[str], *, limit: int, newer_than: float
    ) -> Mapping[str, LoadedHost]:
        async with self._asked("load_hosts"):
            found = {host: self._pending(host)[:limit] for host in hosts}
            fresh = {site: known for site, known in self.answers.items() if known.fetched_at > newer_than}
            return {
                host: LoadedHost(urls, {origin(one.url): fresh.get(origin(one.url)) for one in urls})
                for host, urls in found.items()
                if urls
            }

    async def pending(self, host: str, *, limit: int) -> Sequence[Pending]:
        async with self._asked("pending"):
            return self._pending(host)[:limit]

    def _pending(self, host: str) -> list[Pending]:
        rows = [row for row in self.by_host.get(host, ()) if row.state == "pending"]
        rows.sort(key=lambda row: (row.pending.depth, row.number))
        return [row.pending for row in rows]

    def _waiting(self, without: Collection[str]) -> list[_Row]:
        rows = (row for row in self.rows.values() if row.state == "waiting")
        return [row for row in rows if row.pending.host not in without]

    async def due(self, *, now: float, limit: int, without: Collection[str] = ()) -> Sequence[Pending]:
        async with self._asked("due"):
            rows = [row for row in self._waiting(without) if row.at <= now]
            return [row.pending for row in sorted(rows, key=lambda row: row.at)[:limit]]

    async def next_retry(self, *, after: float, without: Collection[str] = ()) -> float | None:
        async with self._asked("next_retry"):
            return min((row.at for row in self._waiting(without) if row.at > after), default=None)

    async def deferred(self, *, limit: int, without: Collection[str] = ()) -> Sequence[Pending]:
        async with self._asked("deferred"):
            rows = [row.pending for row in self._waiting(without) if row.at == math.inf]
            least = min((pending.depth for pending in rows), default=0)
            return [replace(pending, deferred=True) for pending in rows if pending.depth == least][:limit]

    async def session_pages(self, *, least: int, below: int) -> AsyncIterator[Sequence[SessionPage]]:
        async with self._asked("session_pages"):
            found = [page for page in self.fingerprints if least <= page.depth < below]
        for page in found:
            yield [page]

    async def count_pages(self, host: str) -> int:
        async with self._asked("count_pages"):
            return self.stored[host]

    async def plan_handshakes(self) -> bool:
        return False  # there are no cookies in memory

    async def unfinished(self) -> bool:
        async with self._asked("unfinished"):
            return any(row.state != "settled" for row in self.rows.values())

    async def throttle(self, host: str) -> HostThrottle:
        async with self._asked("throttle"):
            return self.throttles.get(host, HostThrottle())

    async def robots(self, site: str, *, newer_than: float) -> RobotsAnswer | None:
        async with self._asked("robots"):
            known = self.answers.get(site)
            return known if known is not None and known.fetched_at > newer_than else None


# -- the stages' neighbours


class FakeHold:
    """Counts its releases."""

    def __init__(self) -> None:
        self.released = 0

    def release(self) -> None:
        self.released += 1

    def try_reserve(self, count: int) -> bool:
        return True

    async def reserve(self, count: int) -> None:
        return

    def resize(self, count: int) -> None:
        return


class FakeFetcher:
    """A web in a dict: URL to answer, reason of failure, or an exception to raise."""

    def __init__(self, web: Mapping[str, Answer | str | BaseException], *, body: bytes | None = None) -> None:
        self._web = web
        self._body = body
        self.asked: list[str] = []
        self.holds: list[FakeHold] = []

    async def get(self, task: FetchTask) -> Fetched | Failed:
        self.asked.append(task.url)
        found = self._web[task.url]
        if isinstance(found, BaseException):
            raise found
        if isinstance(found, str):
            return Failed(task=task, stage="fetch", reason=found)
        if self._body is None:
            return Fetched(task=task, answer=found)
        self.holds.append(FakeHold())
        return Fetched(task=task, answer=found, body=self._body, hold=self.holds[-1])

    async def close(self) -> None:
        return


class FakeGate:
    """Keeps the calls of the host gate."""

    def __init__(self) -> None:
        self.answers: list[tuple[str, Fetched | Failed]] = []
        self.robots: list[str] = []

    def continue_handshake(self, message: FetchTask, result: Fetched | Failed) -> Sequence[Message]:
        return [result]

    def answered(self, message: FetchTask, result: Fetched | Failed) -> None:
        self.answers.append((message.url, result))

    def robots_answered(self, host: str) -> None:
        self.robots.append(host)
