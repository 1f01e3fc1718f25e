"""Archive tables: answers as they came, body and head, as rows of a page's transaction (--save-bodies).

May touch: the database's statements, zlib, a thread to compress in.
Never: a request's credentials, or a cookie of the operator; the fetcher leaves them out.

Every answer that settles a URL has a row: pages, redirects, errors, sitemaps; and each hop of a
robots.txt. Resources are asked for with HEAD, so there is nothing to keep.
"""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import Sequence

from penstock.crawler.messages import Answer, Dead, Done, RobotsAnswer, UrlVerdict
from penstock.crawler.scheduler.discovery import UrlKind
from penstock.storage.database.database import Database
from penstock.storage.writing import statements as sql
from penstock.storage.writing.interned_strings import storable
from penstock.storage.writing.rows import UrlRow

Row = tuple[object, ...]


class ArchiveTables:
    """`note` verdicts, then `write`."""

    def __init__(self, database: Database, generation: int) -> None:
        self._database = database
        self._generation = generation
        self._answers: list[tuple[int, Answer, bytes]] = []
        self._robots: list[RobotsAnswer] = []

    async def note(self, verdict: UrlVerdict, row: UrlRow) -> None:
        if isinstance(verdict, Done | Dead) and verdict.body is not None and row.kind != UrlKind.RESOURCE:
            assert verdict.answer is not None
            self._answers.append((row.id, verdict.answer, verdict.body))

    def note_robots(self, answer: RobotsAnswer) -> None:
        if answer.exchanges:
            self._robots.append(answer)

    async def write(self) -> None:
        for url_id, answer, body in self._answers:
            packed = await asyncio.to_thread(_pack, answer, body)
            key = url_id, self._generation
            await self._database.run_many(sql.SAVE_BODY, [(*key, *packed[:2])])
            await self._database.run_many(sql.SAVE_BODY_HEAD, [(*key, *packed[2:])])
        for robots in self._robots:
            rows: list[Row] = []
            for position, (url, answer, body) in enumerate(robots.exchanges):
                packed = await asyncio.to_thread(_pack, answer, body)
                facts = url, answer.status, round(answer.fetched_at * 1000)
                rows.append((robots.task.origin, position, *facts, *packed))
            await self._database.run_many(sql.FORGET_ROBOTS_EXCHANGES, [(robots.task.origin,)])
            await self._database.run_many(sql.SAVE_ROBOTS_EXCHANGE, rows)


def _pack(answer: Answer, body: bytes) -> Row:
    """Body, headers, status line and request, as they are stored."""
    status_line = None if answer.status_line is None else storable(answer.status_line)
    return zlib.compress(body, 6), _pack_lines(answer.headers), status_line, _pack_lines(answer.request)


def _pack_lines(lines: Sequence[tuple[str, str]]) -> bytes:
    return zlib.compress(json.dumps(lines).encode(), 6)
