"""CrawlDiff: compare the pages, the extracted values and the resources of two crawls.

May touch: two CrawlReaders; a temporary database of its own, which SQLite deletes by itself.
Never: write to either crawl.

Both are read in the order of their URLs, in parallel, so memory holds two pages at a time. The
differences are stored in the temporary database, so that SQL can query them. Nothing in them depends on
the order in which a crawl fetched its pages, so two equal crawls have none.

Values are those of pages that are in both crawls. Resources are compared if both crawls asked for them
(--resources); one that has no answer yet counts as absent.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, groupby
from operator import itemgetter
from typing import Any, NamedTuple

from penstock.crawler.errors import BadQuery
from penstock.storage.reading.crawl_reader import CrawlReader

COLUMNS = ("change", "url", "field", "before", "after")
FIELDS = ("status", "title", "content_hash", "canonical")
RESOURCE_FIELDS = ("status", "content_type", "error")
KINDS = ("added", "gone", "changed")  # of pages; with value_ and resource_ before it, of those

# The same order as Python's strings: BINARY compares UTF-8, and a canonical URL is ASCII.
_PAGES = "SELECT url, status, title, content_hash, canonical FROM pages ORDER BY url"
_VALUES = """
    SELECT url_text.url, phrase.text, extraction.value
    FROM extraction
    JOIN url_text ON url_text.id = extraction.url_id
    JOIN phrase ON phrase.id = extraction.name_id
    WHERE extraction.generation = (SELECT max(generation) FROM fetch WHERE fetch.url_id = extraction.url_id)
    ORDER BY url_text.url, phrase.text, extraction.position
"""
_RESOURCES = "SELECT url, status, content_type, error FROM resources WHERE state <> 'pending' ORDER BY url"
_HAS_VIEW = "SELECT count(*) FROM sqlite_schema WHERE type = 'view' AND name = :name"
_CONFIGS = "SELECT config FROM runs"
_MAKE = "CREATE TABLE diff (change TEXT, url TEXT, field TEXT, before, after)"
_ADD = "INSERT INTO diff VALUES (?, ?, ?, ?, ?)"
_ROWS = "SELECT change, url, field, before, after FROM diff ORDER BY change, url, field LIMIT :limit"
_COUNT = "SELECT change, count(DISTINCT url), count(*) FROM diff GROUP BY change"
_COUNT_FIELDS = "SELECT field, count(*) FROM diff WHERE change = 'changed' GROUP BY field"

Change = tuple[str, str, str, object, object]
Row = tuple[object, ...]
Named = Mapping[str, list[object]]  # the values of a page by their names


class DiffCounts(NamedTuple):
    kinds: Mapping[str, int]  # pages by kind of change
    fields: Mapping[str, int]  # changed pages by field; one page may count in several
    values: Mapping[str, int]  # values (page and name) by kind of change
    resources: Mapping[str, int]  # resources by kind of change
    rows: int


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
        found = {change: (urls, rows) for change, urls, rows in self._db.execute(_COUNT)}
        return DiffCounts(
            kinds={kind: found.get(kind, (0, 0))[0] for kind in KINDS},
            fields={**dict.fromkeys(FIELDS, 0), **dict(self._db.execute(_COUNT_FIELDS))},
            values={kind: found.get(f"value_{kind}", (0, 0))[1] for kind in KINDS},
            resources={kind: found.get(f"resource_{kind}", (0, 0))[0] for kind in KINDS},
            rows=sum(rows for _, rows in found.values()),
        )

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
    changes = _page_changes(before, after, on_page)
    if asked_for_resources(before) and asked_for_resources(after):
        changes = chain(changes, _resource_changes(before, after))
    return CrawlDiff(changes)


def asked_for_resources(reader: CrawlReader) -> bool:
    """True if a run of the crawl had --resources. Files of older versions cannot have had it."""
    configs: Any = reader.select(_CONFIGS)
    return _has_view(reader, "resources") and any(json.loads(text).get("resources") for (text,) in configs)


def _has_view(reader: CrawlReader, name: str) -> bool:
    [(count,)] = reader.select(_HAS_VIEW, {"name": name})
    return bool(count)


def _page_changes(before: CrawlReader, after: CrawlReader, on_page: Callable[[], None]) -> Iterator[Change]:
    values_before, values_after = _Values(before), _Values(after)
    for old, new in _pairs(before.select(_PAGES), after.select(_PAGES)):
        on_page()
        if new is None:
            yield "gone", str(old[0]), "status", old[1], None
        elif old is None:
            yield "added", str(new[0]), "status", None, new[1]
        else:
            url = str(old[0])
            for field, was, now in zip(FIELDS, old[1:], new[1:], strict=True):
                if was != now:
                    yield "changed", url, field, was, now
            yield from _value_changes(url, values_before.of(url), values_after.of(url))


def _value_changes(url: str, before: Named, after: Named) -> Iterator[Change]:
    for name in sorted(before.keys() | after.keys()):
        was, now = before.get(name), after.get(name)
        if was == now:
            continue
        kind = "added" if was is None else "gone" if now is None else "changed"
        are_lists = len(was or ()) > 1 or len(now or ()) > 1
        yield f"value_{kind}", url, name, _cell(was, as_list=are_lists), _cell(now, as_list=are_lists)


def _cell(values: list[object] | None, *, as_list: bool) -> object:
    """The value, or all of a name's values as a JSON array."""
    if values is None:
        return None
    return json.dumps(values, ensure_ascii=False) if as_list else values[0]


def _resource_changes(before: CrawlReader, after: CrawlReader) -> Iterator[Change]:
    for old, new in _pairs(before.select(_RESOURCES), after.select(_RESOURCES)):
        if old is not None and new is not None:
            for field, was, now in zip(RESOURCE_FIELDS, old[1:], new[1:], strict=True):
                if was != now:
                    yield "resource_changed", str(old[0]), field, was, now
            continue
        url, status, _, error = new if old is None else old
        # The error says more than a status, which a resource may lack.
        field, value = ("status", status) if error is None else ("error", error)
        if old is None:
            yield "resource_added", str(url), field, None, value
        else:
            yield "resource_gone", str(url), field, value, None


def _pairs(before: Iterable[Row], after: Iterable[Row]) -> Iterator[tuple[Any, Any]]:
    """Rows with the same URL, in pairs; None where the other crawl has none. Both are sorted."""
    left, right = iter(before), iter(after)
    old, new = next(left, None), next(right, None)
    while old is not None or new is not None:
        if new is None or (old is not None and str(old[0]) < str(new[0])):
            yield old, None
            old = next(left, None)
        elif old is None or str(new[0]) < str(old[0]):
            yield None, new
            new = next(right, None)
        else:
            yield old, new
            old, new = next(left, None), next(right, None)


class _Values:
    """The extracted values of a crawl, read along with its pages."""

    def __init__(self, reader: CrawlReader) -> None:
        rows: Any = reader.select(_VALUES) if _has_view(reader, "extracted") else ()
        self._pages = groupby(rows, key=itemgetter(0))
        self._next = self._read()

    def _read(self) -> tuple[str, Named] | None:
        for url, rows in self._pages:
            named: dict[str, list[object]] = {}
            for _, name, value in rows:
                named.setdefault(name, []).append(value)
            return url, named
        return None

    def of(self, url: str) -> Named:
        """Those of a page. Pages must be asked about in the order of their URLs."""
        while self._next is not None and self._next[0] < url:
            self._next = self._read()
        return self._next[1] if self._next is not None and self._next[0] == url else {}
