"""Open database: the flags, the reader and the results of the commands that read a crawl's file.

May touch: argparse, storage's reader, standard output and error.
Never: the network, or anything that writes to the database.

Standard output is for results alone. A reader that leaves early (`... | head`) is not an error:
the command ends as if everything had been read.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO, TextIO

from penstock.crawler.errors import BadQuery, PenstockError

if TYPE_CHECKING:
    from penstock.storage.reading.crawl_reader import CrawlReader

FORMATS = ("table", "csv", "json", "jsonl", "html", "parquet")


def add_database(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--db", default="crawl.db", metavar="PATH", help="the SQLite file of the crawl (default: crawl.db)"
    )


def add_format(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="table",
        help="table (default), csv, json (one array), jsonl (one object per line), html or parquet",
    )
    parser.add_argument(
        "--bom", action="store_true", help="csv for a spreadsheet: with a byte order mark and CR LF"
    )


def add_force(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--force", action="store_true", help="replace files that exist")


SHOWN_ROWS = 100  # of a table for a person, unless --limit says otherwise


def add_limit(parser: argparse.ArgumentParser, more: str = "") -> None:
    parser.add_argument(
        "--limit",
        type=row_limit,
        metavar="N",
        help=f"most rows to print; 0 = all{more} (default: {SHOWN_ROWS} as a table, all in other formats)",
    )


def limit_of(args: argparse.Namespace) -> int | None:
    """The most rows to print; None: all."""
    if args.limit is None:
        return SHOWN_ROWS if args.format == "table" else None
    return args.limit or None


def describe_rest(shown: int, total: int) -> str:
    """The line below a table that is not whole."""
    return f"penstock: note: {shown:,} of {total:,} rows; --limit 0 shows all"


def row_limit(text: str) -> int:
    """Parse the value of --limit."""
    if not (text.isascii() and text.isdigit()) or int(text) >= 2**63:
        raise argparse.ArgumentTypeError(f"must be a whole number, not {text!r}")
    return int(text)


def opened(args: argparse.Namespace) -> contextlib.AbstractContextManager[CrawlReader]:
    """Open the database that --db names. Raises BadDatabase."""
    return opened_file(args.db)


@contextlib.contextmanager
def opened_file(path: str) -> Iterator[CrawlReader]:
    """Open a database for reading. Raises BadDatabase."""
    from penstock.crawler.output.terminal import escape_control_chars, write_stderr
    from penstock.storage.reading.crawl_reader import open_reader  # SQLite and more: not for --help

    with open_reader(path) as reader:
        if reader.note:
            write_stderr(f"penstock: note: {escape_control_chars(reader.note)}")
        yield reader


@contextlib.contextmanager
def results() -> Iterator[TextIO]:
    """Standard output, flushed at the end, so that its errors are raised here."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # the locale may lack a title's characters
    try:
        yield sys.stdout
        sys.stdout.flush()
    except BrokenPipeError:
        _abandon_stdout()
    except OSError as error:
        _abandon_stdout()
        raise PenstockError(f"cannot write the result: {error.strerror or error}") from error


@contextlib.contextmanager
def binary_results(form: str) -> Iterator[BinaryIO]:
    """Standard output for binary data. Raises BadQuery if it is a terminal."""
    if sys.stdout.isatty():
        raise BadQuery(f"{form} cannot be shown on a terminal: redirect it to a file or a pipe")
    with results() as out:
        out.flush()
        yield out.buffer


def _abandon_stdout() -> None:
    """Discard the buffered output: else Python's last flush would fail again, with a message."""
    with contextlib.suppress(OSError, ValueError), open(os.devnull, "wb") as nothing:
        os.dup2(nothing.fileno(), sys.stdout.fileno())
