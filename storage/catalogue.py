"""Catalogue: what the tables and columns mean, as Datasette's metadata wants it.

May touch: the schema's files.

The meaning of a column stands once, beside it in the schema; this reads it from there. The
canned queries are those that people ask first, and that no report answers as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from storage.database import schema_files
from storage.reports import REPORTS

_TABLES: Mapping[str, str] = {
    "pages": "every URL that was requested, with its newest answer",
    "urls": "every http(s) URL ever discovered, and what became of it",
    "links": "one row per distinct source and target of stored pages",
    "runs": "one row per invocation of the crawl",
    "robots": "robots.txt of every origin that was asked",
    "sitemaps": "every sitemap that robots.txt, an index or the operator named",
}
QUERIES: Mapping[str, tuple[str, str]] = {
    "inlinks": (
        "What links to a URL, with the anchor text",
        "SELECT source, text, rel, followed FROM links WHERE target = :url ORDER BY source",
    ),
    "outlinks": (
        "What a page links to, and what became of it",
        "SELECT links.target, links.text, urls.state, urls.reason FROM links "
        "JOIN urls ON urls.url = links.target WHERE links.source = :url ORDER BY links.target",
    ),
    "titles": (
        "Pages whose title contains a text",
        "SELECT url, title, depth FROM pages WHERE title LIKE '%' || :text || '%' ORDER BY url",
    ),
    "reasons": (
        "How many URLs are in each state, for each reason",
        "SELECT state, reason, count(*) AS urls FROM urls GROUP BY state, reason ORDER BY urls DESC",
    ),
    "slow_types": (
        "Answer time by content type",
        "SELECT content_type, count(*) AS pages, round(avg(elapsed_ms)) AS average_ms, "
        "max(elapsed_ms) AS slowest_ms FROM pages WHERE status = 200 GROUP BY content_type ORDER BY 3 DESC",
    ),
}

_VIEW = re.compile(r"^CREATE (?:VIEW|TABLE) (\w+)\b(.*?);\s*$", re.MULTILINE | re.DOTALL)
# `expression AS name,   -- meaning`, or `name TYPE ..., -- meaning` in a table; one line only.
_COLUMN = re.compile(r"^ +(?:.*\bAS )?(\w+)(?: [A-Z][A-Z ]*)?,? +-- (.+)$", re.MULTILINE)


def datasette_metadata(database: str) -> dict[str, object]:
    """Metadata for Datasette 0.65; `database` is its name there: the file's, without its ending."""
    meanings = column_meanings()
    shown = {**_TABLES, **REPORTS}
    tables: dict[str, object] = {
        name: {"description": text, **({"columns": meanings[name]} if meanings.get(name) else {})}
        for name, text in shown.items()
    }
    # What is beneath the views; people should not begin there.
    tables.update({name: {"hidden": True} for name in meanings if name not in shown})
    queries = {name: {"title": title, "sql": sql} for name, (title, sql) in QUERIES.items()}
    return {
        "title": "A crawl by Penstock",
        "databases": {database: {"tables": tables, "queries": queries}},
    }


def column_meanings() -> dict[str, dict[str, str]]:
    """By table or view: what its columns mean, where the schema says so."""
    found: dict[str, dict[str, str]] = {}
    for _, file in schema_files():
        for name, body in _VIEW.findall(file.read_text("utf-8")):
            found[name] = dict(_COLUMN.findall(body.partition("\n")[2]))  # its first line is its own meaning
    return found
