"""Sitemap tables: robots.txt and sitemaps, who names which, and the URLs that they list.

May touch: the database's statements, discovery.

A sitemap is a row of `url` with a kind of its own. `robots_sitemap` and `sitemap_child` keep who names
it: a seed that moves brings hosts into scope whose robots.txt was read before, and a run that reads no
sitemaps still reads those that the operator names, with all that they lead to.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from penstock.crawler.messages import CanonicalUrl, Dead, Done, RobotsAnswer, Sitemap, UrlVerdict
from penstock.crawler.policies.robots_txt import RobotsPolicy
from penstock.crawler.scheduler.discovery import Admission, Discovery, UrlKind, redirect_target
from penstock.crawler.urls import unsplit
from penstock.storage.database.batching import in_chunks
from penstock.storage.database.database import Database
from penstock.storage.writing import statements as sql
from penstock.storage.writing.rows import UrlRow

_MAX_ROBOTS_BYTES = RobotsPolicy().max_bytes
_NO_SITEMAP = Sitemap()


class RobotsTable:
    """`note` answers, then `write`."""

    def __init__(self, database: Database, discovery: Discovery[UrlRow]) -> None:
        self._database = database
        self._discovery = discovery
        self._rows: list[tuple[object, ...]] = []
        self._sitemaps: list[tuple[object, ...]] = []

    def note(self, answer: RobotsAnswer) -> None:
        task = answer.task
        for url in answer.sitemaps:
            row = self._discovery.add_named_sitemap(url, task.host)
            self._sitemaps.append((task.origin, row.id))
        self._rows.append(
            (
                task.origin,
                answer.status,
                answer.body,
                answer.error,
                answer.fetched_at,
                task.attempt,
                answer.url,
                len(answer.sitemaps),
                answer.refused_sitemaps,
                int(len(answer.body) >= _MAX_ROBOTS_BYTES),
            )
        )

    async def write(self) -> None:
        if self._rows:
            await self._database.run_many(sql.SAVE_ROBOTS, self._rows)
        async for chunk in in_chunks(self._sitemaps):
            await self._database.run_many(sql.ADD_ROBOTS_SITEMAP, chunk)


class SitemapTable:
    """`note` verdicts, then `write`."""

    def __init__(self, database: Database, discovery: Discovery[UrlRow]) -> None:
        self._database = database
        self._discovery = discovery
        self._rows: list[tuple[object, ...]] = []
        self._children: list[tuple[int, int, int]] = []

    async def note(self, verdict: UrlVerdict, row: UrlRow) -> None:
        if row.kind != UrlKind.SITEMAP or not isinstance(verdict, Done | Dead):
            return
        answer, sitemap = verdict.answer, _NO_SITEMAP
        if isinstance(verdict, Done):
            if (target := redirect_target(verdict.answer)) is not None:
                self._children.append((row.id, self._discovery.follow_redirect(row, target).id, 1))
            if verdict.sitemap is not None:
                sitemap = verdict.sitemap
                await self._note_entries(row, sitemap)
        self._rows.append(
            (
                row.id,
                answer.status if answer is not None else None,
                sitemap.kind,
                len(sitemap.locations),
                sitemap.too_long + sitemap.other,
                verdict.reason if isinstance(verdict, Dead) else sitemap.error,
                round(answer.fetched_at * 1000) if answer is not None else None,
            )
        )

    async def _note_entries(self, row: UrlRow, sitemap: Sitemap) -> None:
        """An index names sitemaps; any other sitemap names pages."""
        async for chunk in in_chunks(sitemap.locations):
            if sitemap.kind == "index":
                children = [self._discovery.add_sitemap(url, row) for url in chunk]
                self._children += [(row.id, child.id, 0) for child in children]
            else:
                self._discovery.add_listed(chunk)

    async def write(self) -> None:
        if self._rows:
            await self._database.run_many(sql.SAVE_SITEMAP, self._rows)
        async for chunk in in_chunks(self._children):
            await self._database.run_many(sql.ADD_SITEMAP_CHILD, chunk)


async def resume_sitemaps(database: Database, admission: Admission, *, asked: Sequence[CanonicalUrl]) -> None:
    """At the start of a run: admit the sitemaps that wait, or set aside those that nobody asks for.

    `asked`: those that the operator names. What they lead to is read in any run.
    """
    if admission.sitemaps:
        rules: dict[int, str | None] = {}
        for number, secure, host, path, origin, has_parent in await database.rows(sql.SITEMAPS_SET_ASIDE):
            rule = None
            if origin is not None and not has_parent:
                rule = admission.sitemap_rule(unsplit(secure, host, path), origin.partition("://")[2])
            rules[number] = None if rule is None else rules.get(number, rule)
        await database.run_many(
            sql.RULE_SITEMAP, [(0 if rule is None else 4, rule, number) for number, rule in rules.items()]
        )
        return
    await database.run(sql.SET_SITEMAPS_ASIDE, {"asked": json.dumps(asked)})
