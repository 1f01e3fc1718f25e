"""`site`: an HTML report of a whole crawl, one file with the complete lists as CSV files beside it.

May touch: the database, read-only; the folder or file that was named.

The page needs no network and runs no script; see html/page.py. It shows one snapshot of the crawl,
which may be running.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from penstock.crawler.cli.open_database import add_database, add_force, opened
from penstock.crawler.errors import BadQuery, PenstockError
from penstock.crawler.output.number_formats import format_size, plural
from penstock.crawler.output.terminal import escape_control_chars, write_stderr

DESCRIPTION = """\
Write an HTML report of a crawl: numbers, charts and the first rows of every report, with all rows
as CSV files beside it. The crawl may be running.
"""
MORE = """\
  %(prog)s --db example.db
  %(prog)s report.html --db example.db
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "target",
        nargs="?",
        metavar="TARGET",
        help="FILE.html or a folder (default: the database's name with -site)",
    )
    add_force(parser)
    add_database(parser)


def run(args: argparse.Namespace) -> int:
    """Write the report. Raises BadDatabase, BadQuery, and PenstockError if the disk fails."""
    from penstock.crawler.cli.html.site_report import write_site
    from penstock.crawler.output.atomic_output import check_target, open_output
    from penstock.storage.reading.chart_data import load_chart_data
    from penstock.storage.reading.crawl_status import load_status
    from penstock.storage.reading.reports import build_report_query

    page, lists = _places(args.target or f"{Path(args.db).stem}-site")
    made = _make(page.parent, lists)
    try:
        check_target(page, replace=args.force)
        with (
            opened(args) as reader,
            reader.snapshot() as connection,
            open_output(page, replace=args.force) as files,
        ):
            found = load_status(connection, reader.path)
            drawn = load_chart_data(connection, found.last_activity)
            ask, beside = partial(build_report_query, connection), lists.relative_to(page.parent)
            reports = write_site(Path(args.db).name, found, drawn, ask, reader, files, beside)
            written = files.commit()
    except BaseException:
        _unmake(made)
        raise
    _unmake(made)  # the folder stays empty if no report has rows
    write_stderr(
        escape_control_chars(
            f"{page}: {plural(reports, 'report')} with rows, {format_size(written)} with their lists"
        )
    )
    return 0


def _places(target: str) -> tuple[Path, Path]:
    """The path of the page, and the folder of its lists."""
    path = Path(target)
    if path.suffix.lower() in (".html", ".htm"):
        return path, path.with_name(f"{path.stem}-reports")
    return path / "index.html", path


def _make(*folders: Path) -> list[Path]:
    """Create the missing folders; return them, the inner ones last."""
    made = []
    for folder in folders:
        if folder.is_dir():
            continue
        try:
            folder.mkdir()
        except FileNotFoundError:
            raise BadQuery(f"the folder of {folder} does not exist") from None
        except FileExistsError:
            raise BadQuery(f"{folder} is not a folder: choose another, or FILE.html") from None
        except OSError as error:
            raise PenstockError(f"cannot write {folder}: {error.strerror}") from error
        made.append(folder)
    return made


def _unmake(made: list[Path]) -> None:
    for folder in reversed(made):
        try:
            folder.rmdir()  # refused if anything is in it
        except OSError:
            return
