"""CSV: one line per row, with a header; texts that a spreadsheet would read as formulas are marked.

May touch: see the package.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from typing import BinaryIO

from penstock.crawler.output.safe_cells import LfLines, escape_csv_cell
from penstock.storage.exports import ExportFiles, ExportSource

ABOUT = "comma-separated values; a text that looks like a formula gets a leading '"
TAKES = "rows"
SIDECAR = True


def write(source: ExportSource, files: ExportFiles) -> int:
    rows = source.rows()
    return write_rows(rows.columns, rows, files.main(), source.on_record)


def write_rows(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    out: BinaryIO,
    on_record: Callable[[], None] = lambda: None,
) -> int:
    """Write a header and the rows as UTF-8; return the number of rows."""
    add = csv.writer(LfLines(lambda line: out.write(line.encode()))).writerow
    add(map(escape_csv_cell, columns))
    count = 0
    for row in rows:
        add(map(escape_csv_cell, row))
        count += 1
        on_record()
    return count
