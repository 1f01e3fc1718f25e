"""Reparse store: load saved bodies in batches, and replace what was extracted from them.

May touch: the database, the extraction tables. It takes the same lock as a crawl: one process writes to
a file.

The rows of a batch and the position after it commit together. So an interrupted reparse continues where
it was, and a repeated one changes nothing.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from penstock.crawler.errors import BadDatabase, StorageFailed
from penstock.crawler.extraction import SourceTally
from penstock.crawler.messages import CanonicalUrl, Content
from penstock.crawler.urls import unsplit
from penstock.storage.database.database import Database
from penstock.storage.reading.crawl_reader import open_reader
from penstock.storage.writing import extraction_statements as sql
from penstock.storage.writing import statements
from penstock.storage.writing.extraction_tables import ExtractedPage, ExtractionTables, make_search, names_of
from penstock.storage.writing.interned_strings import InternedStrings

BATCH_PAGES = 64
BATCH_BYTES = 16 << 20  # of bodies in memory at once; a larger body is a batch of its own
MAX_BODY = 1 << 30  # bytes of a stored body after decompression


class SavedBody(NamedTuple):
    """One page as it was fetched. `body` is None if the stored one is damaged."""

    url_id: int
    generation: int
    url: CanonicalUrl
    body: bytes | None
    content_type: str | None  # the headers as sent, joined by ", "
    fetched_at: float  # unix seconds
    newest: bool  # no later fetch of this URL is stored


@dataclass(frozen=True, slots=True, kw_only=True)
class ReparseRequest:
    """What a reparse replaces. An interrupted one continues if its plan (JSON) is the same."""

    plan: str
    values: bool
    structured: bool
    search: bool
    rules: Sequence[str] = ()  # names
    plugins: Sequence[str] = ()  # names


class ReparseStore:
    """Made by `open`. Call `next` and `save` in turn, then `finish`; always call `close`."""

    def __init__(self, database: Database, request: ReparseRequest) -> None:
        self._database = database
        self._request = request
        self._strings = InternedStrings(database)
        self._extractions = ExtractionTables(database, self._strings)
        self._after = (0, 0)
        self._names: set[int] = set()  # of the values to replace, as interned strings
        self._sources: set[int] = set()  # rules and plugins whose errors to replace
        self.resumed = False

    @classmethod
    async def open(cls, path: Path, request: ReparseRequest, *, anew: bool = False) -> ReparseStore:
        """Raises BadDatabase: no crawl, in use, or its bodies were not saved.

        Continues an interrupted reparse with the same plan, unless `anew`.
        """
        with open_reader(path):
            pass  # refuses files that are no crawl, before anything is created
        database = await Database.open(path)
        try:
            if not (await database.row(sql.ANY_BODY))[0]:
                raise BadDatabase(f"{path} has no saved bodies: crawl with --save-bodies to reparse later")
            store = cls(database, request)
            await store._begin(anew=anew)
        except BaseException as error:
            await database.close()
            if isinstance(error, StorageFailed):
                raise BadDatabase(str(error)) from error
            raise
        return store

    async def _begin(self, *, anew: bool) -> None:
        _, _, phrase = await self._database.row(statements.LAST_IDS)
        self._strings.start_at(phrase + 1)
        known = await self._database.row(sql.FIND_REPARSING)
        if known is not None and known[0] == self._request.plan and not anew:
            self._after = (known[1], known[2])
            self.resumed = True
        async with self._database.transaction():
            await self._begin_sources()
            if self._request.search:
                await make_search(self._database)

    async def _begin_sources(self) -> None:
        """Learn which values and errors are those of the rules and plugins; count them from 0."""
        rules, plugins = self._request.rules, self._request.plugins
        await self._strings.remember([*rules, *plugins])
        await self._strings.write()
        ids = self._strings.recent
        self._sources = {ids[source] for source in (*rules, *plugins)}
        params = {"sources": json.dumps([ids[plugin] for plugin in plugins])}
        known = await self._database.rows(sql.FIND_SOURCE_NAMES, params)
        self._names = {ids[rule] for rule in rules} | {name for (name,) in known}
        if not self.resumed:
            await self._database.run_many(sql.FORGET_SOURCE_COUNTS, [(source,) for source in self._sources])

    async def sources(self) -> list[SourceTally]:
        """What became of the rules and plugins on all pages."""
        asked = {*self._request.rules, *self._request.plugins}
        tallies = [SourceTally(*row) for row in await self._database.rows(sql.FIND_SOURCES)]
        return [tally for tally in tallies if tally.source in asked]

    async def next(self) -> Sequence[SavedBody]:
        """The next pages; none at the end."""
        url, generation = self._after
        params = {"url": url, "generation": generation, "limit": BATCH_PAGES}
        chosen: list[tuple[int, int]] = []
        size = 0
        for url_id, number, body_bytes in await self._database.rows(sql.NEXT_BODIES, params):
            size += body_bytes or 0
            if chosen and size > BATCH_BYTES:
                break
            chosen.append((url_id, number))
        return [await self._load(url_id, number) for url_id, number in chosen]

    async def _load(self, url_id: int, generation: int) -> SavedBody:
        key = {"url": url_id, "generation": generation}
        secure, host, path, body, headers, fetched_at, newest = await self._database.row(sql.LOAD_BODY, key)
        return SavedBody(
            url_id,
            generation,
            unsplit(secure, host, path),
            _decompress(body),
            _content_type(_decompress(headers)),
            (fetched_at or 0) / 1000,
            bool(newest),
        )

    async def save(self, pages: Sequence[tuple[SavedBody, Content | None]]) -> None:
        """Replace the results of these pages in one transaction. Without content there are none."""
        extracted = []
        for page, content in pages:
            if content is not None and (extraction := content.extraction) is not None:
                # The index is over what stands on the site now.
                kept = extraction if page.newest else replace(extraction, text=None)
                extracted.append(ExtractedPage(page.url_id, page.generation, content.title, kept))
        last = pages[-1][0]
        keys = [(page.url_id, page.generation) for page, _ in pages]
        request = self._request
        async with self._database.transaction():
            await self._strings.remember(name for page in extracted for name in names_of(page.extraction))
            await self._strings.write()
            if request.values:
                recent = self._strings.recent
                self._names |= {recent[value.name] for page in extracted for value in page.extraction.values}
            await self._extractions.forget(
                keys, names=self._names, sources=self._sources, structured=request.structured
            )
            await self._extractions.save(extracted, behind=True)
            mark = {"plan": request.plan, "url": last.url_id, "generation": last.generation}
            await self._database.run(sql.NOTE_REPARSING, mark)
        self._strings.evict()
        self._after = (last.url_id, last.generation)

    async def finish(self) -> None:
        """Forget the position, so that the next reparse starts from the beginning."""
        async with self._database.transaction():
            await self._database.run(sql.FORGET_REPARSING)

    async def close(self) -> None:
        await self._database.close()


def _decompress(data: object) -> bytes | None:
    """Decompress a stored body; None if it is damaged. The file may come from a stranger."""
    if not isinstance(data, bytes):
        return None
    try:
        decompressor = zlib.decompressobj()
        body = decompressor.decompress(data, MAX_BODY)
    except zlib.error:
        return None
    return body if decompressor.eof else None


def _content_type(headers: bytes | None) -> str | None:
    try:
        pairs = json.loads(headers or b"[]")
        return ", ".join(value for name, value in pairs if name.lower() == "content-type") or None
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None
