"""Resources: what pages load and what became of it, as rows of a page's own transaction.

May touch: the database's statements, the URL table, strings.
Never: a transaction of its own; the caller holds one.

A resource is a row of `url` with a kind of its own, so the frontier asks for it as for any
other URL, once and in its host's turn; of pages, links and urls it is no part. A redirect
leads to another resource. How many redirects in a row lead to one is a minimum over all ways,
relaxed as a page's depth is, so that equal crawls end alike in any order of arrival.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence

from penstock.crawler.messages import CanonicalUrl, Dead, Done, Resource
from penstock.crawler.policies.reach import AFTER_ALL, Horizon, Reach
from penstock.storage.database.cooperative import in_chunks
from penstock.storage.database.database import Database
from penstock.storage.database.row_enums import State, UrlKind
from penstock.storage.writing import resource_statements as sql
from penstock.storage.writing.interned_strings import InternedStrings, storable
from penstock.storage.writing.ledger import Changes
from penstock.storage.writing.pages import redirect_target
from penstock.storage.writing.rows import UrlRow, key_of
from penstock.storage.writing.url_table import UrlTable

_HORIZON = Horizon(depth=None)
Row = tuple[object, ...]


class ResourceTable:
    """Notes what a batch finds (`used`, `answered`), then writes it.

    All rows and strings that it meets were `remember`ed before.
    """

    def __init__(self, database: Database, urls: UrlTable, strings: InternedStrings) -> None:
        self._database = database
        self._urls = urls
        self._strings = strings
        self._uses: list[Row] = []
        self._answers: list[Row] = []
        self._moved: dict[int, UrlRow] = {}  # known rows whose hops became fewer
        self._nearer: dict[int, UrlRow] = {}  # of these, answered ones: they pass it on

    async def used(self, changes: Changes, page: UrlRow, resources: Sequence[Resource]) -> None:
        """Note what a page loads; whatever its host, it is to be asked for."""
        async for some in in_chunks(resources):
            for resource in some:
                row = self._discover(changes, resource.url, hops=0)
                self._uses.append((page.id, row.id, self._strings.recent[resource.use]))

    def answered(self, changes: Changes, verdict: Done | Dead, row: UrlRow) -> None:
        """Note an answer, or that there was none."""
        answer = verdict.answer
        if answer is None:
            self._answers.append((row.id, *(None,) * 6))
            return
        target = redirect_target(verdict)
        redirect = self._discover(changes, target, hops=row.hops + 1) if target is not None else None
        self._answers.append(
            (
                row.id,
                answer.status,
                self._strings.recent[answer.content_type] if answer.content_type else None,
                answer.body_bytes,
                round(answer.fetched_at * 1000),
                redirect.id if redirect is not None else None,
                storable(answer.location) if redirect is None and answer.location is not None else None,
            )
        )

    async def write(self, changes: Changes) -> None:
        """Write all of it, then let fewer hops flow on to the end. The new URLs were written before."""
        uses, self._uses = self._uses, []
        async for some in in_chunks(uses):
            await self._database.run_many(sql.ADD_USE, some)
        answers, self._answers = self._answers, []
        if answers:
            await self._database.run_many(sql.SAVE_RESOURCE, answers)
        while self._nearer:
            sources, self._nearer = self._nearer, {}
            params: dict[str, object] = {"sources": json.dumps(list(sources))}
            for (source,), row in await self._urls.rows(sql.FIND_TARGETS, params):
                self._offer(changes, row, hops=sources[source].hops + 1)
        moved, self._moved = self._moved, {}
        if moved:
            await self._urls.move(moved.values())

    def _discover(self, changes: Changes, url: CanonicalUrl, *, hops: int) -> UrlRow:
        row = self._urls.recent.get(key_of(url, UrlKind.RESOURCE))
        if row is None:
            reach = Reach(AFTER_ALL, hops, True)
            row = self._urls.add(url, reach, _HORIZON.rule(reach), UrlKind.RESOURCE)
            changes.new.append(row)
        else:
            self._offer(changes, row, hops=hops)
        return row

    def _offer(self, changes: Changes, row: UrlRow, *, hops: int) -> None:
        if hops >= row.hops:
            return
        row.hops = hops
        self._moved[row.id] = row
        if row.state == State.DONE:
            self._nearer[row.id] = row
        elif row.reason == "redirect_limit" and _HORIZON.rule(row.reach) is None:
            row.state, row.reason = State.PENDING, None
            changes.admitted.append(row)


async def count_resources(database: Database) -> Mapping[str, int]:
    """How many are pending, done, failed and skipped; empty if there are none."""
    counts: Counter[str] = Counter()
    for state, count in await database.rows(sql.COUNT_RESOURCES):
        counts["pending" if state == State.WAITING else State(state).name.lower()] += count
    return counts


async def resume_resources(database: Database, *, wanted: bool) -> None:
    """At the start of a run: let those that wait be asked for, or nobody ask for them."""
    await database.run(sql.UNSHELVE_RESOURCES if wanted else sql.SHELVE_RESOURCES)
