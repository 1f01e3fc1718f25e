"""`diff`: what changed from one crawl to another, and whether that is too much.

May touch: two databases, read-only; standard output for the rows, standard error for the counts.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from penstock.crawler.cli.open_database import add_format, opened_file, row_limit
from penstock.crawler.errors import BadQuery
from penstock.crawler.output.number_formats import format_count
from penstock.crawler.output.terminal import escape_control_chars, write_stderr

if TYPE_CHECKING:
    from penstock.storage.reading.crawl_diff import CrawlDiff, DiffCounts
    from penstock.storage.reading.crawl_reader import CrawlReader

CHECK_FAILED = 5  # exit code: a --fail-if is true

_MORE = """\
A row is a page that was added or is gone, or a field of a page that changed: status, title,
content_hash or canonical. Exit code 5 if any --fail-if is true:

  diff old.db new.db --fail-if "change = 'gone'"
  diff old.db new.db --fail-if "field = 'status' AND after >= 400" --fail-if broken_links
"""


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    parser = subparsers.add_parser(
        "diff",
        help="what changed from one crawl to another",
        description="Compare the pages of two crawls.",
        epilog=_MORE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("before", metavar="OLD", help="the database of the earlier crawl")
    parser.add_argument("after", metavar="NEW", help="the database of the later one")
    parser.add_argument(
        "--limit", type=row_limit, metavar="N", help="show at most so many rows; all are counted"
    )
    parser.add_argument(
        "--fail-if",
        action="append",
        default=[],
        metavar="CHECK",
        help="a condition in SQL that no row may meet, or a report that must be empty for NEW; repeatable",
    )
    add_format(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the rows and the counts. Raises BadDatabase and BadQuery."""
    from penstock.crawler.cli.live.progress_bar import advancing
    from penstock.crawler.cli.table_formats import show
    from penstock.storage.reading.crawl_diff import COLUMNS, compare_crawls

    with contextlib.ExitStack() as stack:
        before, after = (stack.enter_context(opened_file(path)) for path in (args.before, args.after))
        with advancing("pages", None) as advanced:
            found = stack.enter_context(compare_crawls(before, after, advanced))
        failures = _failures(args.fail_if, found, after)
        show(COLUMNS, found.rows(args.limit), args.format, title="diff")
        write_stderr(_counted(found.counts()))
    for failure in failures:
        write_stderr(escape_control_chars(f"penstock: --fail-if: {failure}"))
    return CHECK_FAILED if failures else 0


def _failures(checks: Sequence[str], found: CrawlDiff, after: CrawlReader) -> list[str]:
    """What each check that is true has met; all are tried before anything is printed."""
    from penstock.storage.reading.reports import REPORTS, build_report_query

    failures = []
    for check in checks:
        if check in REPORTS:
            with after.snapshot() as connection:
                asked = build_report_query(connection, check)
            rows = sum(1 for _ in after.select(asked.sql, asked.parameters))
        elif check.isidentifier():
            raise BadQuery(f"--fail-if: there is no report {check!r}; there are {', '.join(REPORTS)}")
        else:
            rows = found.any(check)
        if rows:
            failures.append(f"{check}: {format_count(rows)} {'row' if rows == 1 else 'rows'}")
    return failures


def _counted(counts: DiffCounts) -> str:
    kinds = ", ".join(f"{format_count(number)} {kind}" for kind, number in counts.kinds.items())
    fields = ", ".join(f"{field} {format_count(number)}" for field, number in counts.fields.items())
    return f"{kinds} ({fields})"
