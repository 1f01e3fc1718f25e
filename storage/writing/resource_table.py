"""Resources: what pages load and how it was answered, as rows of a page's own transaction.

May touch: the database's statements, interned strings, discovery.

A resource is a row of `url` with a kind of its own, so the frontier schedules it like any other URL:
once, when its host may be asked. It is no part of pages, links and urls.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from penstock.crawler.messages import Dead, Done, UrlVerdict
from penstock.crawler.scheduler.discovery import Discovery, UrlKind, UrlState, redirect_target
from penstock.storage.database.batching import in_chunks
from penstock.storage.database.database import Database
from penstock.storage.writing import statements as sql
from penstock.storage.writing.interned_strings import InternedStrings, storable
from penstock.storage.writing.rows import UrlRow


class ResourceTable:
    """`note` verdicts, then `write`: the rows of `resource_use` and `resource`."""

    def __init__(self, database: Database, strings: InternedStrings, discovery: Discovery[UrlRow]) -> None:
        self._database = database
        self._strings = strings
        self._discovery = discovery
        self._uses: list[tuple[int, int, int]] = []
        self._answers: list[tuple[object, ...]] = []

    async def note(self, verdict: UrlVerdict, row: UrlRow) -> None:
        if row.kind == UrlKind.RESOURCE:
            if isinstance(verdict, Done | Dead):
                self._note_answer(verdict, row)
        elif isinstance(verdict, Done) and verdict.content is not None and verdict.content.resources:
            async for chunk in in_chunks(verdict.content.resources):
                for resource in chunk:
                    used = self._discovery.add_resource(resource.url)
                    self._uses.append((row.id, used.id, self._strings.recent[resource.use]))

    def _note_answer(self, verdict: Done | Dead, row: UrlRow) -> None:
        answer = verdict.answer
        if answer is None:
            self._answers.append((row.id, *(None,) * 6))
            return
        target = redirect_target(answer) if isinstance(verdict, Done) else None
        redirect = self._discovery.follow_redirect(row, target) if target is not None else None
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

    async def write(self) -> None:
        async for chunk in in_chunks(self._uses):
            await self._database.run_many(sql.ADD_USE, chunk)
        if self._answers:
            await self._database.run_many(sql.SAVE_RESOURCE, self._answers)


async def count_resources(database: Database) -> Mapping[str, int]:
    """How many are pending, done, failed and skipped; empty if there are none."""
    return states_of_resources(await database.rows(sql.COUNT_RESOURCES))


def states_of_resources(rows: Iterable[tuple[int, int]]) -> Mapping[str, int]:
    """The result of COUNT_RESOURCES, by the names of the states."""
    counts: Counter[str] = Counter()
    for state, count in rows:
        counts["pending" if state == UrlState.WAITING else UrlState(state).name.lower()] += count
    return counts


async def resume_resources(database: Database, *, wanted: bool) -> None:
    """At the start of a run: admit the resources that wait, or skip them if none are wanted."""
    await database.run(sql.UNSHELVE_RESOURCES if wanted else sql.SHELVE_RESOURCES)
