"""Cells: a value of the database as CSV and JSON have it.

May touch: nothing. Pure values in, plain values out; does not raise.

The texts come from the web. In a CSV file none may be taken for a formula; in JSON none may
carry raw what a terminal obeys.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence

# A spreadsheet takes a cell that begins so for a formula (OWASP, CSV Injection), wide forms too.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
# No text has a use for these; a terminal that the file is shown on may obey them, and NUL ends
# many a reader of CSV.
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
# JSON escapes C0 controls only. The others that a terminal obeys: DEL and C1, bidi controls, line ends.
_UNESCAPED = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def escape_csv_cell(value: object) -> object:
    if isinstance(value, str):
        text = f"'{value}" if value.startswith(_FORMULA_STARTS) else value
        if text.isprintable():  # nearly always, and far cheaper than the pattern
            return text
        return _CONTROLS.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
    return value.hex() if isinstance(value, bytes) else value


def json_row_encoder(
    columns: Sequence[str], *, ascii_only: bool = False
) -> Callable[[Sequence[object]], str]:
    """A function that writes a row as one line of JSON, without its line end."""
    names = make_unique(columns)
    encode = json.JSONEncoder(ensure_ascii=ascii_only).encode

    def line(row: Sequence[object]) -> str:
        text = encode(dict(zip(names, map(_json_value, row), strict=True)))
        if text.isascii() and "\x7f" not in text:  # nearly always, and far cheaper than the pattern
            return text
        return _UNESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)

    return line


def _json_value(value: object) -> object:
    if isinstance(value, bytes):
        return value.hex()
    # SQLite knows infinity, JSON does not.
    return None if isinstance(value, float) and not math.isfinite(value) else value


def make_unique(columns: Sequence[str]) -> list[str]:
    """An object has each name once; of two columns `url` the second becomes `url_2`."""
    names: list[str] = []
    for column in columns:
        name, count = column, 1
        while name in names:
            count += 1
            name = f"{column}_{count}"
        names.append(name)
    return names


class LfLines:
    """A text stream for the csv module, which quotes a carriage return only if its own lines
    end in one; ours end in LF."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write

    def write(self, line: str) -> None:
        self._write(line.removesuffix("\r\n") + "\n")
