"""`query`: one SELECT on a crawl's database, also while the crawl is running.

May touch: the database, read-only; standard output.
"""

from __future__ import annotations

import argparse

from penstock.crawler.cli.open_database import add_database, add_format, opened

DESCRIPTION = """\
Run one SELECT on a crawl's database, read-only. The crawl may be running.
"""
MORE = """\
tables: pages, urls, links, extracted, structured, runs, robots, sitemaps, and every report
(report --list) by its name

  %(prog)s "SELECT url, title FROM pages WHERE status = 200 LIMIT 10"
  %(prog)s "SELECT state, reason, count(*) FROM urls GROUP BY 1, 2" --format csv
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("sql", metavar="SQL", help="one SELECT, in SQLite's dialect")
    add_database(parser)
    add_format(parser)


def run(args: argparse.Namespace) -> int:
    """Print the rows. Raises BadDatabase and BadQuery."""
    from penstock.crawler.cli.table_formats import show

    with opened(args) as reader:
        rows = reader.select(args.sql)
        show(rows.columns, rows, args.format, bom=args.bom)
    return 0
