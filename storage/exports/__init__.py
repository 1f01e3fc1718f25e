"""Exports: write a crawl in the format of another program. A file is a format; its name is the option's.

An export format is a module, or an object with the same names, or a function `write` by itself:

    write(source, files)   write the records, row by row; return how many there were
    ABOUT    one line for people; default empty
    TAKES    "rows" (default): the rows of any table or SELECT, which are `source.rows()`
             "crawl": the format decides itself what it reads, through `source.reader`
    OPTIONS  names of the switches of `export` that it knows, such as "bom", which it finds in
             `source.options`; default none

A format is found as a file in this folder, as an entry point of the group `penstock.exports` of an
installed package, or as an object given to the library.

`write` calls `source.on_record()` for every record, and `source.on_note(text)` for what a person should
know about the file, such as a value that was cut. A value is None, an int, a float, a str, bytes, or, of
the table `extracted`, a list of these. `write` raises BadQuery for what a person can change,
such as a missing library or rows that do not fit; then no file appears. It keeps no list of rows: a
million rows need no more memory than a thousand. A library of an extra is imported by the format's
own file, so only when the format is used.

May touch: a CrawlReader, the files it is given.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import BinaryIO, Protocol, cast

from msgspec import Struct

from penstock.crawler.errors import BadConfig, BadQuery, close_match
from penstock.crawler.plugs import Plugs
from penstock.storage.reading.crawl_reader import CrawlReader, QueryResult
from penstock.storage.reading.extracted_values import ExtractedValues
from penstock.storage.reading.reports import REPORTS, TABLES

EXPORTS = Plugs("export format", "penstock.storage.exports", "penstock.exports")
# The table to count for rows that are a whole view; counting the view itself would be slow.
_COUNTED_BY = {
    "SELECT * FROM pages": "fetch",
    "SELECT * FROM urls": "url",
    "SELECT * FROM links": "link",
}


class ExportFiles(Protocol):
    """The files that an export writes."""

    @property
    def name(self) -> str:
        """The name of the main file, without its folder; "-" for standard output."""

    @property
    def alone(self) -> bool:
        """True where no second file can stand beside the main one: standard output, a device."""

    def main(self) -> BinaryIO: ...

    def part(self, name: str) -> BinaryIO:
        """One more file, beside the main one. Raises BadQuery on standard output."""


class ExportSource(Struct, frozen=True, kw_only=True):
    """A crawl opened for reading, at one moment, and the rows to export."""

    reader: CrawlReader
    sql: str  # the chosen rows; empty for a format of a whole crawl
    table: str = ""  # the table or report whose rows they are; "" if SQL chose them
    options: Sequence[str] = ()  # the switches that were given, of those that the format knows
    provenance: Mapping[str, object]  # who crawled what and when: penstock.storage.reading.provenance
    on_record: Callable[[], None] = lambda: None  # called for every record
    on_note: Callable[[str], None] = lambda text: None  # shows a line to the person

    def rows(self) -> QueryResult | ExtractedValues:
        """Columns and rows. Those of `extracted` are one per page, with a column for each name."""
        return ExtractedValues(self.reader) if self.table == "extracted" else self.reader.select(self.sql)

    def expected_records(self) -> int | None:
        """How many rows there will be, where that costs little to count; else None."""
        table = _COUNTED_BY.get(self.sql)
        if table is None:
            return None
        [(count,)] = self.reader.select(f"SELECT count(*) FROM {table}")
        return int(str(count))


class ExportFormat(Struct, frozen=True, kw_only=True):
    """A format as its file, package or object describes it."""

    name: str
    write: Callable[[ExportSource, ExportFiles], int]
    about: str
    takes_rows: bool  # False: of a whole crawl
    options: Sequence[str] = ()

    def select_rows(self, *, table: str | None = None, sql: str | None = None) -> str:
        """The SELECT for a table, a report or a query; pages if neither is given. Raises BadQuery."""
        if not self.takes_rows:
            if table or sql:
                raise BadQuery(f"{self.name} exports the whole crawl and takes no --table or --sql")
            return ""
        if table and sql:
            raise BadQuery("choose the rows by a table or by SQL, not both")
        if sql:
            return sql
        if (table or "pages") not in (*TABLES, *REPORTS):
            known = (*TABLES, *REPORTS)
            raise BadQuery(
                f"there is no table {table!r}{close_match(table or '', known)}; there are {', '.join(known)}"
            )
        return f"SELECT * FROM {table or 'pages'}"

    def check_options(self, given: Sequence[str]) -> None:
        """Raise BadQuery for a switch of `export` that this format does not know."""
        for name in given:
            if name not in self.options:
                raise BadQuery(f"--{name}: an export as {self.name} has no such option")

    def export(self, source: ExportSource, files: ExportFiles, *, described: bool = False) -> int:
        """Write all files; `described`: with the provenance in FILE.meta.json. Returns the records."""
        count = self.write(source, files)
        if described:
            text = json.dumps(source.provenance, indent=2)
            files.part(f"{files.name}.meta.json").write(f"{text}\n".encode())
        return count


def list_formats(given: Mapping[str, object] | None = None) -> list[str]:
    """The names of all formats, sorted, without loading any."""
    return EXPORTS.names(given)


def load_format(name: str, given: Mapping[str, object] | None = None) -> ExportFormat:
    """The format of this name. Raises BadConfig: no such format; BadQuery: its library is missing."""
    if name in (*TABLES, *REPORTS) and name not in list_formats(given):
        raise BadConfig(f"{name} is a table, not an export format: export csv FILE --table {name}")
    plug = EXPORTS.load(name, given)
    write = getattr(plug, "write", plug)
    takes = getattr(plug, "TAKES", "rows")
    if not callable(write) or takes not in ("rows", "crawl"):
        wrong = f"TAKES = {takes!r}" if callable(write) else "no function write(source, files)"
        raise BadConfig(f"export format {name!r} has {wrong}")
    return ExportFormat(
        name=name,
        write=cast(Callable[[ExportSource, ExportFiles], int], write),
        about=getattr(plug, "ABOUT", ""),
        takes_rows=takes == "rows",
        options=tuple(getattr(plug, "OPTIONS", ())),
    )


def missing_extra(library: str, extra: str) -> BadQuery:
    return BadQuery(f"this needs {library}, which is not installed: pip install 'penstock-crawler[{extra}]'")
