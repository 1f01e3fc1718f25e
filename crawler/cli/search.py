"""`search`: pages by the words in them, the best first.

May touch: the database, read-only; standard output.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from penstock.crawler.cli.open_database import add_database, add_format, opened, results
from penstock.crawler.output.terminal import escape_control_chars

if TYPE_CHECKING:
    from penstock.storage.reading.full_text import SearchHit

_MORE = """\
words are found in any order; "in this order" in quotes; AND, OR, NOT and brackets; begin*
to find words that begin so; title: word, headings: word or text: word in that part alone

  search 'generated columns'
  search 'title: index AND NOT partial' --limit 3 --format json
"""
MOST = 1_000_000


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    parser = subparsers.add_parser(
        "search",
        help="pages by the words in them",
        description="Find pages by their words. The crawl, or a reparse, must have had --search.",
        epilog=_MORE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("query", metavar="QUERY", help="words, in FTS5's language")
    parser.add_argument("--limit", type=_limit, default=10, metavar="N", help="at most so many (default: 10)")
    add_database(parser)
    add_format(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the pages. Raises BadDatabase and BadQuery."""
    from penstock.crawler.cli.table_formats import show
    from penstock.storage.reading.full_text import COLUMNS, search

    with opened(args) as reader:
        with reader.snapshot() as connection:
            hits = search(connection, args.query, limit=args.limit)
        if args.format != "table":
            show(COLUMNS, hits, args.format)
            return 0
        with results() as out:
            for line in _lines(hits):
                out.write(escape_control_chars(line) + "\n")
    return 0


def _lines(hits: Sequence[SearchHit]) -> Iterator[str]:
    """A page in three lines: that reads better than a table with a text in it."""
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
