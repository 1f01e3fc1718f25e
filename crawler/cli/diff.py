"""`diff`: the pages, values and resources that differ between two crawls, and checks of them.

May touch: two databases, read-only; standard output for the rows, standard error for the counts.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from penstock.crawler.cli.open_database import (
    add_format,
    add_limit,
    describe_rest,
    limit_of,
    opened_file,
)
from penstock.crawler.errors import BadQuery, close_match
from penstock.crawler.output.number_formats import format_count, plural
from penstock.crawler.output.terminal import escape_control_chars, write_stderr

if TYPE_CHECKING:
    from penstock.storage.reading.crawl_diff import CrawlDiff
    from penstock.storage.reading.crawl_reader import CrawlReader

CHECK_FAILED = 5  # exit code: a --fail-if is true

DESCRIPTION = """\
Compare the pages, the extracted values and the resources of two crawls.
"""
MORE = """\
A row is one change:
  added, gone, changed     a page; or its status, title, content_hash or canonical
  value_added, ..._gone, ..._changed
                           what a rule or a plugin took from a page of both crawls; the field is
                           its name. Several values are a JSON array
  resource_added, ..._gone, ..._changed
                           a resource, its status, content_type or error; if both crawls had --resources

The exit code is 0, also if the crawls differ, or 5 if any --fail-if is true:

  %(prog)s old.db new.db --fail-if "change = 'gone'"
  %(prog)s old.db new.db --fail-if "field = 'status' AND after >= 400" --fail-if broken_links
  %(prog)s old.db new.db --fail-if "field = 'price' AND after > before * 2"
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("before", metavar="OLD", help="the database of the earlier crawl")
    parser.add_argument("after", metavar="NEW", help="the database of the later crawl")
    add_limit(parser, "; all are counted")
    parser.add_argument(
        "--fail-if",
        action="append",
        default=[],
        metavar="CHECK",
        help="fail if this SQL condition is true for any row, or if this report has rows for NEW; repeatable",
    )
    add_format(parser)


def run(args: argparse.Namespace) -> int:
    """Print the rows and the counts. Raises BadDatabase and BadQuery."""
    from penstock.crawler.cli.live.progress import progress_bar
    from penstock.crawler.cli.table_formats import show
    from penstock.storage.reading.crawl_diff import COLUMNS, asked_for_resources, compare_crawls

    with contextlib.ExitStack() as stack:
        before, after = (stack.enter_context(opened_file(path)) for path in (args.before, args.after))
        for path, reader in ((args.before, before), (args.after, after)):
            if pending := _pending(reader):
                text = f"{path} is not complete: {plural(pending, 'URL')} pending, counted as absent"
                write_stderr(f"penstock: note: {escape_control_chars(text)}")
        if asked_for_resources(before) != asked_for_resources(after):
            write_stderr("penstock: note: resources are not compared: one of the crawls had no --resources")
        with progress_bar("pages", None) as on_record:
            found = stack.enter_context(compare_crawls(before, after, on_record))
        failures = _failures(args.fail_if, found, after)
        show(COLUMNS, found.rows(limit_of(args)), args.format, bom=args.bom, title="diff")
        counts, limit = found.counts(), limit_of(args)
        if args.limit is None and limit is not None and counts.rows > limit:
            write_stderr(describe_rest(limit, counts.rows))
        kinds = _described(counts.kinds)
        fields = ", ".join(f"{field} {format_count(number)}" for field, number in counts.fields.items())
        rest = "".join(
            f"; {what}: {_described(numbers)}"
            for what, numbers in (("values", counts.values), ("resources", counts.resources))
            if any(numbers.values())
        )
        write_stderr(f"{kinds} ({fields}){rest}")
    for failure in failures:
        write_stderr(escape_control_chars(f"penstock: --fail-if: {failure}"))
    return CHECK_FAILED if failures else 0


def _described(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{format_count(number)} {kind}" for kind, number in numbers.items())


def _pending(reader: CrawlReader) -> int:
    [(count,)] = reader.select("SELECT count(*) FROM urls WHERE state = 'pending'")
    return int(str(count))


def _failures(checks: Sequence[str], found: CrawlDiff, after: CrawlReader) -> list[str]:
    """The checks that are true, with their number of rows; all are run before anything is printed."""
    from penstock.storage.reading.reports import REPORTS, build_report_query

    failures = []
    for check in checks:
        if check in REPORTS:
            with after.snapshot() as connection:
                asked = build_report_query(connection, check)
            rows = sum(1 for _ in after.select(asked.sql, asked.parameters))
        elif check.isidentifier():
            rest = close_match(check, REPORTS) or f"; the reports are {', '.join(REPORTS)}"
            raise BadQuery(f"--fail-if: no report is named {check!r}{rest}")
        else:
            rows = found.count_where(check)
        if rows:
            failures.append(f"{check}: {format_count(rows)} {'row' if rows == 1 else 'rows'}")
    return failures
