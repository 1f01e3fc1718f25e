"""`search`: find pages by the words in them, best matches first.

May touch: the database, read-only; standard output.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from penstock.crawler.cli.open_database import add_database, add_format, opened, results
from penstock.crawler.output.terminal import escape_control_chars

if TYPE_CHECKING:
    from penstock.storage.reading.full_text import SearchHit

MOST = 1_000_000

DESCRIPTION = """\
Find pages by the words in them, best matches first. Needs a crawl or a reparse with --search.
"""
MORE = """\
words match in any order; "in this order" in quotes; AND, OR, NOT and brackets; begin* matches
words that begin so; title: word, headings: word or text: word looks in that part only

  %(prog)s 'generated columns'
  %(prog)s 'title: index AND NOT partial' --limit 3 --format json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("query", metavar="QUERY", help="words, in the query language of SQLite's FTS5")
    parser.add_argument(
        "--limit", type=_limit, default=10, metavar="N", help="maximum number of pages (default: 10)"
    )
    add_database(parser)
    add_format(parser)


def run(args: argparse.Namespace) -> int:
    """Print the pages. Raises BadDatabase and BadQuery."""
    from penstock.crawler.cli.table_formats import show
    from penstock.storage.reading.full_text import COLUMNS, search

    with opened(args) as reader:
        with reader.snapshot() as connection:
            hits = search(connection, args.query, limit=args.limit)
        if args.format != "table" or args.bom:
            show(COLUMNS, hits, args.format, bom=args.bom)
            return 0
        with results() as out:
            for line in _lines(hits):
                out.write(escape_control_chars(line) + "\n")
    return 0


def _lines(hits: Sequence[SearchHit]) -> Iterator[str]:
    """Three lines per page: a table with a text in it would be harder to read."""
    for number, hit in enumerate(hits, 1):
        yield f"{number:>3}  {hit.title or '(no title)'}"
        yield f"     {hit.url}"
        yield f"     {hit.snippet}"
    if not hits:
        yield "(no pages)"


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text[:20]) <= MOST:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 to {MOST}, not {text!r}")
    return int(text)
