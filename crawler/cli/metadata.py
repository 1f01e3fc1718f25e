"""`metadata`: descriptions and canned queries for Datasette, which opens a crawl's file as it is.

May touch: standard output.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from penstock.crawler.cli.open_database import add_database, results

DESCRIPTION = """\
Print metadata for Datasette: descriptions of tables and columns, and first queries.
"""
MORE = """\
  %(prog)s --db crawl.db > metadata.json
  datasette crawl.db --metadata metadata.json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_database(parser)


def run(args: argparse.Namespace) -> int:
    """Print JSON. The database need not exist yet."""
    import json

    from penstock.storage.reading.datasette_metadata import build_datasette_metadata

    with results() as out:
        out.write(json.dumps(build_datasette_metadata(Path(args.db).stem), indent=2) + "\n")
    return 0
