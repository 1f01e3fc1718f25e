"""Render: rows on standard output, as a table, CSV, JSON, HTML or Parquet.

May touch: standard output.
Never: a whole result in memory; a table looks ahead a thousand rows, for its widths.

The texts come from the web. On a terminal none of them may be obeyed (escape
sequences), hidden or turned round (bidi controls) or break a line; in a CSV file none may
be taken for a formula, and control characters are escaped there too. Only a terminal gets
its cells shortened: a file gets all of them.
"""

from __future__ import annotations

import csv
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import TextIO
from unicodedata import category, east_asian_width

from penstock.crawler.cli.open_database import binary_results, results
from penstock.crawler.output.safe_cells import LfLines, escape_csv_cell, json_row_encoder
from penstock.crawler.output.terminal import escape_control_chars

Row = Sequence[object]

SAMPLED_ROWS = 1000  # for the widths of a table's columns ...
SAMPLED_CHARS = 1_000_000  # ... or fewer, where the cells are huge
WIDEST = 120  # cells that a column is filled up to in a file; a longer cell is whole, and out of line
NARROWEST = 8  # cells of a terminal; where a column would get less, each row becomes a block
_GAP = "  "
# Blanks that are no ASCII would be escaped as unprintable; in a table they are blanks.
_BLANKS = dict.fromkeys((0xA0, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000), " ")


def show(columns: Sequence[str], rows: Iterable[Row], form: str, *, title: str = "query") -> None:
    """Print `rows` in the format `form`, as they come. A reader that leaves ends it in silence."""
    if form == "parquet":
        _parquet(columns, rows)
        return
    with results() as out:
        if form == "csv":
            _csv(columns, rows, out)
        elif form == "jsonl":
            _jsonl(columns, rows, out)
        elif form == "json":
            _json(columns, rows, out)
        elif form == "html":
            from penstock.crawler.cli.html.page import write_page

            write_page(title, columns, rows, out)
        else:
            _table(columns, rows, out)


# -- for programs


def _csv(columns: Sequence[str], rows: Iterable[Row], out: TextIO) -> None:
    write = csv.writer(LfLines(out.write)).writerow
    cell = _csv_cell_shown if out.isatty() else escape_csv_cell
    write([cell(column) for column in columns])
    for row in rows:
        write([cell(value) for value in row])


def _csv_cell_shown(value: object) -> object:
    cell = escape_csv_cell(value)
    return escape_control_chars(cell) if isinstance(cell, str) else cell


def _parquet(columns: Sequence[str], rows: Iterable[Row]) -> None:
    from penstock.storage.exports.parquet import write_rows  # pyarrow is slow to load, and an extra

    with binary_results("parquet") as out:
        write_rows(columns, rows, out, {})


def _jsonl(columns: Sequence[str], rows: Iterable[Row], out: TextIO) -> None:
    for line in _objects(columns, rows, out):
        out.write(line + "\n")


def _json(columns: Sequence[str], rows: Iterable[Row], out: TextIO) -> None:
    lead = "[\n"
    for line in _objects(columns, rows, out):
        out.write(lead + line)
        lead = ",\n"
    out.write("[]\n" if lead == "[\n" else "\n]\n")


def _objects(columns: Sequence[str], rows: Iterable[Row], out: TextIO) -> Iterator[str]:
    ascii_only = (out.encoding or "utf-8").lower().replace("-", "") != "utf8"
    return map(json_row_encoder(columns, ascii_only=ascii_only), rows)


# -- for a person


