"""Ledger: URLs and links. What one batch changes, worked out in memory, written in few statements.

May touch: the database's statements, admission, the seen set.
Never: a transaction of its own; the caller holds one.

Depths are relaxed here: a way to a URL that is better than the known ones improves its
row, and where that URL's page is stored already the better depth flows on along its
stored links and redirect, in the same transaction, without fetching anything.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from crawler.admission import Admission
from crawler.messages import CanonicalUrl, Link
from crawler.policies.reach import SEED, Reach
from crawler.ports import Saved
from crawler.seen import SeenFilter
from crawler.urls import split, unsplit
from storage import statements as sql
from storage.database import Database
from storage.phrases import Phrases
from storage.rows import State, TwoGenerations, UrlRow

CACHED_URLS = 40_000  # in each of two generations; about 300 bytes a row
CACHED_HOSTS = 10_000


@dataclass(slots=True)
class Changes:
    """What a batch has changed so far."""

    new: list[UrlRow] = field(default_factory=list)
    seeds: set[int] = field(default_factory=set)  # of the new ones
    moved: dict[int, UrlRow] = field(default_factory=dict)  # known rows that improved
    spreading: dict[int, UrlRow] = field(default_factory=dict)  # of these, stored pages: they pass it on
    admitted: list[UrlRow] = field(default_factory=list)  # of these, let in after all
    links: list[tuple[int, int, int | None, int | None, bool]] = field(default_factory=list)

    def saved(self) -> Saved:
        """What others are told of it."""
        rows = [row for row in self.new if row.state == State.PENDING] + self.admitted
        return Saved(grown=frozenset(split(row.url).host for row in rows), pending=len(rows))


class Ledger:
    """Reads and writes `url`, `host` and `link`. One per writing connection, so its memory is exact."""

    def __init__(
        self, database: Database, phrases: Phrases, admission: Admission, seen: SeenFilter, generation: int
    ) -> None:
        self._database = database
        self._phrases = phrases
        self._admission = admission
        self._seen = seen
        self._generation = generation
        self._rows: TwoGenerations[CanonicalUrl, UrlRow] = TwoGenerations(CACHED_URLS)
        self._hosts: TwoGenerations[str, int] = TwoGenerations(CACHED_HOSTS)
        self._next_url = 0
        self._next_host = 0

    def start_at(self, *, url: int, host: int) -> None:
        """Where the numbering stands."""
        self._next_url, self._next_host = url, host

    # -- before: bring into memory what the batch will need

    async def remember(self, known: Iterable[CanonicalUrl], perhaps: Iterable[CanonicalUrl]) -> None:
        """Read the rows of `known` URLs, and of those of `perhaps` that exist."""
        await self._find(self._rows.missing(known))
        missing = self._rows.missing(perhaps)
        maybe = [url for url in missing if self._seen.probe(url)]
        await self._find(maybe)
        for url in maybe:
            if url not in self._rows.young:
                self._seen.was_new()

    def row(self, url: CanonicalUrl) -> UrlRow:
        """The row of a known URL of this batch."""
        return self._rows.young[url]

    # -- meanwhile: note what is found

    def discover_seed(self, changes: Changes, url: CanonicalUrl) -> None:
        row = self._new(changes, url, SEED, rule=None)  # in scope by definition, exempt from patterns
        changes.seeds.add(row.id)

    def discover_links(self, changes: Changes, source: UrlRow, links: Sequence[Link]) -> None:
        """Note a page's links; each may create or improve its target."""
        rows, phrases, add = self._rows.young, self._phrases.young, changes.links.append
        depth = source.depth + 1
        for url, text, rel, followed in links:
            target = rows.get(url)
            if target is None:
                reach = Reach(depth, 0, followed)
                target = self._new(changes, url, reach, self._admission.rule(url, reach))
            elif target.depth > depth or target.hops or target.followed != followed:
                self._improve(changes, target, Reach(depth, 0, followed))
            text_id = phrases[text] if text else None
            rel_id = phrases[rel] if rel else None
            add((source.id, target.id, text_id, rel_id, followed))

    def discover_redirect(self, changes: Changes, source: UrlRow, url: CanonicalUrl) -> int:
        """A redirect may create or improve its target; returns the target's number."""
        reach = source.reach.by_redirect()
        target = self._rows.young.get(url)
        if target is None:
            target = self._new(changes, url, reach, self._admission.rule(url, reach))
        else:
            self._improve(changes, target, reach)
        return target.id

    # -- after: write it

    async def write(self, changes: Changes) -> None:
        """Write new URLs and links, then let better depths flow on to the end.

        Everything else of the batch is written before: `spreading` reads redirects.
        """
        await self._write_new(changes)
        if changes.links:
            await self._database.run_many(sql.ADD_LINK, changes.links)
        while changes.spreading:
            await self._spread(changes)
        if changes.moved:
            moved = changes.moved.values()
            await self._database.run_many(
                sql.MOVE_URL, [(r.depth, r.hops, r.followed, r.state, r.reason, r.id) for r in moved]
            )

    def rotate(self) -> None:
        """Between batches: drop what was not used for long."""
        self._rows.rotate()
        self._hosts.rotate()

    # -- within

    def _new(self, changes: Changes, url: CanonicalUrl, reach: Reach, rule: str | None) -> UrlRow:
        row = UrlRow(self._next_url, url, reach, State.PENDING if rule is None else State.SKIPPED, rule)
        self._next_url += 1
        self._rows.young[url] = row
        changes.new.append(row)
        return row

    def _improve(self, changes: Changes, row: UrlRow, offered: Reach) -> None:
        known = row.reach
        best = known.joined(offered)
        if best == known:
            return
        row.depth, row.hops, row.followed = best
        changes.moved[row.id] = row
        if row.state == State.SKIPPED:
            row.reason = self._admission.rule_again(row.reason, row.url, best)
            if row.reason is None:
                row.state = State.PENDING
                changes.admitted.append(row)
        elif row.state == State.DONE:
            changes.spreading[row.id] = row

    async def _spread(self, changes: Changes) -> None:
        sources, changes.spreading = changes.spreading, {}
        children = await self._database.rows(
            sql.FIND_CHILDREN, {"sources": json.dumps(list(sources)), "generation": self._generation}
        )
        for source, followed, redirect, *columns in children:
            reach = sources[source].reach
            offered = reach.by_redirect() if redirect else reach.by_link(bool(followed))
            self._improve(changes, self._recall(columns), offered)

    async def _find(self, urls: Sequence[CanonicalUrl]) -> None:
        if not urls:
            return
        keys = [(host, path, int(secure)) for secure, host, path in map(split, urls)]
        for columns in await self._database.rows(sql.FIND_URLS, {"keys": json.dumps(keys)}):
            self._recall(columns)

    def _recall(self, columns: Sequence[Any]) -> UrlRow:
        """The row in memory for one read from the table; memory wins, it may be newer."""
        id_, depth, hops, followed, state, reason, host, secure, path = columns
        url = unsplit(secure, host, path)
        row = self._rows.get(url)
        if row is None:
            row = UrlRow(id_, url, Reach(depth, hops, bool(followed)), state, reason)
            self._rows.young[url] = row
        return row

    async def _write_new(self, changes: Changes) -> None:
        if not changes.new:
            return
        parts = [split(row.url) for row in changes.new]
        hosts = await self._host_numbers(dict.fromkeys(part.host for part in parts))
        await self._database.run_many(
            sql.ADD_URL,
            [
                (
                    row.id, hosts[part.host], part.secure, part.path, row.depth, row.hops, row.followed,
                    row.id in changes.seeds, row.state, row.reason,
                )
                for row, part in zip(changes.new, parts, strict=True)
            ],
        )  # fmt: skip

    async def _host_numbers(self, names: Iterable[str]) -> dict[str, int]:
        missing = self._hosts.missing(names)
        if missing:
            found = dict(await self._database.rows(sql.FIND_HOSTS, {"names": json.dumps(missing)}))
            new = [name for name in missing if name not in found]
            found.update((name, self._next_host + i) for i, name in enumerate(new))
            self._next_host += len(new)
            await self._database.run_many(sql.ADD_HOST, [(found[name], name) for name in new])
            self._hosts.young.update(found)
        return self._hosts.young
