"""Edges: the link graph as an edge list (source, tab, target), for networkx, Gephi and others.

May touch: see the package.
"""

from __future__ import annotations

import json

from penstock.storage.exports import ExportFiles, ExportSource

ABOUT = "the link graph as an edge list, tab between source and target"
TAKES = "crawl"

# In the order of the table: without sorting, the first line is written at once.
_LINKS = "SELECT source, target FROM links"


def write(source: ExportSource, files: ExportFiles) -> int:
    out, count = files.main(), 0
    # Programs that read edge lists skip lines with #. A canonical URL never begins with it, and contains
    # no blanks, tabs or line ends.
    out.write(f"# penstock {json.dumps(source.provenance)}\n# source\ttarget\n".encode())
    for here, there in source.reader.select(_LINKS):
        out.write(f"{here}\t{there}\n".encode())
        count += 1
        source.on_record()
    return count
