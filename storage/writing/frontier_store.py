"""Frontier store: the frontier on disk, as the window in memory reads it. Rows become values here.

May touch: the database's statements. All reads go through the writing connection, one at
a time with its commits, so that a caller never acts on a view older than the last commit.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Any

from penstock.crawler.messages import CanonicalUrl, Handshake, RobotsAnswer, RobotsTask
from penstock.crawler.ports import HostThrottle, LoadedHost, Pending, SessionPage, WaitingHost
from penstock.crawler.urls import host_of, origin, unsplit
from penstock.storage.database.database import Database
from penstock.storage.writing import statements as sql
from penstock.storage.writing.handshake_table import HandshakePlan
from penstock.storage.writing.rows import KIND_NAMES

ROWS_AT_ONCE = 2_000  # some 10 ms of the event loop


class SqliteFrontier:
    """Implements `FrontierStore`."""

    def __init__(self, database: Database, handshakes: HandshakePlan) -> None:
        self._database = database
        self._handshakes = handshakes

    async def waiting_hosts(self, *, after: str | None, limit: int) -> Sequence[WaitingHost]:
        async with self._database.lock:
            rows = await self._database.rows(sql.HOSTS_WITH_WORK, {"after": after, "limit": limit})
        return [WaitingHost(name, HostThrottle(*state)) for name, *state in rows]

    async def load_hosts(
        self, hosts: Sequence[str], *, limit: int, newer_than: float
    ) -> Mapping[str, LoadedHost]:
        urls: dict[str, list[Pending]] = {}
        answers: dict[str, RobotsAnswer] = {}
        async with self._database.lock:
            params = {"hosts": json.dumps([*hosts]), "limit": limit}
            for host, secure, path, depth, tries, kind in await self._database.rows(
                sql.PENDING_OF_HOSTS, params
            ):
                url = Pending(unsplit(secure, host, path), host, depth, tries, KIND_NAMES[kind])
                urls.setdefault(host, []).append(url)
            origins = {host: {origin(one.url) for one in found} for host, found in urls.items()}
            wanted = json.dumps([site for sites in origins.values() for site in sites])
            for site, *row in await self._database.rows(
                sql.FIND_ROBOTS_OF_ALL, {"origins": wanted, "newer_than": newer_than}
            ):
                answers[site] = _robots_answer(site, row)
        return {
            host: LoadedHost(found, {site: answers.get(site) for site in origins[host]})
            for host, found in urls.items()
        }

    async def pending(self, host: str, *, limit: int) -> Sequence[Pending]:
        async with self._database.lock:
            rows = await self._database.rows(sql.PENDING_OF_HOST, {"host": host, "limit": limit})
        return [
            Pending(unsplit(secure, host, path), host, depth, tries, KIND_NAMES[kind])
            for secure, path, depth, tries, kind in rows
        ]

    async def due(self, *, now: float, limit: int, without: Collection[str] = ()) -> Sequence[Pending]:
        async with self._database.lock:
            params = {"now": now, "limit": limit, "without": json.dumps([*without])}
            rows = await self._database.rows(sql.DUE_RETRIES, params)
        return [_waiting(*row) for row in rows]

    async def next_retry(self, *, after: float, without: Collection[str] = ()) -> float | None:
        async with self._database.lock:
            params = {"after": after, "without": json.dumps([*without])}
            [(at,)] = await self._database.rows(sql.NEXT_RETRY, params)
        return None if at is None else float(at)

    async def deferred(self, *, limit: int, without: Collection[str] = ()) -> Sequence[Pending]:
        async with self._database.lock:
            params = {"limit": limit, "without": json.dumps([*without])}
            rows = await self._database.rows(sql.LATE, params)
        return [_waiting(*row, deferred=True) for row in rows if row[3] == rows[0][3]]

    async def session_pages(self, *, least: int, below: int) -> AsyncIterator[Sequence[SessionPage]]:
        params = {"least": least, "below": below, "after": 0, "limit": ROWS_AT_ONCE}
        while True:
            async with self._database.lock:
                rows = await self._database.rows(sql.SESSION_PAGES, params)
            if not rows:
                return
            yield [
                SessionPage(unsplit(secure, host, path), mark, depth)
                for secure, host, path, mark, depth, _ in rows
            ]
            params["after"] = rows[-1][-1]

    async def count_pages(self, host: str) -> int:
        async with self._database.lock:
            [(count,)] = await self._database.rows(sql.PAGES_OF_HOST, {"host": host})
        return int(count)

    async def plan_handshakes(self) -> bool:
        return await self._handshakes.make()

    async def unfinished(self) -> bool:
        async with self._database.lock:
            [(answer,)] = await self._database.rows(sql.UNFINISHED)
        return bool(answer) or await self.plan_handshakes()

    async def throttle(self, host: str) -> HostThrottle:
        async with self._database.lock:
            row = await self._database.row(sql.FIND_CLOCK, {"host": host})
        return HostThrottle(*row) if row is not None else HostThrottle()

    async def robots(self, site: str, *, newer_than: float) -> RobotsAnswer | None:
        async with self._database.lock:
            row = await self._database.row(sql.FIND_ROBOTS, {"origin": site, "newer_than": newer_than})
        return None if row is None else _robots_answer(site, row)


def _robots_answer(site: str, row: Sequence[Any]) -> RobotsAnswer:
    status, body, error, fetched_at, attempt, url = row
    task = RobotsTask(origin=site, host=site.partition("://")[2], attempt=attempt)
    return RobotsAnswer(task=task, status=status, url=url, body=body, error=error, fetched_at=fetched_at)


def _waiting(
    secure: int,
    host: str,
    path: str,
    depth: int,
    tries: int,
    kind: int,
    listed: int,
    start: str | None,
    before: str | None,
    *,
    deferred: bool = False,
) -> Pending:
    """A row of DUE_RETRIES or LATE."""
    url = unsplit(secure, host, path)
    if start is None:
        return Pending(url, host, depth, tries, KIND_NAMES[kind], deferred, bool(listed))
    handshake = Handshake(url=url, at=CanonicalUrl(start), before=before)
    return Pending(url, host_of(handshake.at), depth, tries, KIND_NAMES[kind], True, bool(listed), handshake)
