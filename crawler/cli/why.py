"""`why`: the state of one URL, its reason, and the path by which the crawl found it.

May touch: the database, read-only; standard output.
"""

from __future__ import annotations

import argparse

from penstock.crawler.cli.open_database import add_database, opened, results

DESCRIPTION = """\
Explain one URL: its state, the reason, and the path of links from a seed to it.
"""
MORE = """\
  %(prog)s https://example.com/some/page
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("url", metavar="URL", help="an absolute URL, in any spelling")
    add_database(parser)


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
