"""`report`: a named report, from the database.

May touch: the database, read-only; standard output.

Each report except `inlinks` and `outlinks` is a view of the same name, for `query` and the sqlite3
shell.
"""

from __future__ import annotations

import argparse

from penstock.crawler.cli.open_database import add_database, add_format, opened, row_limit
from penstock.crawler.errors import BadQuery

DESCRIPTION = """\
Print a named report. The crawl may be running. Each report is also a view in the database.
"""
MORE = """\
  %(prog)s --list
  %(prog)s broken_links --format csv
  %(prog)s slow_pages --limit 10
  %(prog)s inlinks https://example.com/some/page
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME", help="name of a report; --list shows all")
    parser.add_argument("url", nargs="?", metavar="URL", help="for inlinks and outlinks: the page")
    parser.add_argument("--list", action="store_true", help="list all reports, and exit")
    parser.add_argument("--limit", type=row_limit, metavar="N", help="most rows to print (default: all)")
    add_database(parser)
    add_format(parser)


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
        show(("report", "what it shows"), listed, args.format, bom=args.bom)
        return 0
    if args.name is None:
        raise BadQuery(f"name a report: {', '.join((*REPORTS, *URL_REPORTS))}")
    with opened(args) as reader:
        with reader.snapshot() as connection:
            asked = build_report_query(connection, args.name, url=args.url, limit=args.limit)
        if asked.note:
            write_stderr(f"penstock: note: {escape_control_chars(asked.note)}")
        rows = reader.select(asked.sql, asked.parameters)
        show(rows.columns, rows, args.format, bom=args.bom, title=args.name)
    return 0
