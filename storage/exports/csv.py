"""CSV: a line per row, with a head; texts that a spreadsheet would take for formulas are quoted.

May touch: see the package.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from typing import BinaryIO

from penstock.crawler.output.safe_cells import LfLines, escape_csv_cell
from penstock.storage.exports import ExportFiles, ExportSource

ABOUT = "comma-separated values; what looks like a formula gets a ' in front"
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
    """Write a head and the rows as UTF-8; return how many rows there were."""
    add = csv.writer(LfLines(lambda line: out.write(line.encode()))).writerow
    add(map(escape_csv_cell, columns))
    count = 0
    for row in rows:
        add(map(escape_csv_cell, row))
        count += 1
        on_record()
    return count
