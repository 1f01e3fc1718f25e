"""`export`: a crawl in the format of another program, in a file that appears whole.

May touch: the database, read-only; the file that was named, and what belongs beside it.

A format is a file in storage/exports/. What is exported is one moment of the crawl, which
may go on meanwhile.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from penstock.crawler.cli.open_database import add_database, binary_results, opened
from penstock.crawler.output.atomic_output import Stdout, check_target, open_output
from penstock.crawler.output.number_formats import format_duration, format_size, plural
from penstock.crawler.output.terminal import escape_control_chars, write_stderr

if TYPE_CHECKING:
    from penstock.storage.exports import ExportFormat, ExportSource

_MORE = """\
formats of any rows:   csv, jsonl, parquet
of the whole crawl:    edges, graphml, sitemap, warc

  export parquet pages.parquet
  export csv links.csv --table links
  export jsonl - --sql "SELECT url, title FROM pages WHERE status = 200"

csv and jsonl have no place for what is said of the crawl; it goes into FILE.meta.json.
"""


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    parser = subparsers.add_parser(
        "export",
        help="write the crawl, or a part of it, in another program's format",
        description="Write a crawl, or a part of it, in another program's format. The crawl may be running.",
        epilog=_MORE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("form", metavar="FORMAT", help="see below")
    parser.add_argument("file", metavar="FILE", help="written whole or not at all; - is standard output")
    parser.add_argument("--table", metavar="NAME", help="pages (default), urls, links, or any report")
    parser.add_argument("--sql", metavar="SQL", help="the rows of one SELECT")
    add_database(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the file. Raises BadDatabase, BadQuery, and PenstockError if the disk fails."""
    from penstock.storage.exports import ExportSource, load_format
    from penstock.storage.reading.provenance import load_provenance
    from penstock.storage.reading.reports import REPORTS, build_report_query

    form = load_format(args.form)
    sql = form.select_rows(table=args.table, sql=args.sql)
    if args.file != "-":
        check_target(Path(args.file))
    began = time.monotonic()
    with opened(args) as reader, reader.snapshot() as connection:
        if args.table in REPORTS and (note := build_report_query(connection, args.table).note):
            write_stderr(f"penstock: note: {escape_control_chars(note)}")
        provenance = load_provenance(connection, sql=args.sql)
        source = ExportSource(reader=reader, sql=sql, provenance=provenance)
        count, written = _write(args, form, source)
    if args.file != "-":
        took = format_duration(time.monotonic() - began)
        write_stderr(
            escape_control_chars(f"{args.file}: {plural(count, 'record')}, {format_size(written)}, {took}")
        )
    return 0


def _write(args: argparse.Namespace, form: ExportFormat, source: ExportSource) -> tuple[int, int]:
    """Returns the records and the bytes that were written."""
    from penstock.crawler.cli.live.progress_bar import advancing

    with advancing(args.form, source.expected_records()) as advanced:
        source = replace(source, on_record=advanced)
        if args.file == "-":
            # No format is for a terminal: what a site wrote could give it orders.
            with binary_results(f"an export as {args.form}"):
                form.export(source, Stdout())
            return 0, 0  # also for a reader that has left
        with open_output(Path(args.file)) as files:
            return form.export(source, files), files.commit()
