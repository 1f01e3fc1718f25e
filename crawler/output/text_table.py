"""Text table: rows as lines of aligned columns, for a person.

May touch: nothing but what it writes to.
Never: a whole result in memory; a thousand rows are read ahead to choose the widths.

The texts come from the web. Escape sequences, bidi controls and line breaks in them are escaped.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import TextIO
from unicodedata import category, east_asian_width

from penstock.crawler.output.terminal import escape_control_chars

Row = Sequence[object]

SAMPLED_ROWS = 1000  # for the widths of a table's columns ...
SAMPLED_CHARS = 1_000_000  # ... or fewer, where the cells are huge
WIDEST = 120  # columns to which a cell is padded in a file; a longer cell is not cut
NARROWEST = 8  # columns of a terminal; with less room for a cell, each row becomes a block of lines
_GAP = "  "
# Blanks other than ASCII would be escaped as unprintable; in a table they are shown as blanks.
_BLANKS = dict.fromkeys((0xA0, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000), " ")


def write_table(columns: Sequence[str], rows: Iterable[Row], out: TextIO, room: int | None) -> None:
    """Write `rows` as they come, in lines of at most `room` columns; None: cells are not shortened."""
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
    """For more columns than fit on the terminal: a line per cell, an empty line after a row."""
    label = min(max(map(width, heads)), room // 3)
    for row in rows:
        for head, value in zip(heads, row, strict=True):
            name = shortened(head, label)
            cell = shortened(_text(value, room), max(room - label - len(_GAP), 1))
            out.write(f"{name}{' ' * (label - width(name))}{_GAP}{cell}".rstrip() + "\n")
        out.write("\n")


def _text(value: object, room: int | None) -> str:
    """A cell as escaped text on one line. `room` bounds the work on cells that will be cut."""
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
    """Shrink the widest columns until all fit into `room`; None if that leaves too little."""
    space = room - len(_GAP) * (len(natural) - 1)
    if sum(min(cells, NARROWEST) for cells in natural) > space:
        return None
    low, high = NARROWEST, max([NARROWEST, *natural])
    while low < high:  # the largest bound on a column with which all fit
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
    if text.startswith(("http://", "https://")):  # the end of a URL is more useful than its middle
        head = (room - 1) // 3
        return f"{text[:head]}…{text[len(text) - (room - 1 - head) :]}"
    kept, used = [], 0
    for character in text[: 4 * room]:  # combining marks have no width; a thousand on one letter are not text
        used += _cells(character)
        if used > room - 1:
            break
        kept.append(character)
    return "".join(kept) + "…"
