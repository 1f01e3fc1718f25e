"""`query`: one SELECT on a crawl's database, also while the crawl is running.

May touch: the database, read-only; standard output.
"""

from __future__ import annotations

import argparse
from typing import Any

from penstock.crawler.cli.open_database import add_database, add_format, opened

_MORE = """\
tables: pages, urls, links, extracted, structured, runs, robots, and each report (report --list) by its name

  query "SELECT url, title FROM pages WHERE status = 200 LIMIT 10"
  query "SELECT state, reason, count(*) FROM urls GROUP BY 1, 2" --format csv
"""


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    parser = subparsers.add_parser(
        "query",
        help="ask the database in SQL",
        description="Run one SELECT on a crawl's database, read-only.",
        epilog=_MORE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("sql", metavar="SQL", help="one SELECT, in SQLite's SQL")
    add_database(parser)
    add_format(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the rows. Raises BadDatabase and BadQuery."""
    from penstock.crawler.cli.table_formats import show

    with opened(args) as reader:
        rows = reader.select(args.sql)
        show(rows.columns, rows, args.format)
    return 0
