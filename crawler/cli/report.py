"""`report`: a named report, from the database.

May touch: the database, read-only; standard output.

Each report except `inlinks` and `outlinks` is a view of the same name, for `query` and the sqlite3
shell. `broken_links` is printed by target, as the view `broken_targets` has it: the view of its own
name has a row for each link, and a link in a footer is on every page.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from penstock.crawler.cli.open_database import (
    add_database,
    add_format,
    add_limit,
    describe_rest,
    limit_of,
    opened,
)
from penstock.crawler.errors import BadQuery

DESCRIPTION = """\
Print a named report. The crawl may be running. Each report is also a view in the database.
"""
MORE = """\
  %(prog)s --list
  %(prog)s broken_links --format csv
  %(prog)s slow_pages --limit 10
  %(prog)s inlinks https://example.com/some/page

broken_links has one row per target, as the view broken_targets. One row per link:
query "SELECT * FROM broken_links".
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME", help="name of a report; --list shows all")
    parser.add_argument("url", nargs="?", metavar="URL", help="for inlinks and outlinks: the page")
    parser.add_argument("--list", action="store_true", help="list all reports, and exit")
    add_limit(parser)
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
    if args.url is not None and args.name in REPORTS and Path(args.url).is_file():
        raise BadQuery(f"report {args.name} takes no URL (did you mean --db {args.url}?)")
    with opened(args) as reader:
        with reader.snapshot() as connection:
            limit = limit_of(args)
            asked = build_report_query(connection, args.name, url=args.url, limit=limit, grouped=True)
            total = asked.count(connection) if limit is not None else 0
        if asked.note:
            write_stderr(f"penstock: note: {escape_control_chars(asked.note)}")
        rows = reader.select(asked.sql, asked.parameters)
        show(rows.columns, rows, args.format, bom=args.bom, title=args.name)
        if limit is not None and total > limit:
            write_stderr(describe_rest(limit, total))
    return 0