def _table(columns: Sequence[str], rows: Iterable[Row], out: TextIO) -> None:
    room = shutil.get_terminal_size().columns if out.isatty() else None
    rows = iter(rows)
    sample = _sample(rows)
    heads = [_text(column, room) for column in columns]
    natural = [
        max(width(head), max((width(_text(row[i], room)) for row in sample), default=0))
        for i, head in enumerate(heads)
    ]
    widths = [min(cells, WIDEST) for cells in natural] if room is None else fitting(natural, room)
    if widths is None:
        _blocks(heads, chain(sample, rows), out, room or sys.maxsize)
        return
    numeric = [_is_numeric(row[i] for row in sample) for i in range(len(heads))]
    line = _liner(widths, numeric, cut=room is not None)
    out.write(line(heads))
    out.write(_GAP.join("-" * cells for cells in widths) + "\n")
    for row in chain(sample, rows):
        out.write(line([_text(value, room) for value in row]))
    if not sample:
        out.write("(no rows)\n")


def _sample(rows: Iterator[Row]) -> list[Row]:
    sample, chars = [], 0
    for row in islice(rows, SAMPLED_ROWS):
        sample.append(row)
        chars += sum(len(value) for value in row if isinstance(value, str | bytes))
        if chars >= SAMPLED_CHARS:
            break
    return sample


def _liner(widths: Sequence[int], numeric: Sequence[bool], *, cut: bool) -> Callable[[Sequence[str]], str]:
    def line(cells: Sequence[str]) -> str:
        padded = []
        for cell, room, right in zip(cells, widths, numeric, strict=True):
            shown = shortened(cell, room) if cut else cell
            blank = " " * (room - width(shown))
            padded.append(blank + shown if right else shown + blank)
        return _GAP.join(padded).rstrip() + "\n"

    return line


def _blocks(heads: Sequence[str], rows: Iterable[Row], out: TextIO, room: int) -> None:
    """More columns than the terminal has room for: a line per cell, an empty line after a row."""
    label = min(max(map(width, heads)), room // 3)
    for row in rows:
        for head, value in zip(heads, row, strict=True):
            name = shortened(head, label)
            cell = shortened(_text(value, room), max(room - label - len(_GAP), 1))
            out.write(f"{name}{' ' * (label - width(name))}{_GAP}{cell}".rstrip() + "\n")
        out.write("\n")


def _text(value: object, room: int | None) -> str:
    """A cell, harmless and on one line. `room` bounds the work on cells that are cut anyway."""
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value[:room].hex()
    if not isinstance(value, str):
        return str(value)
    return escape_control_chars(value[: room and 4 * room].translate(_BLANKS))


def _is_numeric(values: Iterable[object]) -> bool:
    known = [value for value in values if value is not None]
    return bool(known) and all(isinstance(value, int | float) for value in known)


def fitting(natural: Sequence[int], room: int) -> list[int] | None:
    """Take from the widest columns until all fit into `room` cells; None if that leaves too little."""
    space = room - len(_GAP) * (len(natural) - 1)
    if sum(min(cells, NARROWEST) for cells in natural) > space:
        return None
    low, high = NARROWEST, max([NARROWEST, *natural])
    while low < high:  # the largest bound on a column with which all of them fit
        middle = (low + high + 1) // 2
        if sum(min(cells, middle) for cells in natural) <= space:
            low = middle
        else:
            high = middle - 1
    widths = [min(cells, low) for cells in natural]
    spare = space - sum(widths)
    for i, cells in enumerate(natural):
        more = min(cells - widths[i], spare)
        widths[i] += more
        spare -= more
    return widths


def width(text: str) -> int:
    """The cells that printable text takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum(_cells(character) for character in text)


def _cells(character: str) -> int:
    if category(character) in ("Mn", "Me"):
        return 0
    return 2 if east_asian_width(character) in "WF" else 1


def shortened(text: str, room: int) -> str:
    """Cut `text` to `room` cells, with an ellipsis where something is missing."""
    if width(text) <= room and len(text) <= 4 * room:
        return text
    if text.startswith(("http://", "https://")):  # its end tells more than its middle
        head = (room - 1) // 3
        return f"{text[:head]}…{text[len(text) - (room - 1 - head) :]}"
    kept, used = [], 0
    for character in text[: 4 * room]:  # marks take no room; a thousand on one letter are no text
        used += _cells(character)
        if used > room - 1:
            break
        kept.append(character)
    return "".join(kept) + "…"
