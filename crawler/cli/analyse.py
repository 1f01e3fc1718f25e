"""`analyse`: compute PageRank, word counts and near duplicates, and store them in the database.

May touch: the database, for writing.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from penstock.crawler.cli.open_database import add_database
from penstock.crawler.output.number_formats import format_count, plural
from penstock.crawler.output.terminal import write_stderr

DESCRIPTION = """\
Compute what needs the whole crawl: PageRank, word counts, and near duplicates of texts.
"""
MORE = """\
The reports top_pages, near_duplicates and thin_pages use the results. Texts are read from the
bodies that --save-bodies stored. Run it when the crawl has ended, and again after a further run.

  %(prog)s --db example.db
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_database(parser)


def run(args: argparse.Namespace) -> int:
    """Analyse, and print the counts. Raises BadDatabase, also while a crawl is running."""
    import asyncio

    from penstock.crawler.cli.live.progress import progress_bar
    from penstock.stages.extractors.text.visible_text import visible_text
    from penstock.stages.http.mime import extract_mime
    from penstock.storage.jobs.analysis import analyse

    def text_of(body: bytes, content_type: str | None) -> str:
        return visible_text(body, extract_mime([content_type or ""]).charset)

    with progress_bar("texts", None) as on_record:
        found = asyncio.run(analyse(Path(args.db), text_of, on_record))
    write_stderr(
        f"ranked {plural(found.urls, 'URL')} by {plural(found.links, 'link')} in {found.rounds} rounds, "
        f"to a change of {found.change:.1e}; read {format_count(found.texts)} saved texts"
    )
    return 0
