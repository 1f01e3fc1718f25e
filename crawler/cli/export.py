"""`export`: a crawl in the format of another program. The file is written completely or not at all.

May touch: the database, read-only; the file that was named, and the files beside it.

A format is a file in storage/exports/. The export is one snapshot of the crawl, which may be running.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from penstock.crawler.cli.open_database import add_database, add_force, binary_results, opened
from penstock.crawler.errors import BadQuery
from penstock.crawler.output.atomic_output import Stdout, check_target, open_output
from penstock.crawler.output.number_formats import format_duration, format_size, plural
from penstock.crawler.output.terminal import escape_control_chars, write_stderr

if TYPE_CHECKING:
    from penstock.storage.exports import ExportFormat, ExportSource

DESCRIPTION = """\
Write a crawl, or a part of it, in the format of another program. The crawl may be running.
"""
MORE = """\
formats of any rows:   csv, jsonl, parquet, xlsx
of the whole crawl:    edges, graphml, sitemap, warc

  %(prog)s parquet pages.parquet
  %(prog)s xlsx links.xlsx --table links
  %(prog)s csv values.csv --table extracted --bom
  %(prog)s jsonl - --sql "SELECT url, title FROM pages WHERE status = 200"

A row of extracted is a page, with a column for each name. For a row per value:
--sql "SELECT * FROM extracted".
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "form", metavar="FORMAT", help="one of the formats below, or one of an installed package"
    )
    parser.add_argument("file", metavar="FILE", help="written completely or not at all; - is standard output")
    parser.add_argument(
        "--table", metavar="NAME", help="pages, urls, links, extracted or a report (default: pages)"
    )
    parser.add_argument("--sql", metavar="SQL", help="export the rows of this SELECT instead of a table")
    parser.add_argument(
        "--bom", action="store_true", help="csv for a spreadsheet: with a byte order mark and CR LF"
    )
    parser.add_argument(
        "--meta", action="store_true", help="also write FILE.meta.json: who crawled what, when and how"
    )
    add_force(parser)
    add_database(parser)


def run(args: argparse.Namespace) -> int:
    """Write the file. Raises BadDatabase, BadQuery, and PenstockError if the disk fails."""
    from penstock.storage.exports import ExportSource, load_format
    from penstock.storage.reading.provenance import load_provenance
    from penstock.storage.reading.reports import REPORTS, build_report_query

    form = load_format(args.form)
    sql = form.select_rows(table=args.table, sql=args.sql)
    options = ("bom",) if args.bom else ()
    form.check_options(options)
    if args.file != "-":
        check_target(Path(args.file), replace=args.force)
    elif args.meta:
        raise BadQuery("--meta: no file can stand beside standard output: name a file")
    began = time.monotonic()
    notes: list[str] = []
    with opened(args) as reader, reader.snapshot() as connection:
        if args.table in REPORTS and (note := build_report_query(connection, args.table).note):
            write_stderr(f"penstock: note: {escape_control_chars(note)}")
        provenance = load_provenance(connection, sql=args.sql)
        source = ExportSource(
            reader=reader,
            sql=sql,
            table="" if args.sql else args.table or "pages",
            options=options,
            provenance=provenance,
            on_note=notes.append,
        )
        count, written = _write(args, form, source)
    for text in notes:
        write_stderr(f"penstock: note: {escape_control_chars(text)}")
    if args.file != "-":
        took = format_duration(time.monotonic() - began)
        write_stderr(
            escape_control_chars(f"{args.file}: {plural(count, 'record')}, {format_size(written)}, {took}")
        )
    return 0


def _write(args: argparse.Namespace, form: ExportFormat, source: ExportSource) -> tuple[int, int]:
    """Returns the records and the bytes that were written."""
    from penstock.crawler.cli.live.progress import progress_bar

    with progress_bar(args.form, source.expected_records()) as on_record:
        source = replace(source, on_record=on_record)
        if args.file == "-":
            # Not on a terminal: text from a site could contain control sequences.
            with binary_results(f"an export as {args.form}"):
                form.export(source, Stdout())
            return 0, 0  # also if the reader has left
        with open_output(Path(args.file), replace=args.force) as files:
            return form.export(source, files, described=args.meta), files.commit()
