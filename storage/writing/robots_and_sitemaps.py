"""Robots and sitemaps: the rows of `robots` and `sitemap`, and the URLs that they name.

May touch: the database's statements, discovery.
"""

from __future__ import annotations

from penstock.crawler.messages import Dead, Done, RetryAt, RobotsAnswer, Sitemap, Skipped
from penstock.crawler.scheduler.discovery import Discovery, UrlKind, redirect_target
from penstock.storage.database.batching import in_chunks
from penstock.storage.database.database import Database
from penstock.storage.writing import statements as sql
from penstock.storage.writing.rows import UrlRow

_NO_SITEMAP = Sitemap()


class RobotsTable:
    """`note` answers, then `write`."""

    def __init__(self, database: Database, discovery: Discovery[UrlRow]) -> None:
        self._database = database
        self._discovery = discovery
        self._rows: list[tuple[object, ...]] = []

    def note(self, answer: RobotsAnswer) -> None:
        task = answer.task
        for url in answer.sitemaps:
            self._discovery.add_sitemap(url)
        self._rows.append(
            (task.origin, answer.status, answer.body, answer.error, answer.fetched_at, task.attempt)
        )

    async def write(self) -> None:
        if self._rows:
            await self._database.run_many(sql.SAVE_ROBOTS, self._rows)


class SitemapTable:
    """`note` verdicts, then `write`."""

    def __init__(self, database: Database, discovery: Discovery[UrlRow]) -> None:
        self._database = database
        self._discovery = discovery
        self._rows: list[tuple[object, ...]] = []

    async def note(self, verdict: Done | Dead | RetryAt | Skipped, row: UrlRow) -> None:
        if row.kind != UrlKind.SITEMAP or not isinstance(verdict, Done | Dead):
            return
        answer, sitemap = verdict.answer, _NO_SITEMAP
        if isinstance(verdict, Done):
            if (target := redirect_target(verdict.answer)) is not None:
                self._discovery.follow_redirect(row, target)
            if verdict.sitemap is not None:
                sitemap = verdict.sitemap
                await self._note_locations(sitemap, row)
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

    async def _note_locations(self, sitemap: Sitemap, row: UrlRow) -> None:
        """An index names sitemaps, any other sitemap names pages."""
        if sitemap.kind == "index":
            for url in sitemap.locations:
                self._discovery.add_sitemap(url, row)
            return
        async for chunk in in_chunks(sitemap.locations):
            self._discovery.add_listed(chunk)

    async def write(self) -> None:
        if self._rows:
            await self._database.run_many(sql.SAVE_SITEMAP, self._rows)
