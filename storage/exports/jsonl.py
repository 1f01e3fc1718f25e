"""JSON Lines: an object per row.

May touch: see the package.
"""

from __future__ import annotations

from penstock.crawler.output.safe_cells import json_object
from penstock.storage.exports import Files, Source

ABOUT = "a JSON object per line"
TAKES = "rows"
BESIDE = True


def write(source: Source, files: Files) -> int:
    rows, out, count = source.rows(), files.main(), 0
    line = json_object(rows.columns)
    for row in rows:
        out.write(line(row).encode() + b"\n")
        count += 1
        source.advanced()
    return count
