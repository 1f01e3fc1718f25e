"""`report`: a named question, answered from the database.

May touch: the database, read-only; standard output.

Each report but `inlinks` and `outlinks` is a view of the same name, so `query` and the
sqlite3 shell can go on from it.
"""

from __future__ import annotations

import argparse
from typing import Any

from penstock.crawler.cli.open_database import add_database, add_format, opened, row_limit
from penstock.crawler.errors import BadQuery

_MORE = """\
  report broken_links --format csv
  report slow_pages --limit 10
  report inlinks https://example.com/some/page
"""


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    parser = subparsers.add_parser(
        "report",
        help="a named report, such as broken_links",
        description="Print a named report. The crawl may be running. Each is also a view in the database.",
        epilog=_MORE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="which one; --list names them all")
    parser.add_argument("url", nargs="?", metavar="URL", help="of inlinks and outlinks: whose")
    parser.add_argument("--list", action="store_true", help="name all reports, and stop")
    parser.add_argument("--limit", type=row_limit, metavar="N", help="at most so many rows")
    add_database(parser)
    add_format(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the report, or the list of reports. Raises BadDatabase and BadQuery."""
    from penstock.crawler.cli.table_formats import show
    from penstock.crawler.output.terminal import escape_control_chars, write_stderr
    from penstock.storage.reading.reports import REPORTS, URL_REPORTS, build_report_query, describe_reports

    if args.list:
        listed = [
            (f"{name} URL" if name in URL_REPORTS else name, description.text)
            for name, description in describe_reports().items()
        ]
        show(("report", "what it shows"), listed, args.format)
        return 0
    if args.name is None:
        raise BadQuery(f"name a report: {', '.join((*REPORTS, *URL_REPORTS))}")
    with opened(args) as reader:
        with reader.snapshot() as connection:
            asked = build_report_query(connection, args.name, url=args.url, limit=args.limit)
        if asked.note:
            write_stderr(f"penstock: note: {escape_control_chars(asked.note)}")
        rows = reader.select(asked.sql, asked.parameters)
        show(rows.columns, rows, args.format, title=args.name)
    return 0
