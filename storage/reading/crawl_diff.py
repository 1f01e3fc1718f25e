"""CrawlDiff: compare the pages of two crawls.

May touch: two CrawlReaders; a temporary database of its own, which SQLite deletes by itself.
Never: write to either crawl.

Both are read in the order of their URLs, in parallel, so memory holds two rows at a time. The
differences are stored in the temporary database, so that SQL can query them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from penstock.crawler.errors import BadQuery
from penstock.storage.reading.crawl_reader import CrawlReader

COLUMNS = ("change", "url", "field", "before", "after")
FIELDS = ("status", "title", "content_hash", "canonical")
KINDS = ("added", "gone", "changed")

# The same order as Python's strings: BINARY compares UTF-8, and a canonical URL is ASCII.
_PAGES = "SELECT url, status, title, content_hash, canonical FROM pages ORDER BY url"
_MAKE = "CREATE TABLE diff (change TEXT, url TEXT, field TEXT, before, after)"
_ADD = "INSERT INTO diff VALUES (?, ?, ?, ?, ?)"
_ROWS = "SELECT change, url, field, before, after FROM diff ORDER BY change, url, field LIMIT :limit"
_COUNT = "SELECT change, count(DISTINCT url) FROM diff GROUP BY change"
_COUNT_FIELDS = "SELECT field, count(*) FROM diff WHERE change = 'changed' GROUP BY field"

Change = tuple[str, str, str, object, object]
Page = tuple[object, ...]


class DiffCounts(NamedTuple):
    kinds: Mapping[str, int]  # pages by kind of change
    fields: Mapping[str, int]  # changed pages by field; one page may count in several


class CrawlDiff:
    """The differences, in a temporary database. A context manager; made by `compare_crawls`."""

    def __init__(self, found: Iterable[Change]) -> None:
        # "": a temporary file, in memory while it is small, deleted when the connection is closed.
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.execute("BEGIN")
        self._db.execute(_MAKE)
        self._db.executemany(_ADD, found)
        self._db.execute("COMMIT")
        self._db.execute("PRAGMA query_only = ON")
        self._db.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)  # a condition may not open other files

    def __enter__(self) -> CrawlDiff:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def rows(self, limit: int | None = None) -> Iterator[tuple[object, ...]]:
        return self._db.execute(_ROWS, {"limit": -1 if limit is None else limit})

    def counts(self) -> DiffCounts:
        kinds = {**dict.fromkeys(KINDS, 0), **dict(self._db.execute(_COUNT))}
        return DiffCounts(kinds, {**dict.fromkeys(FIELDS, 0), **dict(self._db.execute(_COUNT_FIELDS))})

    def count_where(self, condition: str) -> int:
        """Count the rows for which an SQL condition is true. Raises BadQuery if it is not valid."""
        try:
            [(count,)] = self._db.execute(f"SELECT count(*) FROM diff WHERE ({condition}\n)")
        except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
            problem = " ".join(str(error).split())
            raise BadQuery(
                f"--fail-if: {problem}; a condition uses {', '.join(COLUMNS)}, as in \"change = 'gone'\""
            ) from error
        return int(count)


def compare_crawls(
    before: CrawlReader, after: CrawlReader, on_page: Callable[[], None] = lambda: None
) -> CrawlDiff:
    """Compare two crawls, page by page."""
    return CrawlDiff(_differences(iter(before.select(_PAGES)), iter(after.select(_PAGES)), on_page))


def _differences(
    before: Iterator[Page], after: Iterator[Page], on_page: Callable[[], None]
) -> Iterator[Change]:
    old, new = next(before, None), next(after, None)
    while old is not None or new is not None:
        on_page()
        if new is None or (old is not None and str(old[0]) < str(new[0])):
            assert old is not None
            yield "gone", str(old[0]), "status", old[1], None
            old = next(before, None)
        elif old is None or str(new[0]) < str(old[0]):
            yield "added", str(new[0]), "status", None, new[1]
            new = next(after, None)
        else:
            for field, was, now in zip(FIELDS, old[1:], new[1:], strict=True):
                if was != now:
                    yield "changed", str(old[0]), field, was, now
            old, new = next(before, None), next(after, None)
