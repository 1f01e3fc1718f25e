"""Exports: a crawl as other programs want it. One file per format; its name is the option's name.

A format is a module with

    ABOUT   one line for --help
    TAKES   "rows": any table or SELECT; "crawl": it knows itself what it wants of a crawl
    SIDECAR  True: the format has no place for what is said of the crawl, so that goes beside it
    write(source, files)   write, reading row by row; return how many records there were

Formats from elsewhere are found as entry points of the group `penstock.exports`.

May touch: a CrawlReader, the files it is given. Row by row: a million rows need no more memory
than a thousand. A library that an extra brings is imported when its format is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module, metadata
from pathlib import Path
from types import ModuleType
from typing import BinaryIO, Protocol

from penstock.crawler.errors import BadQuery
from penstock.storage.reading.crawl_reader import CrawlReader, QueryResult

GROUP = "penstock.exports"
# What to count for what is exported; beneath the views, where that is quick.
_COUNTED_BY = {
    "SELECT * FROM pages": "fetch",
    "SELECT * FROM urls": "url",
    "SELECT * FROM links": "link",
}


class ExportFiles(Protocol):
    """Where an export is written to."""

    @property
    def name(self) -> str:
        """The name of the main file, without its folder; "-" for standard output."""

    def main(self) -> BinaryIO: ...

    def part(self, name: str) -> BinaryIO:
        """One more file, beside the main one. Raises BadQuery on standard output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportSource:
    """A crawl opened for reading, at one moment, and what was asked of it."""

    reader: CrawlReader
    sql: str  # the rows that were chosen; of no concern to formats of a whole crawl
    about: Mapping[str, object]  # what is said of the crawl: see `penstock.storage.reading.provenance`
    advanced: Callable[[], None] = lambda: None  # called for every record

    def rows(self) -> QueryResult:
        return self.reader.select(self.sql)

    def expected(self) -> int | None:
        """How many rows there will be, where that costs little; None: nobody knows."""
        table = _COUNTED_BY.get(self.sql)
        if table is None:
            return None
        [(count,)] = self.reader.select(f"SELECT count(*) FROM {table}")
        return int(str(count))


def list_formats() -> list[str]:
    """The names of all formats, without loading any."""
    ours = {path.stem for path in Path(__file__).parent.glob("[a-z]*.py")}
    return sorted(ours | {point.name for point in metadata.entry_points(group=GROUP)})


def load_format(name: str) -> ModuleType:
    """The module of a format. Raises BadQuery: no such format, or its extra is not installed."""
    if (Path(__file__).parent / f"{name}.py").is_file() and name.isidentifier():
        return import_module(f"penstock.storage.exports.{name}")
    for point in metadata.entry_points(group=GROUP, name=name):
        module = point.load()
        if isinstance(module, ModuleType):
            return module
    raise BadQuery(f"there is no format {name!r}; there are {', '.join(list_formats())}")


def missing_extra(library: str, extra: str) -> BadQuery:
    return BadQuery(f"this needs {library}, which is not installed: pip install 'penstock-crawler[{extra}]'")
