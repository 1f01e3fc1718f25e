"""Crawl file: a crawl's database, opened by a program for reading. The crawl may be running.

May touch: storage's reader, reports and export formats. Never: write to the database.

    with penstock.open("crawl.db") as crawl:
        crawl.report("broken_links")
        crawl.query("SELECT url, title FROM pages WHERE status = ?", [200]).to_dicts()
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import cast

from penstock.crawler.errors import PenstockError
from penstock.crawler.library.events import StoredPage
from penstock.crawler.library.table import Table, as_table
from penstock.crawler.library.url_explanation import UrlExplanation
from penstock.crawler.messages import Link
from penstock.crawler.output.atomic_output import check_target, open_output
from penstock.crawler.plugs import given_plugs
from penstock.crawler.ports import Totals
from penstock.crawler.run_result import Report
from penstock.storage.exports import ExportSource, load_format
from penstock.storage.reading.crawl_reader import CrawlReader, open_reader
from penstock.storage.reading.crawl_status import CrawlStatus, load_status, load_totals
from penstock.storage.reading.explanation import explain_url
from penstock.storage.reading.page_details import SELECT_PAGES, load_links, load_values
from penstock.storage.reading.provenance import load_provenance
from penstock.storage.reading.reports import build_report_query, describe_reports


def open_crawl(path: str | Path = "crawl.db", *, exports: Mapping[str, object] | None = None) -> CrawlFile:
    """Open a crawl's file for reading: `penstock.open("crawl.db")`. The crawl may be running.

    `exports` are export formats by name, beside the built-in and installed ones.
    Raises BadDatabase: there is no such file, it is no crawl, damaged, or of a newer version.
    """
    return CrawlFile(open_reader(path), exports=exports)


class CrawlFile:
    """A crawl's database, opened read-only. Made by `penstock.open`; a context manager.

    Use it in the thread that opened it. Its methods raise BadQuery for a wrong query, report or URL, and
    BadDatabase if the file is damaged.
    """

    def __init__(self, reader: CrawlReader, *, exports: Mapping[str, object] | None = None) -> None:
        self.path = reader.path
        self.result: Report | None = None  # of the run, where `penstock.crawl` made this object
        self._reader = reader
        self._exports = given_plugs("exports", exports)

    def __enter__(self) -> CrawlFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. A second call does nothing."""
        self._reader.close()

    def query(self, sql: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> Table:
        """Run one SELECT and return all its rows. `parameters` stand for `?` or `:name` in it.

        For millions of rows, `rows` reads them one by one.
        """
        result = self._reader.select(sql, parameters)
        return Table(result.columns, list(result))

    def rows(
        self, sql: str, parameters: Sequence[object] | Mapping[str, object] = ()
    ) -> Iterator[tuple[object, ...]]:
        """Run one SELECT and yield its rows one by one. Read them promptly if the crawl is running."""
        return iter(self._reader.select(sql, parameters))

    def report(self, name: str, url: str | None = None, *, limit: int | None = None) -> Table:
        """Return a named report, such as `broken_links`; `inlinks` and `outlinks` need a `url`.

        `reports()` lists the names. Raises BadQuery for a report that this crawl cannot answer yet.
        """
        with self._reader.snapshot() as connection:
            query = build_report_query(connection, name, url=url, limit=limit)
            result = self._reader.select(query.sql, query.parameters)
            return Table(result.columns, list(result), query.note)

    def reports(self) -> Table:
        """List the names of all reports, and what each one shows."""
        return Table(("report", "about"), [(name, text) for name, (text, _) in describe_reports().items()])

    def why(self, url: str) -> UrlExplanation:
        """Explain the state of a URL: its reason, its answer and the path of links from a seed to it.

        Printed, the explanation is what the command `why` shows. Raises BadQuery for an unknown URL.
        """
        with self._reader.snapshot() as connection:
            return UrlExplanation(explain_url(connection, url))

    def pages(self, *, failures: bool = False, redirects: bool = False) -> Iterator[StoredPage]:
        """Yield the stored pages one by one, in the order in which they are on disk.

        With `failures` also URLs that were given up (`page.error`), with `redirects` also redirects
        (`page.redirect_to`). `page.links` and `page.values` are read from the file when they are used.
        """
        for row in self.rows(SELECT_PAGES, {"failures": failures, "redirects": redirects}):
            yield self._page(*row)

    def totals(self) -> Totals:
        """Count URLs by state, pages, requests and bytes, over all runs of the crawl."""
        with self._reader.snapshot() as connection:
            return load_totals(connection)

    def status(self) -> CrawlStatus:
        """Read how far the crawl is: seeds, counts, reasons and runs, all of one moment."""
        with self._reader.snapshot() as connection:
            return load_status(connection, self.path)

    def export(self, form: str, file: str | Path, *, table: str | None = None, sql: str | None = None) -> int:
        """Write the crawl, a `table` or the rows of an `sql` query in an export format; return the records.

        The file appears whole or not at all, and replaces one of its name. Raises BadConfig for an unknown
        format, BadQuery for rows that it cannot take or a library that is not installed.
        """
        chosen = load_format(form, self._exports)
        select = chosen.select_rows(table=table, sql=sql)
        check_target(Path(file), replace=True)
        with self._reader.snapshot() as connection:
            provenance = load_provenance(connection, sql=sql)
            source = ExportSource(
                reader=self._reader, sql=select, table="" if sql else table or "pages", provenance=provenance
            )
            with open_output(Path(file), replace=True) as files:
                count = chosen.export(source, files)
                files.commit()
        return count

    def __repr__(self) -> str:
        try:
            states = self.totals().states
        except (PenstockError, ValueError) as error:  # closed, or damaged meanwhile
            return f"<CrawlFile {self.path}: {error}>"
        return (
            f"<CrawlFile {self.path}: {', '.join(f'{count:,} {state}' for state, count in states.items())}>"
        )

    def _repr_html_(self) -> str:
        totals = self.totals()
        facts = {"file": str(self.path), "pages": totals.pages, "requests": totals.requests}
        return as_table(facts | dict(totals.states))._repr_html_()

    def _page(self, *row: object) -> StoredPage:
        url = str(row[0])
        values = dict(zip(_PAGE_COLUMNS, row, strict=True))
        fetched_at = values.pop("fetched_at")
        return StoredPage(
            **values,  # type: ignore[arg-type]
            fetched_at=datetime.fromisoformat(fetched_at) if isinstance(fetched_at, str) else None,
            _links=partial(self._links, url),
            _values=partial(self._values, url),
        )

    def _links(self, url: str) -> Sequence[Link]:
        with self._reader.snapshot() as connection:
            return load_links(connection, url)

    def _values(self, url: str) -> Mapping[str, Sequence[object]]:
        with self._reader.snapshot() as connection:
            return cast("Mapping[str, Sequence[object]]", load_values(connection, url))


_PAGE_COLUMNS = (
    "url", "status", "depth", "title", "content_type", "body_bytes", "elapsed_ms", "fetched_at",
    "content_hash", "redirect_to", "error",
)  # fmt: skip
