"""XLSX: a workbook for Excel, LibreOffice and others, written row by row.

May touch: xlsxwriter (the extra `xlsx`); see the package.

Nothing from the web is a formula or a link: every text is written as a text, one that begins with = too.
The limits of the format (Microsoft, "Excel specifications and limits"): 1,048,576 rows of a sheet, so more
rows go on in further sheets; 32,767 characters of a cell, so a longer text is cut, and that is said; 15
digits of a number, so a longer whole number is a text. Times are Excel's, in UTC. A list is one cell, its
values separated by "; ".
"""

from __future__ import annotations

import math
import re
import shutil
import tempfile
from collections.abc import Sequence
from datetime import datetime
from itertools import chain, islice
from pathlib import Path
from typing import Any

from penstock.crawler.errors import BadQuery, PenstockError
from penstock.crawler.output.safe_cells import join_list, make_unique
from penstock.storage.exports import ExportFiles, ExportSource, missing_extra

try:
    import xlsxwriter
    from xlsxwriter.exceptions import FileCreateError
except ImportError as error:
    raise missing_extra("XlsxWriter", "xlsx") from error

ABOUT = "an Excel workbook; over 1,048,575 rows need several sheets"
TAKES = "rows"

MAX_ROWS = 1_048_576  # of a sheet, the header included
MAX_COLUMNS = 16_384
MAX_CHARS = 32_767  # of a cell, in UTF-16 units
_MOST_EXACT = 10**15  # Excel keeps 15 digits
_MOMENTS = ("fetched_at", "retry_at", "started_at", "finished_at", "checked_at")
_CUT = "..."
_SAMPLED_ROWS = 200  # for the widths of the columns
_WIDEST = 70  # characters of a column
# XML 1.0 has no way to write these. Excel has one for control characters, but shows them as boxes or not
# at all, and other programs show its escape sequences.
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def write(source: ExportSource, files: ExportFiles) -> int:
    """Raises BadQuery for more columns than a sheet can have."""
    rows = source.rows()
    columns = make_unique(rows.columns)
    if len(columns) > MAX_COLUMNS:
        raise BadQuery(f"a sheet has at most {MAX_COLUMNS:,} columns, and this has {len(columns):,}")
    name = (source.table or "rows")[:25]
    count = 0
    # The sheets are temporary files until the workbook is put together. That is one too: the library
    # prints a traceback of its own if it cannot write to its end, as to a pipe whose reader left.
    out = files.main()
    with tempfile.TemporaryDirectory(prefix="penstock-xlsx-") as folder:
        whole = Path(folder, "whole.xlsx")
        book = _Workbook(whole, folder, name, columns)
        remaining = iter(rows)
        sample = list(islice(remaining, _SAMPLED_ROWS))
        book.set_widths(sample)
        for row in chain(sample, remaining):
            book.add(row)
            count += 1
            source.on_record()
        try:
            book.close()
        except FileCreateError as error:
            raise PenstockError(f"cannot write temporary files: {error}") from error
        with whole.open("rb") as file:
            shutil.copyfileobj(file, out, 1 << 20)
    if book.cut:
        cells = "1 text was" if book.cut == 1 else f"{book.cut:,} texts were"
        source.on_note(f"{cells} cut to {MAX_CHARS:,} characters, the most that a cell can hold")
    return count


class _Workbook:
    """A workbook of one table, which goes on in further sheets."""

    def __init__(self, path: Path, folder: str, name: str, columns: Sequence[str]) -> None:
        self._book = xlsxwriter.Workbook(str(path), {"constant_memory": True, "tmpdir": folder})
        self._book.use_zip64()
        self._bold = self._book.add_format({"bold": True})
        self._moment = self._book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        # What begins like a formula stays a text when a person edits the cell.
        self._quoted = self._book.add_format({"quote_prefix": True})
        self._name = name
        self._columns = columns
        self._moments = {at for at, column in enumerate(columns) if column in _MOMENTS}
        self._widths: list[int] = []
        self._sheets = 0
        self._at = MAX_ROWS
        self._sheet: Any = None
        self.cut = 0

    def set_widths(self, sample: Sequence[Sequence[object]]) -> None:
        for at, column in enumerate(self._columns):
            longest = max((len(_shown(row[at])) for row in sample), default=0)
            self._widths.append(min(max(longest, len(column)) + 2, _WIDEST))

    def add(self, row: Sequence[object]) -> None:
        if self._at >= MAX_ROWS:
            self._begin_sheet()
        for at, value in enumerate(row):
            if value is not None:
                self._add_cell(at, value)
        self._at += 1

    def close(self) -> None:
        if not self._sheets:
            self._begin_sheet()
        self._book.close()

    def _begin_sheet(self) -> None:
        self._sheets += 1
        name = self._name if self._sheets == 1 else f"{self._name} {self._sheets}"
        self._sheet = self._book.add_worksheet(name)
        self._sheet.freeze_panes(1, 0)
        for at, width in enumerate(self._widths):
            self._sheet.set_column(at, at, width)
        self._at = 0
        for at, column in enumerate(self._columns):
            self._sheet.write_string(0, at, self._text(column), self._bold)
        self._at = 1

    def _add_cell(self, at: int, value: object) -> None:
        if _is_number(value):
            self._sheet.write_number(self._at, at, value)
        elif at in self._moments and (moment := _moment(value)) is not None:
            self._sheet.write_datetime(self._at, at, moment, self._moment)
        else:
            text = self._text(_shown(value))
            is_like_formula = text.startswith(("=", "+", "-", "@"))
            self._sheet.write_string(self._at, at, text, self._quoted if is_like_formula else None)

    def _text(self, text: str) -> str:
        text = _NO_XML.sub("\ufffd", text)
        if len(text) > MAX_CHARS // 2 and len(text.encode("utf-16-le")) // 2 > MAX_CHARS:
            whole = text.encode("utf-16-le")[: 2 * (MAX_CHARS - len(_CUT))]
            text = whole.decode("utf-16-le", "ignore") + _CUT
            self.cut += 1
        # In this mode the library writes a text of this form as markup, without escaping it. A blank at
        # its end, or in the place of its end where the library would cut a further character off, helps.
        if text.startswith("<r>") and text.endswith("</r>"):
            return f"{text[:-1] if len(text) > MAX_CHARS // 2 else text} "
        return text


def _is_number(value: object) -> bool:
    """True if a cell can hold the number as it is."""
    if isinstance(value, int):
        return abs(value) < _MOST_EXACT
    return isinstance(value, float) and math.isfinite(value)


def _shown(value: object) -> str:
    if isinstance(value, bytes):
        return value.hex()
    return join_list(value) if isinstance(value, list) else str(value)


def _moment(value: object) -> datetime | None:
    """A time of ours without its time zone, which Excel does not have: it is UTC."""
    try:
        return datetime.fromisoformat(str(value)).replace(tzinfo=None)
    except ValueError:
        return None
