"""Ledger: what leads where. What one batch changes, worked out in memory, written in few statements.

May touch: the database's statements, the URL table, admission.
Never: a transaction of its own; the caller holds one.

Depths are relaxed here: a way to a URL that is better than the known ones improves its
row, and where that URL's page is stored already the better depth flows on along its
stored links and redirect, in the same transaction, without fetching anything.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, cast

from msgspec import Struct, field

from penstock.crawler.messages import CanonicalUrl, Links
from penstock.crawler.policies.reach import LISTED, RUNS_FROM, SEED, UNREACHED, Reach
from penstock.crawler.ports import Saved
from penstock.crawler.scheduler.admission import Admission
from penstock.crawler.urls import split
from penstock.storage.database.cooperative import CHUNK_SIZE, chunkwise, in_chunks
from penstock.storage.database.database import Database
from penstock.storage.database.row_enums import State, UrlKind
from penstock.storage.writing import statements as sql
from penstock.storage.writing.interned_strings import InternedStrings
from penstock.storage.writing.rows import UrlRow, key_of
from penstock.storage.writing.url_table import UrlTable

MAX_SITEMAP_NESTING = 3  # the protocol knows one level of index; some sites have two


class Changes(Struct):
    """What a batch has changed so far."""

    new: list[UrlRow] = field(default_factory=list)
    seeds: set[int] = field(default_factory=set)  # of the new ones
    moved: dict[int, UrlRow] = field(default_factory=dict)  # known rows that improved
    spreading: dict[int, UrlRow] = field(default_factory=dict)  # of these, stored pages: they pass it on
    admitted: list[UrlRow] = field(default_factory=list)  # of these, let in after all
    widened: list[CanonicalUrl] = field(default_factory=list)  # where seeds redirect to, out of scope
    links: list[object] = field(default_factory=list)  # row behind row, as `plain_links`
    plain_links: list[int | None] = field(default_factory=list)  # followed, without a rel
    grown: set[str] = field(default_factory=set)  # hosts of the new ones that are pending

    def saved(self) -> Saved:
        """What others are told of it."""
        states = Counter(row.state for row in self.new if row.kind == UrlKind.PAGE)
        pending, skipped = states[State.PENDING], states[State.SKIPPED]
        if self.admitted:
            known = {row.id: row for row in self.admitted}
            for row in self.new:
                known.pop(row.id, None)
            pages = sum(row.kind == UrlKind.PAGE for row in known.values())
            pending, skipped = pending + pages, skipped - pages
            self.grown.update(split(row.url).host for row in self.admitted)
        return Saved(grown=frozenset(self.grown), pending=pending, skipped=skipped)


class Ledger:
    """Notes what a batch discovers, then writes it. All rows it meets were `remember`ed before."""

    def __init__(
        self,
        database: Database,
        urls: UrlTable,
        strings: InternedStrings,
        admission: Admission,
        generation: int,
    ) -> None:
        self._database = database
        self._urls = urls
        self._strings = strings
        self._admission = admission
        self._generation = generation

    # -- meanwhile: note what is found

    def discover_seed(self, changes: Changes, url: CanonicalUrl) -> None:
        row = self._urls.add(url, SEED, rule=None)  # in scope by definition, exempt from patterns
        changes.new.append(row)
        changes.seeds.add(row.id)

    async def discover_links(self, changes: Changes, source: UrlRow, links: Links) -> None:
        """Note a page's links; each may create or improve its target."""
        async for begin in chunkwise(range(0, len(links), CHUNK_SIZE), 1):
            some = links.part(begin, begin + CHUNK_SIZE)
            self._note_links(changes, source, some, self._discover_targets(changes, source, some))

    def _discover_targets(self, changes: Changes, source: UrlRow, links: Links) -> list[UrlRow]:
        """The rows of the links' targets."""
        depth = min(source.depth + 1, UNREACHED)
        rows = list(map(self._urls.recent.get, links.urls))
        for at, row in enumerate(rows):
            if row is None or row.depth > depth or row.hops or row.run or not row.followed:
                run = self._run(source, links.urls[at], hops=1)
                offered = Reach(depth, 0, at not in links.barred, False, run)
                if row is None:
                    rows[at] = self._new(changes, links.urls[at], offered)
                else:
                    self._improve(changes, row, offered)
        return cast(list[UrlRow], rows)

    def _note_links(self, changes: Changes, source: UrlRow, links: Links, targets: Sequence[UrlRow]) -> None:
        strings, rels, barred = self._strings.recent, links.rels, links.barred
        numbers = [target.id for target in targets]
        texts = [strings[text] if text else None for text in links.texts]
        if special := {*rels, *barred}:
            for at in special:
                rel_id = strings[rel] if (rel := rels.get(at)) else None
                changes.links += (source.id, numbers[at], texts[at], rel_id, at not in barred)
            numbers = [number for at, number in enumerate(numbers) if at not in special]
            texts = [text for at, text in enumerate(texts) if at not in special]
        plain: list[int | None] = [source.id] * (3 * len(numbers))
        plain[1::3], plain[2::3] = numbers, texts
        changes.plain_links += plain

    def discover_redirect(self, changes: Changes, source: UrlRow, url: CanonicalUrl) -> int:
        """A redirect may create or improve its target; returns the target's number."""
        reach = source.reach.by_redirect(self._run(source, url, hops=0))
        self._widen(changes, url, reach)
        return self._offer(changes, url, reach).id

    async def discover_listed(self, changes: Changes, urls: Sequence[CanonicalUrl]) -> None:
        """A sitemap's entries: at no depth, unless links lead there too."""
        async for some in in_chunks(urls):
            for url in some:
                self._offer(changes, url, LISTED)

    def discover_sitemap(
        self, changes: Changes, url: CanonicalUrl, source: UrlRow | None, *, trusted: bool = False
    ) -> UrlRow:
        """A sitemap named by robots.txt (`source` None), an index or a redirect, or by the operator
        (`trusted`: it may lie out of scope)."""
        row = self._urls.recent.get(key_of(url, UrlKind.SITEMAP))
        if row is None:
            nesting = 0 if source is None else source.depth + 1
            rule = None if trusted else self._admission.sitemap_rule(url)
            if nesting > MAX_SITEMAP_NESTING:
                rule = "sitemap_nesting"
            row = self._urls.add(url, Reach(nesting, 0, True), rule, UrlKind.SITEMAP)
            changes.new.append(row)
        return row

    # -- after: write it

    async def write(self, changes: Changes) -> None:
        """Write new URLs and links, then let better depths flow on to the end.

        Everything else of the batch is written before: `_spread` reads redirects.
        """
        while changes.widened:
            await self._let_in(changes, changes.widened.pop())
        changes.grown |= await self._urls.write_new(changes.new, changes.seeds)
        await self._database.run_multi_row(sql.ADD_PLAIN_LINK, changes.plain_links)
        await self._database.run_multi_row(sql.ADD_LINK, changes.links)
        while changes.spreading or changes.widened:
            await self._spread(changes)
            while changes.widened:
                await self._let_in(changes, changes.widened.pop())
        async for moved in in_chunks(changes.moved.values()):
            await self._urls.move(moved)

    # -- within

    def _new(self, changes: Changes, url: CanonicalUrl, reach: Reach) -> UrlRow:
        row = self._urls.add(url, reach, self._admission.rule(url, reach))
        changes.new.append(row)
        return row

    def _run(self, source: UrlRow, url: CanonicalUrl, *, hops: int) -> int:
        if source.depth < RUNS_FROM:
            return 0
        return self._admission.run(source.url, source.run, url, hops=hops)

    def _offer(self, changes: Changes, url: CanonicalUrl, reach: Reach) -> UrlRow:
        row = self._urls.recent.get(key_of(url))
        if row is None:
            return self._new(changes, url, reach)
        self._improve(changes, row, reach)
        return row

    def _improve(self, changes: Changes, row: UrlRow, offered: Reach) -> None:
        known = row.reach
        best = known.joined(offered)
        if best == known:
            return
        row.depth, row.hops, row.followed, row.listed, row.run = best
        changes.moved[row.id] = row
        if row.state == State.SKIPPED:
            self._keep_out(changes, row, self._admission.rule_again(row.reason, row.url, best))
        elif row.state == State.DONE:
            changes.spreading[row.id] = row

    def _keep_out(self, changes: Changes, row: UrlRow, rule: str | None) -> None:
        """Judged again: `rule` keeps it out, or None lets it in."""
        row.reason = rule
        changes.moved[row.id] = row
        if rule is None:
            row.state = State.PENDING
            changes.admitted.append(row)

    def _widen(self, changes: Changes, url: CanonicalUrl, reach: Reach) -> None:
        """Depth 0 is a seed, or where seeds redirect to: the crawl moves house with its seed."""
        if reach.depth == 0 and self._admission.widen(url):
            changes.widened.append(url)

    async def _let_in(self, changes: Changes, url: CanonicalUrl) -> None:
        """The scope has grown by a redirect's target: judge again what it had kept out there."""
        await self._database.run(sql.ADD_SCOPE, {"url": url})
        hosts = await self._database.rows(sql.ALL_HOSTS)
        inside = [number for number, name in hosts if self._admission.scope.may_hold(name)]
        for _, row in await self._urls.rows(sql.FIND_OUT_OF_SCOPE, {"hosts": json.dumps(inside)}):
            self._judge_scope_again(changes, row)
        for row in changes.new:
            self._judge_scope_again(changes, row)

    def _judge_scope_again(self, changes: Changes, row: UrlRow) -> None:
        if row.state != State.SKIPPED or row.reason != "scope":
            return
        if row.kind == UrlKind.SITEMAP:
            self._keep_out(changes, row, self._admission.sitemap_rule(row.url))
        else:
            self._keep_out(changes, row, self._admission.rule(row.url, row.reach))

    async def _spread(self, changes: Changes) -> None:
        sources, changes.spreading = changes.spreading, {}
        params = {"sources": json.dumps(list(sources)), "generation": self._generation}
        async for some in in_chunks(await self._urls.rows(sql.FIND_CHILDREN, params)):
            self._pass_on(changes, sources, some)

    def _pass_on(
        self,
        changes: Changes,
        sources: Mapping[int, UrlRow],
        ways: Sequence[tuple[Sequence[Any], UrlRow]],
    ) -> None:
        for (source, followed, redirect), child in ways:
            parent = sources[source]
            run = self._run(parent, child.url, hops=0 if redirect else 1)
            if redirect:
                self._widen(changes, child.url, parent.reach.by_redirect())
                self._improve(changes, child, parent.reach.by_redirect(run))
            else:
                self._improve(changes, child, parent.reach.by_link(bool(followed), run))
