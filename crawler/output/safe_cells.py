"""Safe cells: database values in CSV and JSON.

May touch: nothing. Pure values in, plain values out; does not raise.

The texts come from the web. In CSV none may be read as a formula; in JSON none may contain
unescaped control characters.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence

# Spreadsheets read a cell that begins so as a formula (OWASP, CSV Injection), full-width forms too.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
# No text needs these. A terminal on which the file is shown may execute them, and NUL breaks
# many readers of CSV.
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
# JSON escapes C0 controls only. Terminals also react to DEL and C1, bidi controls and line separators.
_UNESCAPED = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


BOM = "\ufeff"  # at the begin of a CSV file: it is UTF-8
LIST_SEPARATOR = "; "  # between the values of a list, in formats whose cells hold one value


def join_list(values: Sequence[object]) -> str:
    return LIST_SEPARATOR.join(map(str, values))


def escape_csv_cell(value: object) -> object:
    if isinstance(value, list):
        value = join_list(value)
    if isinstance(value, str):
        text = f"'{value}" if value.startswith(_FORMULA_STARTS) else value
        if text.isprintable():  # nearly always, and far cheaper than the pattern
            return text
        return _CONTROLS.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
    return value.hex() if isinstance(value, bytes) else value


def json_row_encoder(
    columns: Sequence[str], *, ascii_only: bool = False
) -> Callable[[Sequence[object]], str]:
    """Return a function that encodes a row as one line of JSON, without line end."""
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
    # SQLite has infinity, JSON has not.
    return None if isinstance(value, float) and not math.isfinite(value) else value


def make_unique(columns: Sequence[str]) -> list[str]:
    """Make column names unique, as a JSON object needs: a second `url` becomes `url_2`."""
    names: list[str] = []
    for column in columns:
        name, count = column, 1
        while name in names:
            count += 1
            name = f"{column}_{count}"
        names.append(name)
    return names


class LfLines:
    """A text stream for the csv module that ends lines with LF. The module itself must write CRLF:
    only then it quotes a carriage return in a value. `crlf` leaves them."""

    def __init__(self, write: Callable[[str], object], *, crlf: bool = False) -> None:
        self._write = write
        self._end = "\r\n" if crlf else "\n"

    def write(self, line: str) -> None:
        self._write(line.removesuffix("\r\n") + self._end)
