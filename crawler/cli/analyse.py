"""`analyse`: PageRank, words and like texts, worked out and kept in the database.

May touch: the database; it is the one command beside `crawl` that writes to it.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from penstock.crawler.cli.open_database import add_database
from penstock.crawler.output.number_formats import format_count, plural
from penstock.crawler.output.terminal import write_stderr

_MORE = """\
The reports top_pages, near_duplicates and (for words) thin_pages rest on it. Texts are read
from the bodies that --save-bodies kept. A crawl that is running keeps the file for itself:
analyse when it has ended, and again when it went on.
"""


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    parser = subparsers.add_parser(
        "analyse",
        help="work out PageRank, words and like texts, for the reports that need them",
        description="Work out what takes the whole crawl: PageRank, words per page, texts that are alike.",
        epilog=_MORE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_database(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Analyse, and say what was done. Raises BadDatabase, also while a crawl is running."""
    import asyncio

    from penstock.crawler.cli.live.progress_bar import advancing
    from penstock.stages.extractors.text.visible_text import visible_text
    from penstock.stages.http.mime import parse_mime
    from penstock.storage.jobs.analysis import analyse

    def text_of(body: bytes, content_type: str | None) -> str:
        return visible_text(body, parse_mime(content_type).charset)

    with advancing("texts", None) as advanced:
        found = asyncio.run(analyse(Path(args.db), text_of, advanced))
    write_stderr(
        f"ranked {plural(found.urls, 'URL')} by {plural(found.links, 'link')} in {found.rounds} rounds, "
        f"to a change of {found.change:.1e}; read {format_count(found.texts)} saved texts"
    )
    return 0
