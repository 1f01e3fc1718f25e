"""Resources: what pages load and how it was answered, as rows of a page's own transaction.

May touch: the database's statements, interned strings, discovery.

A resource is a row of `url` with a kind of its own, so the frontier schedules it like any other URL:
once, when its host may be asked. It is no part of pages, links and urls. A link out of scope that is
checked is such a row too; `external_link` connects it with the row that the links name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from penstock.crawler.messages import CanonicalUrl, Dead, Done, UrlVerdict
from penstock.crawler.scheduler.discovery import Discovery, UrlKind, UrlState, redirect_target
from penstock.crawler.urls import unsplit
from penstock.storage.database.batching import in_chunks
from penstock.storage.database.database import Database
from penstock.storage.writing import statements as sql
from penstock.storage.writing.interned_strings import InternedStrings, storable
from penstock.storage.writing.rows import UrlRow, key_of
from penstock.storage.writing.url_table import UrlTable

KNOWN_AT_ONCE = 2_000  # external links of earlier runs


class ResourceTable:
    """`note` verdicts, then `write`: the rows of `resource_use`, `resource` and `external_link`."""

    def __init__(
        self,
        database: Database,
        urls: UrlTable,
        strings: InternedStrings,
        discovery: Discovery[UrlRow],
        *,
        external: bool,
    ) -> None:
        """`external`: links out of scope are checked."""
        self._database = database
        self._urls = urls
        self._external = external
        self._links: dict[int, int] = {}
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
        if self._external and row.kind == UrlKind.PAGE and isinstance(verdict, Done):
            async for urls in in_chunks(outward(verdict)):
                for url in urls:
                    self._note_external(url)

    def _note_external(self, url: CanonicalUrl) -> None:
        target = self._urls.pages.get(url)
        if target is not None and target.state == UrlState.SKIPPED and target.reason == "scope":
            self._links[target.id] = self._discovery.add_resource(url).id

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
        if self._links:
            await self._database.run_many(sql.ADD_EXTERNAL_LINK, list(self._links.items()))
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


async def resume_resources(database: Database, *, resources: bool, external: bool) -> None:
    """At the start of a run: admit the resources and links that wait, or skip those that are not wanted."""
    await database.run(sql.SHELVE_RESOURCES, {"resources": int(resources), "external": int(external)})


async def add_known_links(
    database: Database, urls: UrlTable, discovery: Callable[[], Discovery[UrlRow]]
) -> None:
    """At the start of a run with --check-external: add the links out of scope that earlier runs stored."""
    after = 0
    while found := await database.rows(sql.UNCHECKED_LINKS, {"after": after, "limit": KNOWN_AT_ONCE}):
        named = {number: unsplit(secure, host, path) for number, secure, host, path in found}
        await urls.remember([], [key_of(url, UrlKind.RESOURCE) for url in named.values()])
        added = discovery()
        links = [(number, added.add_resource(url).id) for number, url in named.items()]
        await urls.write_new(added.new, ())
        await urls.update(added.improved)
        await database.run_many(sql.ADD_EXTERNAL_LINK, links)
        after = found[-1][0]


def outward(verdict: Done) -> Iterable[CanonicalUrl]:
    """The URLs that a page may lead out of scope to: its links, or the target of its redirect."""
    if (redirect := redirect_target(verdict.answer)) is not None:
        return [redirect]
    return verdict.content.links.urls if verdict.content is not None else ()
