"""Frontier on disk, as the window in memory asks for it. Rows become values at this edge.

May touch: the database's statements. All reads go through the writing connection, one at
a time with its commits, so that a caller never acts on a view older than the last commit.
"""

from __future__ import annotations

from collections.abc import Sequence

from crawler.messages import RobotsAnswer, RobotsTask
from crawler.ports import HostClock, Pending
from crawler.urls import unsplit
from storage import statements as sql
from storage.database import Database
from storage.rows import KIND_NAMES


class FrontierOnDisk:
    """Implements `FrontierStore` and `RobotsStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def hosts(self, *, limit: int) -> Sequence[str]:
        async with self._database.lock:
            rows = await self._database.rows(sql.HOSTS_WITH_WORK, {"limit": limit})
        return [name for (name,) in rows]

    async def pending(self, host: str, *, limit: int) -> Sequence[Pending]:
        async with self._database.lock:
            rows = await self._database.rows(sql.PENDING_OF_HOST, {"host": host, "limit": limit})
        return [
            Pending(unsplit(secure, host, path), host, depth, tries, KIND_NAMES[kind])
            for secure, path, depth, tries, kind in rows
        ]

    async def due(self, *, now: float, limit: int) -> Sequence[Pending]:
        async with self._database.lock:
            rows = await self._database.rows(sql.DUE_RETRIES, {"now": now, "limit": limit})
        return [
            Pending(unsplit(secure, host, path), host, depth, tries, KIND_NAMES[kind])
            for secure, host, path, depth, tries, kind in rows
        ]

    async def next_retry(self, *, after: float) -> float | None:
        async with self._database.lock:
            [(at,)] = await self._database.rows(sql.NEXT_RETRY, {"after": after})
        return None if at is None else float(at)

    async def unfinished(self) -> bool:
        async with self._database.lock:
            [(answer,)] = await self._database.rows(sql.UNFINISHED)
        return bool(answer)

    async def clock(self, host: str) -> HostClock:
        async with self._database.lock:
            row = await self._database.row(sql.FIND_CLOCK, {"host": host})
        return HostClock(*row) if row is not None else HostClock()

    async def robots(self, origin: str, *, newer_than: float) -> RobotsAnswer | None:
        async with self._database.lock:
            row = await self._database.row(sql.FIND_ROBOTS, {"origin": origin, "newer_than": newer_than})
        if row is None:
            return None
        status, body, error, fetched_at = row
        task = RobotsTask(origin=origin, host=origin.partition("://")[2])
        return RobotsAnswer(task=task, status=status, body=body, error=error, fetched_at=fetched_at)
