"""Handshake table: which URLs stand behind a cookie gate, and how the one handshake of each ended.

May touch: the database's statements, the URL table, discovery, the scheduler's handshakes.

A redirect that sets a cookie is flagged in its row of `fetch`. From these flags and the stored redirects
follows which URLs are tried, so the answer depends on what is stored and on nothing else. A row of
`handshake` is written in the transaction that defers its URL, and ends in the one that settles it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

from penstock.crawler.messages import Dead, RetryAt, Unsolved, UrlVerdict
from penstock.crawler.ports import Saved
from penstock.crawler.scheduler.discovery import Discovery, UrlState
from penstock.crawler.scheduler.handshakes import Circles
from penstock.storage.database.database import Database
from penstock.storage.writing import statements as sql
from penstock.storage.writing.rows import UrlRow
from penstock.storage.writing.url_table import UrlTable

SOURCES_AT_ONCE = 1_000  # redirects that set a cookie, with all that follow them: a few MiB
STORED = "stored"
"""The outcome of a handshake that ended at its URL."""


class HandshakePlan:
    """Finds the URLs to be tried, and defers them (`FrontierStore.plan_handshakes`)."""

    def __init__(
        self, database: Database, urls: UrlTable, generation: int, on_commit: Callable[[Saved], None]
    ) -> None:
        self._database = database
        self._urls = urls
        self._generation = generation
        self._on_commit = on_commit

    async def make(self) -> bool:
        """True if there are new ones.

        It is one transaction: after half a plan the exchanges of that half could change which URLs are
        in the other.
        """
        database = self._database
        async with database.lock:
            if not await self._sources(after=0, limit=1):
                return False
        async with database.transaction():
            after = 0
            while sources := await self._sources(after=after, limit=SOURCES_AT_ONCE):
                await self._plan(sources)
                after = max(sources)
            await database.run(sql.DEFER_PLANNED)
            [(count,)] = await database.rows(sql.CHANGED)
            if count:
                self._urls.forget()  # they are done or failed there
        if count:
            self._on_commit(Saved(pending=count))
        return bool(count)

    async def _sources(self, *, after: int, limit: int) -> dict[int, int]:
        """Redirects that set a cookie, with their targets, by number from `after` on."""
        params = {"after": after, "limit": limit, "generation": self._generation}
        return dict(await self._database.rows(sql.COOKIE_REDIRECTS, params))

    async def _plan(self, sources: dict[int, int]) -> None:
        """Add the URLs behind these redirects that were not tried."""
        circles = await self._follow(sources)
        circling = [source for source in sources if circles.leads_into_one(source)]
        if circling:
            await self._database.run(sql.PLAN_CIRCLES, self._params("sources", circling))
        ends = {circles.end(source) for source in sources if not circles.leads_into_one(source)}
        for number, reason in await self._database.rows(sql.DENIED, self._params("urls", ends)):
            params = {"url": number, "generation": self._generation}
            [(start,)] = await self._database.rows(sql.FIRST_START, params)
            if start is not None:
                await self._database.run_many(sql.PLAN_DENIED, [(number, start, reason)])

    async def _follow(self, sources: dict[int, int]) -> Circles:
        """Load the redirects that follow these, to their ends."""
        circles, known = Circles(), set(sources)
        circles.add(sources.items())
        ahead = set(sources.values()) - known
        while ahead:
            known |= ahead
            found = await self._database.rows(sql.REDIRECTS_OF, self._params("sources", ahead))
            circles.add(found)
            ahead = {target for _, target in found} - known
        return circles

    def _params(self, name: str, numbers: Iterable[int]) -> dict[str, object]:
        return {name: json.dumps(sorted(numbers)), "generation": self._generation}


class HandshakeTable:
    """`note` the verdicts of handshakes after all other tables, then `write`."""

    def __init__(self, database: Database, discovery: Discovery[UrlRow]) -> None:
        self._database = database
        self._discovery = discovery
        self._ended: list[tuple[object, ...]] = []

    def note(self, verdict: UrlVerdict, row: UrlRow) -> None:
        handshake = verdict.task.handshake
        if handshake is None or isinstance(verdict, RetryAt):
            return
        outcome = verdict.reason if isinstance(verdict, Dead | Unsolved) else STORED
        self._ended.append((outcome, handshake.at, row.id))
        if row.state == UrlState.DONE:
            self._discovery.spread_again(row)  # a better reach that came while it waited went no further

    async def write(self) -> None:
        if self._ended:
            await self._database.run_many(sql.END_HANDSHAKE, self._ended)
