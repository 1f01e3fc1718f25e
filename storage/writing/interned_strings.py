"""Interned strings: repeated texts (anchor texts, rel values, content types), stored once each.

May touch: the database's statements.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import chain

from penstock.storage.database.batching import in_chunks
from penstock.storage.database.database import Database
from penstock.storage.database.digests import digest_of_text
from penstock.storage.writing import statements as sql
from penstock.storage.writing.rows import OVERSIZED, TwoGenerations

CACHED_STRINGS = 20_000  # in each of two generations


def storable(text: str) -> str:
    """Replace what SQLite cannot store (lone surrogates) by question marks.

    Otherwise such a text would end the crawl, and again at every resume.
    """
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


class InternedStrings:
    """Numbers for texts. `remember` a batch's texts, read `recent`, `write` the new ones, `evict`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: TwoGenerations[str, int] = TwoGenerations(CACHED_STRINGS)
        self._new: list[tuple[int, str]] = []
        self._oversized: list[str] = []  # recent ones
        self._next = 0
        self._all_cached = False  # the cache holds every string of the table, so there is nothing to look up
        self._digested = False  # the strings in the table have digests, so new ones need theirs

    @property
    def recent(self) -> dict[str, int]:
        return self._known.recent

    def start_at(self, number: int) -> None:
        """Set the next free number. 1: the table is empty."""
        self._next, self._all_cached = number, number == 1

    async def remember(self, texts: Iterable[str]) -> None:
        """Give every text except '' its number in the table, or the next free one."""
        async for some in in_chunks(texts):
            await self._remember(some)

    async def _remember(self, texts: Iterable[str]) -> None:
        asked = self._known.missing(filter(None, texts))
        recent = self.recent
        stored = list(map(storable, asked))
        missing = self._known.missing(stored)
        if missing and not self._all_cached:
            await self._look_up(missing)
        for text in missing:
            if text not in recent:
                recent[text] = self._next
                self._new.append((self._next, text))
                self._next += 1
        for text, kept in zip(asked, stored, strict=True):
            if text is not kept:
                recent[text] = recent[kept]
            if len(text) > OVERSIZED:
                self._oversized += (text, kept)

    async def _look_up(self, missing: Sequence[str]) -> None:
        if not self._digested:
            await self._database.run(sql.ADD_MISSING_STRING_DIGESTS)
            self._digested = True
        wanted = {text: digest_of_text(text) for text in missing}
        digests = json.dumps(list(set(wanted.values())))
        for number, text in await self._database.rows(sql.FIND_STRINGS, {"digests": digests}):
            if text in wanted:
                self.recent[text] = number

    async def write(self) -> None:
        if self._new:
            new, self._new = self._new, []
            await self._database.run_multi_row(sql.ADD_STRING, list(chain.from_iterable(new)))
            if self._digested:
                digests = json.dumps([digest_of_text(text) for _, text in new])
                await self._database.run(sql.ADD_STRING_DIGESTS, {"first": new[0][0], "digests": digests})

    def evict(self) -> None:
        self._all_cached = not self._known.evict(self._oversized) and self._all_cached
        self._oversized.clear()
