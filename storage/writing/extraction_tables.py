"""Harvests: what was gathered from pages, as rows of a page's own transaction.

May touch: the database's statements, strings.
Never: a transaction of its own; the caller holds one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from penstock.crawler.extraction import ExtractionResult
from penstock.storage.database.database import Database
from penstock.storage.writing import extraction_statements as sql
from penstock.storage.writing.interned_strings import InternedStrings, storable

Row = tuple[object, ...]


class ExtractedPage(NamedTuple):
    """One page's extraction, ready to be stored."""

    url_id: int
    generation: int
    title: str | None
    extraction: ExtractionResult


def names_of(extraction: ExtractionResult) -> Iterator[str]:
    """The texts of an extraction that `phrase` keeps."""
    for value in extraction.values:
        yield value.name
    for item in extraction.items:
        yield item.kind
    for mishap in extraction.errors:
        yield mishap.source


class ExtractionTables:
    """Writes harvests. Their names were `remember`ed before."""

    def __init__(self, database: Database, strings: InternedStrings) -> None:
        self._database = database
        self._strings = strings

    async def save(self, pages: Sequence[ExtractedPage]) -> None:
        """Add what these pages yielded. A page that has rows already keeps those."""
        await self._many(sql.ADD_EXTRACTION, (row for page in pages for row in self._values(page)))
        await self._many(sql.ADD_STRUCTURED, (row for page in pages for row in self._items(page)))
        await self._many(sql.ADD_MISHAP, (row for page in pages for row in self._mishaps(page)))
        await self._many(sql.SAVE_TEXT, (row for page in pages for row in _text(page)))

    async def forget(self, keys: Sequence[tuple[int, int]], *, values: bool, structured: bool) -> None:
        """Remove what these pages (url_id, generation) yielded before, of the kinds that are named."""
        if values:
            await self._database.run_many(sql.FORGET_EXTRACTIONS, keys)
            await self._database.run_many(sql.FORGET_MISHAPS, keys)
        if structured:
            await self._database.run_many(sql.FORGET_STRUCTURED, keys)

    async def _many(self, statement: str, rows: Iterable[Row]) -> None:
        if found := list(rows):
            await self._database.run_many(statement, found)

    def _values(self, page: ExtractedPage) -> Iterator[Row]:
        positions: Counter[str] = Counter()
        for each in page.extraction.values:
            name, value = each.name, each.value
            stored = storable(value) if isinstance(value, str) else value
            yield page.url_id, page.generation, self._strings.recent[name], positions[name], stored
            positions[name] += 1

    def _items(self, page: ExtractedPage) -> Iterator[Row]:
        positions: Counter[str] = Counter()
        for item in page.extraction.items:
            kind = item.kind
            stored = storable(item.data) if item.data is not None else None
            yield (
                page.url_id,
                page.generation,
                self._strings.recent[kind],
                positions[kind],
                stored,
                item.error,
            )
            positions[kind] += 1

    def _mishaps(self, page: ExtractedPage) -> Iterator[Row]:
        for position, mishap in enumerate(page.extraction.errors):
            source = self._strings.recent[mishap.source]
            yield page.url_id, page.generation, position, source, storable(mishap.error)


def _text(page: ExtractedPage) -> Iterator[Row]:
    text = page.extraction.text
    if text is not None:
        yield page.url_id, storable(page.title or ""), storable(text.headings), storable(text.text)


async def make_search(database: Database) -> None:
    """Make the index, if there is none. Within the caller's transaction."""
    for statement in sql.MAKE_SEARCH:
        await database.run(statement)
