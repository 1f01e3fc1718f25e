"""Progress tables: the states of URLs, the clocks of hosts, and the counts of the run.

May touch: the database's statements.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import asdict

from penstock.crawler.messages import Dead, Done, RetryAt, Skipped
from penstock.crawler.ports import ThrottleSource
from penstock.crawler.scheduler.discovery import UrlState
from penstock.storage.database.database import Database
from penstock.storage.writing import statements as sql
from penstock.storage.writing.rows import UrlRow

# sqlite3 binds an exact int in a quarter of the time that a member of an IntEnum takes.
_WAITING, _FAILED, _SKIPPED = map(int, (UrlState.WAITING, UrlState.FAILED, UrlState.SKIPPED))


class UrlStates:
    """`note` verdicts before any table that discovers: it reads the states. Then `write`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._done: list[int] = []  # parameters of SETTLE_DONE
        self._settled: list[object] = []  # parameters of SETTLE_URL, row after row

    async def note(self, verdict: Done | Dead | RetryAt | Skipped, row: UrlRow) -> None:
        match verdict:
            case Done():
                row.state, row.reason = UrlState.DONE, None
                self._done.append(row.id)
            case Dead(reason=reason, requested=requested):
                row.state, row.reason = UrlState.FAILED, reason
                self._settled += (_FAILED, reason, None, int(requested), row.id)
            case RetryAt(at=at, reason=reason, requested=requested):
                row.state, row.reason = UrlState.WAITING, reason
                self._settled += (_WAITING, reason, at, int(requested), row.id)
            case Skipped(reason=reason):
                row.state, row.reason = UrlState.SKIPPED, reason
                self._settled += (_SKIPPED, reason, None, 0, row.id)

    async def write(self) -> None:
        await self._database.run_multi_row(sql.SETTLE_DONE, self._done)
        await self._database.run_multi_row(sql.SETTLE_URL, self._settled)


class HostClockTable:
    """Writes the throttle's clocks that changed since the last commit."""

    def __init__(self, database: Database, source: ThrottleSource | None) -> None:
        self._database = database
        self._source = source

    async def write(self) -> None:
        clocks = self._source.changed_throttles() if self._source is not None else {}
        if clocks:
            await self._database.run_many(sql.SET_CLOCK, [(*clock, name) for name, clock in clocks.items()])


class BatchCounts(Struct):
    """What a batch adds to its run (COUNT_RUN)."""

    requests: int = 0
    pages: int = 0
    bytes: int = 0
    retries: int = 0
    robots_requests: int = 0
    sitemap_requests: int = 0
    resource_requests: int = 0


class RunCounts:
    """`note` verdicts, then `write`."""

    def __init__(self, database: Database, run: int) -> None:
        self._database = database
        self._run = run
        self.batch = BatchCounts()

    async def note(self, verdict: Done | Dead | RetryAt | Skipped, row: UrlRow) -> None:
        if isinstance(verdict, Skipped):
            return
        counts, kind = self.batch, verdict.task.kind
        requested = isinstance(verdict, Done) or verdict.requested
        match kind:
            case "page":
                counts.requests += requested
            case "sitemap":
                counts.sitemap_requests += requested
            case "resource":
                counts.resource_requests += requested
        if isinstance(verdict, RetryAt):
            counts.retries += requested and kind != "resource"
        elif isinstance(verdict, Done) and kind == "page":
            answer = verdict.answer
            counts.pages += answer.status == 200
            if answer.content_hash is not None:
                counts.bytes += answer.body_bytes or 0

    async def write(self) -> None:
        await self._database.run(sql.COUNT_RUN, {"run": self._run, **asdict(self.batch)})
