"""JSON Lines: one object per row.

May touch: see the package.
"""

from __future__ import annotations

from penstock.crawler.output.safe_cells import json_row_encoder
from penstock.storage.exports import ExportFiles, ExportSource

ABOUT = "one JSON object per line"
TAKES = "rows"


def write(source: ExportSource, files: ExportFiles) -> int:
    rows, out, count = source.rows(), files.main(), 0
    line = json_row_encoder(rows.columns)
    for row in rows:
        out.write(line(row).encode() + b"\n")
        count += 1
        source.on_record()
    return count
