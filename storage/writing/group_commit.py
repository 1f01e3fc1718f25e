"""Group commit: callers that save a verdict wait together for one commit.

May touch: asyncio, messages.
Never: the database; `start` is given what commits a batch.

A verdict commits at once while there is little to do. Under load the task lingers for a few times the
duration of the last commit, so that many pages share the cost of a transaction. The task is never
cancelled: cancelling the await of a statement does not cancel the statement, which would then run
outside its transaction.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from penstock.crawler.errors import StorageFailed
from penstock.crawler.messages import Done, Verdict
from penstock.crawler.ports import Saved

LINGER_PER_COMMIT = 4.0  # so at most a fifth of the time goes to commits
CROWDED_LINGER_PER_COMMIT = 8.0  # the same while the batches are half full or fuller
MAX_LINGER = 0.1  # seconds

# URLs that the verdicts of one commit may lead to: they decide its memory and its time, a second for
# 30,000. One page or sitemap may have as many, and then commits alone.
MAX_TARGETS = 30_000
SMALL_TARGETS = 1_000  # of a verdict that shall not wait for a large one

Waiting = tuple[Verdict, "asyncio.Future[Saved]"]


class GroupCommit:
    """A queue of verdicts and the task that commits them. Implements `VerdictStore`."""

    def __init__(self, *, max_batch: int) -> None:
        """`max_batch` is the number of callers: with so many verdicts a batch is full."""
        self._max_batch = max_batch
        self._waiting: list[Waiting] = []
        self._wake = asyncio.Event()
        self._full = asyncio.Event()
        self._flush_requested = False
        self._closing = False
        self._failed: Exception | None = None  # the error that ended the commits
        self._task: asyncio.Task[None] | None = None

    def start(
        self,
        commit: Callable[[Sequence[Verdict]], Awaitable[Saved]],
        flush: Callable[[], Awaitable[None]],
    ) -> None:
        """`commit` commits a batch. `flush` is called where no batch came after `request_flush`, and at
        the end."""
        self._task = asyncio.get_running_loop().create_task(self._work(commit, flush), name="writer")

    async def save(self, verdict: Verdict) -> Saved:
        """Return after the commit of this verdict. Raises StorageFailed after a failed commit and after
        `close`: nothing would commit the verdict, and its caller would wait for ever."""
        if self._failed is not None:
            raise self._failed
        if self._closing:
            raise StorageFailed("a verdict came after the last commit; the next run requests its URL again")
        future: asyncio.Future[Saved] = asyncio.get_running_loop().create_future()
        self._waiting.append((verdict, future))
        self._wake.set()
        if len(self._waiting) >= self._max_batch:
            self._full.set()
        return await future

    def request_flush(self) -> None:
        """Have `flush` called soon, unless a commit comes first."""
        self._flush_requested = True
        self._wake.set()

    async def close(self) -> None:
        """Commit the waiting verdicts, then stop."""
        self._closing = True
        self._wake.set()
        self._full.set()
        if self._task is not None:
            await asyncio.shield(self._task)

    async def _work(
        self,
        commit: Callable[[Sequence[Verdict]], Awaitable[Saved]],
        flush: Callable[[], Awaitable[None]],
    ) -> None:
        loop = asyncio.get_running_loop()
        linger = 0.0
        small_first = True
        while True:
            await self._wake.wait()
            if linger and not self._closing:
                await self._linger(linger)
            batch, self._waiting = take_batch(self._waiting, small_first=small_first)
            left_over = bool(self._waiting)
            small_first = not (small_first and left_over)
            self._full.clear()
            if not left_over:
                self._wake.clear()
            flush_requested, self._flush_requested = self._flush_requested, False
            if batch:
                started = loop.time()
                await self._commit(batch, commit)
                # What was left over has waited for one commit already.
                linger = 0.0 if left_over else self._linger_factor(len(batch)) * (loop.time() - started)
            elif flush_requested and not self._closing:
                await flush()
            if self._closing and not self._waiting:
                break
        if self._failed is None:
            await flush()

    def _linger_factor(self, batch: int) -> float:
        """How long to linger after a commit of so many verdicts, in multiples of its duration."""
        if batch == 1:  # no other verdict was on its way, so the next one does not wait either
            return 0.0
        return LINGER_PER_COMMIT if 2 * batch < self._max_batch else CROWDED_LINGER_PER_COMMIT

    async def _linger(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(min(seconds, MAX_LINGER)):
                await self._full.wait()
        except TimeoutError:
            return

    async def _commit(
        self, batch: Sequence[Waiting], commit: Callable[[Sequence[Verdict]], Awaitable[Saved]]
    ) -> None:
        try:
            saved = await commit([verdict for verdict, _ in batch])
        except Exception as error:
            # The caches no longer match the tables, so nothing may be written on top of them: a link to
            # a URL that only the cache knows would lead nowhere, and the URL would be lost.
            self._failed = error
            waiting, self._waiting = self._waiting, []
            for _, future in (*batch, *waiting):
                if not future.done():
                    future.set_exception(error)
                    future.exception()  # one caller is enough to end the run; the others are cancelled
            return
        for _, future in batch:
            if not future.done():
                future.set_result(saved)


def take_batch(waiting: Sequence[Waiting], *, small_first: bool) -> tuple[list[Waiting], list[Waiting]]:
    """Return the verdicts to commit next and those that are left, both in the order of arrival.

    With `small_first` small verdicts overtake large ones, otherwise they are served as they came.
    Alternating the two starves nobody, and a small verdict waits for one large one at most.
    """
    counts = [count_targets(verdict) for verdict, _ in waiting]
    if sum(counts) <= MAX_TARGETS:
        return list(waiting), []
    small_first = small_first and min(counts) <= SMALL_TARGETS
    batch: list[Waiting] = []
    rest: list[Waiting] = []
    left = MAX_TARGETS
    for each, count in zip(waiting, counts, strict=True):
        if (small_first and count > SMALL_TARGETS) or (batch and count > left):
            rest.append(each)
        else:
            batch.append(each)
            left -= count
    return batch, rest


def count_targets(verdict: Verdict) -> int:
    """How many URLs a verdict leads to, roughly."""
    count = 0
    if isinstance(verdict, Done):
        if verdict.content is not None:
            count += len(verdict.content.links) + len(verdict.content.resources)
        if verdict.sitemap is not None:
            count += len(verdict.sitemap.locations)
    return count
