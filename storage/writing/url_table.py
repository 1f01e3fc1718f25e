"""URL table: rows of `url` and `host`, looked up when first needed, cached, written in batches.

May touch: the database's statements, the seen set.

There is one per writing connection, and only that connection changes these tables: the cached rows are
exact and may be newer than the table.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from penstock.crawler.messages import CanonicalUrl
from penstock.crawler.policies.reach import Reach
from penstock.crawler.scheduler.discovery import UrlKind, UrlState
from penstock.crawler.scheduler.seen import SeenFilter
from penstock.crawler.urls import split, unsplit
from penstock.storage.database.batching import in_chunks
from penstock.storage.database.database import Database
from penstock.storage.database.digests import digest_of_path
from penstock.storage.writing import statements as sql
from penstock.storage.writing.rows import OVERSIZED, Key, TwoGenerations, UrlRow, key_of, split_key

CACHED_URLS = 30_000  # in each of two generations; about 300 bytes a row
CACHED_HOSTS = 10_000


class UrlTable:
    """`remember` what a batch will need, read `recent` and `add` rows, `write_new` and `move`, `evict`."""

    def __init__(self, database: Database, seen: SeenFilter) -> None:
        self._database = database
        self._seen = seen
        self._rows: TwoGenerations[Key, UrlRow] = TwoGenerations(CACHED_URLS)
        self._hosts: TwoGenerations[str, int] = TwoGenerations(CACHED_HOSTS)
        self._oversized: list[Key] = []  # recent ones
        self._next_url = 0
        self._next_host = 0
        self._all_hosts = False  # the cache holds every host, so there is nothing to look up

    @property
    def recent(self) -> dict[Key, UrlRow]:
        """Every row that was remembered or added since the last `evict`, by key."""
        return self._rows.recent

    @property
    def pages(self) -> dict[Key, UrlRow]:
        """The same: the key of a page is its URL, and no other key can be a URL."""
        return self._rows.recent

    def find(self, url: CanonicalUrl, kind: UrlKind) -> UrlRow | None:
        """The remembered row of that kind."""
        return self._rows.recent.get(key_of(url, kind))

    def start_at(self, *, url: int, host: int) -> None:
        """Set the next free numbers. Host 1: the table is empty."""
        self._next_url, self._next_host = url, host
        self._all_hosts = host == 1

    async def remember(self, known: Iterable[Key], perhaps: Iterable[Key]) -> None:
        """Load the rows of `known` keys, and those of `perhaps` that exist."""
        await self._find(self._rows.missing(known))
        asked: dict[Key, bool] = {}  # once each: a probe adds the key to the seen set
        async for some in in_chunks(perhaps):
            for key in self._rows.missing(some):
                if key not in asked:
                    asked[key] = self._seen.probe(CanonicalUrl(key))
        async for some in in_chunks(key for key, maybe in asked.items() if maybe):
            await self._find(some)
            for key in some:
                if key not in self._rows.recent:
                    self._seen.was_new()

    def add(
        self, url: CanonicalUrl, reach: Reach, state: UrlState, reason: str | None, kind: UrlKind
    ) -> UrlRow:
        """A new row, in memory only; `write_new` writes it."""
        row = UrlRow(self._next_url, url, *reach, state, reason, kind)
        self._next_url += 1
        self._keep(key_of(url, kind), row)
        return row

    async def rows(self, statement: str, params: dict[str, object]) -> list[tuple[Sequence[Any], UrlRow]]:
        """Execute a query that ends in a URL's columns. Returns the columns before them, and the row."""
        found = await self._database.rows(statement, params)
        recalled: list[tuple[Sequence[Any], UrlRow]] = []
        async for some in in_chunks(found):
            recalled += [(columns[:-_COLUMNS], self._recall(columns[-_COLUMNS:])) for columns in some]
        return recalled

    async def write_new(self, rows: Sequence[UrlRow], seeds: Collection[UrlRow]) -> set[str]:
        """Write rows in the order in which they were added. Returns the hosts of the pending ones."""
        grown: set[str] = set()
        async for chunk in in_chunks(rows):
            await self._write_new(chunk, seeds, grown)
        return grown

    async def _write_new(self, rows: Sequence[UrlRow], seeds: Collection[UrlRow], grown: set[str]) -> None:
        parts = [split(row.url) for row in rows]
        hosts = await self._host_numbers(host for _, host, _ in parts)
        pending: list[object] = []  # parameters of ADD_PENDING_PAGE, row after row
        others: list[object] = []  # of ADD_URL
        digests: list[int] = []
        for r, (secure, host, path) in zip(rows, parts, strict=True):
            digests.append(digest_of_path(path))
            if r.state == UrlState.PENDING:
                grown.add(host)
                if r.followed and not (r.kind or r.hops or r.listed or r.run or (seeds and r in seeds)):
                    pending += (r.id, hosts[host], +secure, path, r.depth)
                    continue
            others += (
                r.id, hosts[host], +secure, path, +r.kind, r.depth, r.hops, +r.followed, +r.listed, r.run,
                +(r in seeds), +r.state, r.reason,
            )  # fmt: skip
        await self._database.run_multi_row(sql.ADD_PENDING_PAGE, pending)
        await self._database.run_multi_row(sql.ADD_URL, others)
        # One statement, not one for many rows: each releases the interpreter's lock, and a busy event
        # loop is slow to give it back.
        await self._database.run(sql.ADD_URL_DIGESTS, {"first": rows[0].id, "digests": json.dumps(digests)})

    async def update(self, rows: Iterable[UrlRow]) -> None:
        """Write the present values of rows that the table has."""
        await self._database.run_many(
            sql.UPDATE_URL,
            [(r.depth, r.hops, +r.followed, +r.listed, r.run, +r.state, r.reason, r.id) for r in rows],
        )

    def forget(self) -> None:
        """Between batches: drop all rows, after the table was changed by other means."""
        self._rows = TwoGenerations(CACHED_URLS)
        self._oversized.clear()

    def evict(self) -> None:
        """Between batches: drop rows that were not used for long."""
        self._rows.evict(self._oversized)
        self._oversized.clear()
        self._all_hosts = not self._hosts.evict() and self._all_hosts

    async def _find(self, keys: Sequence[Key]) -> None:
        if not keys:
            return
        places: dict[tuple[str, int], None] = {}  # once each: a page and a sitemap may share one
        for key in keys:
            url, _ = split_key(key)
            _, host, path = split(url)
            places[host, digest_of_path(path)] = None
        for columns in await self._database.rows(sql.FIND_URLS, {"places": json.dumps(list(places))}):
            self._recall(columns)

    def _recall(self, columns: Sequence[Any]) -> UrlRow:
        """The cached row for a row read from the table. The cached one wins: it may be newer."""
        id_, depth, hops, followed, listed, run, state, reason, host, secure, path, kind = columns
        url = unsplit(secure, host, path)
        key = key_of(url, kind)
        row = self._rows.get(key)
        if row is None:
            reach = (depth, hops, bool(followed), bool(listed), run)
            row = UrlRow(id_, url, *reach, state, reason, UrlKind(kind))
            self._keep(key, row)
        return row

    def _keep(self, key: Key, row: UrlRow) -> None:
        self._rows.recent[key] = row
        if len(key) > OVERSIZED:
            self._oversized.append(key)

    async def _host_numbers(self, names: Iterable[str]) -> dict[str, int]:
        missing = self._hosts.missing(names)
        if missing:
            found: dict[str, int] = {}
            if not self._all_hosts:
                found.update(await self._database.rows(sql.FIND_HOSTS, {"names": json.dumps(missing)}))
            new = [name for name in missing if name not in found]
            found.update((name, self._next_host + i) for i, name in enumerate(new))
            self._next_host += len(new)
            await self._database.run_many(sql.ADD_HOST, [(found[name], name) for name in new])
            self._hosts.recent.update(found)
        return self._hosts.recent


_COLUMNS = 12  # what `_recall` takes
