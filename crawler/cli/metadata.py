"""`metadata`: descriptions and canned queries for Datasette, which opens a crawl's file as it is.

May touch: standard output.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from penstock.crawler.cli.open_database import add_database, results

_MORE = """\
  metadata --db crawl.db > metadata.json
  datasette crawl.db --metadata metadata.json
"""


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    parser = subparsers.add_parser(
        "metadata",
        help="names, descriptions and canned queries for Datasette",
        description="Print the metadata with which Datasette shows a crawl: what tables and columns mean, "
        "and the first queries.",
        epilog=_MORE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_database(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print JSON. The file need not be there yet."""
    import json

    from penstock.storage.reading.datasette_metadata import build_datasette_metadata

    with results() as out:
        out.write(json.dumps(build_datasette_metadata(Path(args.db).stem), indent=2) + "\n")
    return 0
