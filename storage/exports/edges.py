"""Edges: the link graph as a list, for networkx, Gephi and the like: source, a tab, target.

May touch: see the package.
"""

from __future__ import annotations

import json

from penstock.storage.exports import ExportFiles, ExportSource

ABOUT = "the link graph as an edge list, tab between source and target"
TAKES = "crawl"
SIDECAR = False

# In the order of the table: no sorting, so the first line comes at once.
_LINKS = "SELECT source, target FROM links"


def write(source: ExportSource, files: ExportFiles) -> int:
    out, count = files.main(), 0
    # A comment to the programs that read edge lists; a canonical URL never begins with it, and
    # has neither blanks nor tabs nor line ends in it.
    out.write(f"# penstock {json.dumps(source.provenance)}\n# source\ttarget\n".encode())
    for here, there in source.reader.select(_LINKS):
        out.write(f"{here}\t{there}\n".encode())
        count += 1
        source.on_record()
    return count
