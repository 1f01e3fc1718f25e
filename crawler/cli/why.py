"""`why`: what became of one URL, and how the crawl came to it.

May touch: the database, read-only; standard output.
"""

from __future__ import annotations

import argparse
from typing import Any

from penstock.crawler.cli.open_database import add_database, opened, results


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    parser = subparsers.add_parser(
        "why",
        help="what became of a URL, and why",
        description="Tell a URL's state, the reason, and the path of links from a seed to it.",
    )
    parser.add_argument("url", metavar="URL", help="absolute, in any spelling")
    add_database(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the explanation. Raises BadDatabase and BadQuery."""
    from penstock.crawler.library.url_explanation import UrlExplanation
    from penstock.storage.reading.explanation import explain_url

    with opened(args) as reader:
        with reader.snapshot() as connection:
            explanation = UrlExplanation(explain_url(connection, args.url))
        with results() as out:
            out.writelines(f"{line}\n" for line in explanation.lines())
    return 0
