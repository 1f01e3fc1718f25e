"""GraphML: the link graph with facts about its URLs, for Gephi, yEd, networkx.

May touch: see the package.

The nodes are all sources and targets of links; the edges are all links. The id of a node must be an
XML name token, so it is a number, and the URL is data of the node.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape, quoteattr

from penstock.storage.exports import ExportFiles, ExportSource

ABOUT = "the link graph in XML, with status, depth and title of the nodes"
TAKES = "crawl"

_NODES = """
    SELECT url.id, url_text.url,
           (SELECT status FROM last_fetch WHERE last_fetch.url_id = url.id),
           nullif(url.depth, 1 << 30),
           CASE url.state WHEN 2 THEN 'done' WHEN 3 THEN 'failed' WHEN 4 THEN 'skipped' ELSE 'pending' END,
           (SELECT title FROM last_fetch WHERE last_fetch.url_id = url.id)
    FROM url JOIN url_text ON url_text.id = url.id
    WHERE EXISTS (SELECT 1 FROM link WHERE link.source = url.id)
       OR EXISTS (SELECT 1 FROM link WHERE link.target = url.id)
"""
_EDGES = """
    SELECT link.source, link.target, phrase.text, link.followed
    FROM link LEFT JOIN phrase ON phrase.id = link.text_id
"""
_OF_NODES: Mapping[str, str] = {
    "url": "string",
    "status": "int",
    "depth": "int",
    "state": "string",
    "title": "string",
}
_OF_EDGES: Mapping[str, str] = {"text": "string", "followed": "boolean"}
# XML 1.0 cannot express these characters, escaped or not.
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def write(source: ExportSource, files: ExportFiles) -> int:
    out, count = files.main(), 0
    out.write(_head(source.provenance).encode())
    for number, *facts in source.reader.select(_NODES):
        out.write(f'<node id="n{number}">{_data(_OF_NODES, facts)}</node>\n'.encode())
        count += 1
        source.on_record()
    for here, there, text, followed in source.reader.select(_EDGES):
        data = _data(_OF_EDGES, (text, "true" if followed else "false"))
        out.write(f'<edge source="n{here}" target="n{there}">{data}</edge>\n'.encode())
        count += 1
        source.on_record()
    out.write(b"</graph>\n</graphml>\n")
    return count


def _head(about: Mapping[str, object]) -> str:
    keys = [
        f'<key id="{name}" for="{of}" attr.name="{name}" attr.type="{kind}"/>'
        for of, names in (("node", _OF_NODES), ("edge", _OF_EDGES))
        for name, kind in names.items()
    ]
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">',
            f"<desc>{escape(_replace_invalid(json.dumps(about)))}</desc>",
            *keys,
            '<graph id="links" edgedefault="directed">\n',
        ]
    )


def _data(names: Mapping[str, str], values: Sequence[object]) -> str:
    return "".join(
        f"<data key={quoteattr(name)}>{escape(_replace_invalid(str(value)))}</data>"
        for name, value in zip(names, values, strict=True)
        if value is not None
    )


def _replace_invalid(text: str) -> str:
    return _NO_XML.sub("\ufffd", text)
