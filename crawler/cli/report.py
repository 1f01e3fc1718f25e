"""`report`: a named question, answered from the database.

May touch: the database, read-only; standard output.

Each report is a view of the same name, so `query` and the sqlite3 shell can go on from it.
"""

from __future__ import annotations

import argparse
from typing import Any

from crawler.cli.reading import add_database, add_format, opened
from crawler.errors import BadQuery


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    parser = subparsers.add_parser(
        "report",
        help="a named report, such as broken_links",
        description="Print a named report. Each is also a view in the database.",
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="which one; --list names them all")
    parser.add_argument("--list", action="store_true", help="name all reports, and stop")
    parser.add_argument("--limit", type=_limit, metavar="N", help="at most so many rows")
    add_database(parser)
    add_format(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the report, or the list of reports. Raises BadDatabase and BadQuery."""
    from crawler.cli.render import show
    from storage.reports import REPORTS

    if args.list:
        show(("report", "what it shows"), REPORTS.items(), args.format)
        return 0
    if args.name is None:
        raise BadQuery(f"name a report: {', '.join(REPORTS)}")
    if args.name not in REPORTS:
        raise BadQuery(f"there is no report {args.name!r}; there are {', '.join(REPORTS)}")
    with opened(args) as reader:
        # The name is one of ours, so it may stand in the SQL; -1 is SQLite's "no limit".
        rows = reader.select(f"SELECT * FROM {args.name} LIMIT ?", [-1 if args.limit is None else args.limit])
        show(rows.columns, rows, args.format)
    return 0


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) >= 2**63:
        raise argparse.ArgumentTypeError(f"must be a whole number, not {text!r}")
    return int(text)
