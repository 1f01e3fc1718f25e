"""Extracted values: one row per page, with a column for each name that rules and plugins gave.

May touch: a CrawlReader.
Never: write.

The view `extracted` has one row per value, which suits SQL. A data frame or a spreadsheet wants one row
per page. Rows are those of pages with at least one value at their newest fetch, sorted by URL; columns are
`url`, `fetched_at`, and the names in their order. A name that is one of these two, or differs from another
in case only, gets a number: `url_2`. (Spreadsheets, DuckDB and Spark do not distinguish case.)

A column has one type: whole numbers, numbers, or text; a column of numbers and texts is text. A name has
a list if a page has several values of it, or if the rule of a run took all matches. A boolean is 1 or 0, a
date is ISO 8601 text, a dictionary is JSON, as in `extracted`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from penstock.storage.reading.crawl_reader import CrawlReader

_NEWEST = """
    extraction.generation = (SELECT max(fetch.generation) FROM fetch WHERE fetch.url_id = extraction.url_id)
"""
_NAMES = f"""
    SELECT extraction.name_id, phrase.text, max(extraction.position) > 0,
           group_concat(DISTINCT typeof(extraction.value))
    FROM extraction JOIN phrase ON phrase.id = extraction.name_id
    WHERE {_NEWEST}
    GROUP BY extraction.name_id ORDER BY phrase.text
"""
_VALUES = f"""
    SELECT url_text.url,
           (SELECT strftime('%Y-%m-%dT%H:%M:%fZ', fetch.fetched_at / 1000.0, 'unixepoch') FROM fetch
            WHERE fetch.url_id = extraction.url_id AND fetch.generation = extraction.generation),
           extraction.name_id, extraction.value
    FROM extraction JOIN url_text ON url_text.id = extraction.url_id
    WHERE {_NEWEST}
    ORDER BY url_text.url, extraction.name_id, extraction.position
"""
_CONFIGS = "SELECT config FROM runs"
_OWN = ("url", "fetched_at")


class Kind(NamedTuple):
    """What a column holds, beside NULL."""

    type: type  # int, float or str
    many: bool  # its values are lists of that


class ExtractedValues:
    """Columns and rows, as a query has them. A list is a value too. Made anew for each iteration."""

    def __init__(self, reader: CrawlReader) -> None:
        self._reader = reader
        repeated = self._names_of_lists()
        named: Any = list(reader.select(_NAMES))
        columns = list(_OWN)
        taken = set(_OWN)
        self.kinds: dict[str, Kind] = {}
        self._columns: dict[int, tuple[int, Kind]] = {}  # by name_id: position and kind of the column
        for name_id, name, is_repeated, types in named:
            column, count = name, 1
            while column.casefold() in taken:
                count += 1
                column = f"{name}_{count}"
            taken.add(column.casefold())
            kind = Kind(_type_of(types), bool(is_repeated) or name in repeated)
            self._columns[name_id] = (len(columns), kind)
            self.kinds[column] = kind
            columns.append(column)
        self.columns = tuple(columns)

    def __iter__(self) -> Iterator[tuple[object, ...]]:
        values: Any = self._reader.select(_VALUES)
        for (url, fetched_at), found in groupby(values, key=itemgetter(0, 1)):
            row: list[Any] = [url, fetched_at] + [None] * len(self._columns)
            for *_, name_id, value in found:
                at, kind = self._columns[name_id]
                converted = value if isinstance(value, kind.type) else kind.type(value)
                if not kind.many:
                    row[at] = converted
                elif row[at] is None:
                    row[at] = [converted]
                else:
                    row[at].append(converted)
            yield tuple(row)

    def _names_of_lists(self) -> set[str]:
        """The names whose rules take all matches, also if no page has several."""
        rules: list[Mapping[str, Any]] = [
            rule
            for (config,) in self._reader.select(_CONFIGS)
            for rule in json.loads(str(config)).get("select", ())
            if isinstance(rule, Mapping)
        ]
        return {str(rule["name"]) for rule in rules if rule.get("many")}


def _type_of(types: str) -> type:
    """The type that holds all values of these SQLite types."""
    found = set(types.split(","))
    if found == {"integer"}:
        return int
    return float if found <= {"integer", "real"} else str
