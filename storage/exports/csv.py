"""CSV: one line per row, with a header (RFC 4180); texts that look like formulas are marked.

Lines end with LF, as programs and shells expect. With `bom` the file is for a spreadsheet: it begins with a
byte order mark, without which Excel takes UTF-8 for the local code page, and lines end with CR LF. A list
is one cell, its values separated by "; ".

May touch: see the package.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from typing import BinaryIO

from penstock.crawler.output.safe_cells import BOM, LfLines, escape_csv_cell
from penstock.storage.exports import ExportFiles, ExportSource

ABOUT = "comma-separated values; a text that looks like a formula gets a leading '"
TAKES = "rows"
OPTIONS = ("bom",)


def write(source: ExportSource, files: ExportFiles) -> int:
    rows = source.rows()
    return write_rows(rows.columns, rows, files.main(), source.on_record, bom="bom" in source.options)


def write_rows(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    out: BinaryIO,
    on_record: Callable[[], None] = lambda: None,
    *,
    bom: bool = False,
) -> int:
    """Write a header and the rows as UTF-8; return the number of rows."""
    if bom:
        out.write(BOM.encode())
    lines = LfLines(lambda line: out.write(line.encode()), crlf=bom)
    add = csv.writer(lines).writerow
    add(map(escape_csv_cell, columns))
    count = 0
    for row in rows:
        add(map(escape_csv_cell, row))
        count += 1
        on_record()
    return count
