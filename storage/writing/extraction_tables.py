"""Extraction tables: extracted values, structured data and text, as rows of a page's transaction.

May touch: the database's statements, interned strings.
Never: a transaction of its own; the caller holds one.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from penstock.crawler.extraction import ExtractionResult
from penstock.crawler.messages import Done, UrlVerdict
from penstock.storage.database.database import Database
from penstock.storage.writing import extraction_statements as sql
from penstock.storage.writing.interned_strings import InternedStrings, storable
from penstock.storage.writing.rows import UrlRow

Row = tuple[object, ...]
TextRow = tuple[int, str, str, str]  # of page_text


class ExtractedPage(NamedTuple):
    """One page's extraction result and the key of its rows."""

    url_id: int
    generation: int
    title: str | None
    extraction: ExtractionResult


def names_of(extraction: ExtractionResult) -> Iterator[str]:
    """The texts of an extraction result that are interned."""
    for value in extraction.values:
        yield value.name
    for item in extraction.items:
        yield item.kind
    for error in extraction.errors:
        yield error.source
    for outcome in extraction.sources:
        yield outcome.source
        yield from outcome.names


class ExtractionTables:
    """`note` verdicts, then `write`; or `save` pages at once. Their names were `remember`ed before."""

    def __init__(self, database: Database, strings: InternedStrings, generation: int = 1) -> None:
        self._database = database
        self._strings = strings
        self._generation = generation
        self._pages: list[ExtractedPage] = []

    async def note(self, verdict: UrlVerdict, row: UrlRow) -> None:
        content = verdict.content if isinstance(verdict, Done) else None
        if content is not None and content.extraction is not None:
            page = ExtractedPage(row.id, self._generation, content.title, content.extraction)
            self._pages.append(page)

    async def write(self) -> None:
        if self._pages:
            await self.save(self._pages)

    async def save(self, pages: Sequence[ExtractedPage], *, behind: bool = False) -> None:
        """Add the rows of these pages. A page that has rows already keeps those.

        `behind`: the page may have errors of other rules, behind which its new ones go.
        """
        await self._many(sql.ADD_EXTRACTION, (row for page in pages for row in self._values(page)))
        await self._many(sql.ADD_STRUCTURED, (row for page in pages for row in self._items(page)))
        add_error = sql.ADD_ERROR_BEHIND if behind else sql.ADD_ERROR
        await self._many(add_error, (row for page in pages for row in self._errors(page)))
        texts = {row[0]: row for page in pages for row in _text(page)}
        if texts:
            await self._save_texts(list(texts.values()))
        await self._count_sources(pages)

    async def _count_sources(self, pages: Sequence[ExtractedPage]) -> None:
        counts: dict[tuple[str, int], list[int]] = {}
        names: dict[tuple[str, str], None] = {}
        for page in pages:
            for source, taken, failed in _by_source(page.extraction):
                count = counts.setdefault((source, page.generation), [0, 0, 0])
                count[0] += 1
                count[1] += taken
                count[2] += failed
            for outcome in page.extraction.sources:
                names |= dict.fromkeys((outcome.source, name) for name in outcome.names)
        recent = self._strings.recent
        await self._many(
            sql.COUNT_SOURCE, ((recent[source], number, *count) for (source, number), count in counts.items())
        )
        await self._many(sql.ADD_SOURCE_NAME, ((recent[source], recent[name]) for source, name in names))

    async def forget(
        self,
        keys: Sequence[tuple[int, int]],
        *,
        names: Iterable[int],
        sources: Iterable[int],
        structured: bool,
    ) -> None:
        """Remove rows of these pages, given as (url_id, generation): values of these names, errors of these
        rules and plugins, all structured data."""
        known, asked = json.dumps(sorted(names)), json.dumps(sorted(sources))
        await self._many(sql.FORGET_EXTRACTIONS, ((*key, known) for key in keys))
        await self._many(sql.FORGET_ERRORS, ((*key, asked) for key in keys))
        if structured:
            await self._database.run_many(sql.FORGET_STRUCTURED, keys)

    async def _save_texts(self, rows: Sequence[TextRow]) -> None:
        ids = json.dumps([row[0] for row in rows])
        former = await self._database.rows(sql.FIND_TEXTS, (ids,))
        await self._many(sql.REMOVE_WORDS, map(_words, former))
        await self._many(sql.SAVE_TEXT, rows)
        await self._many(sql.ADD_WORDS, map(_words, rows))

    async def _many(self, statement: str, rows: Iterable[Row]) -> None:
        if found := list(rows):
            await self._database.run_many(statement, found)

    def _values(self, page: ExtractedPage) -> Iterator[Row]:
        positions: Counter[str] = Counter()
        for each in page.extraction.values:
            name, value = each.name, each.value
            stored: object = value
            if isinstance(value, str):
                stored = storable(value)
            elif isinstance(value, bool):
                stored = int(value)
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

    def _errors(self, page: ExtractedPage) -> Iterator[Row]:
        for position, error in enumerate(page.extraction.errors):
            source = self._strings.recent[error.source]
            yield page.url_id, page.generation, position, source, storable(error.error)


def _by_source(extraction: ExtractionResult) -> Iterator[tuple[str, bool, bool]]:
    """Each rule and plugin of a page once: two rules may share a name, where one is for want of the other."""
    merged: dict[str, tuple[bool, bool]] = {}
    for outcome in extraction.sources:
        taken, failed = merged.get(outcome.source, (False, False))
        merged[outcome.source] = taken or outcome.taken, failed or outcome.failed
    for source, (taken, failed) in merged.items():
        yield source, taken, failed


def _text(page: ExtractedPage) -> Iterator[TextRow]:
    text = page.extraction.text
    if text is not None:
        yield page.url_id, storable(page.title or ""), storable(text.headings), storable(text.text)


def _words(row: Sequence[Any]) -> Row:
    """A row of page_text as the index takes it."""
    from penstock.storage.database.search_words import index_words  # with --search only: it takes 10 ms

    url_id, *texts = row
    return url_id, *map(index_words, texts)


async def make_search(database: Database) -> None:
    """Create the search index, if there is none, within the caller's transaction.

    An index of an older version, which has other words, is made anew from the texts: no page is read
    again. It takes a few seconds for 10,000 pages.
    """
    from penstock.storage.database.search_words import TOKENIZER, is_current

    await database.run(sql.MAKE_TEXTS)
    known = await database.row(sql.FIND_INDEX)
    if known is not None and is_current(known[0]):
        return
    for statement in sql.DROP_INDEX:
        await database.run(statement)
    await database.run(sql.MAKE_INDEX.format(tokenizer=TOKENIZER))
    last = 0
    while rows := await database.rows(sql.NEXT_TEXTS, (last,)):
        await database.run_many(sql.ADD_WORDS, [_words(row) for row in rows])
        last = rows[-1][0]
