"""Catalogue: describe tables and columns in the format of Datasette's metadata.

May touch: the schema's files.

The meaning of a column is the comment beside it in the schema. The canned queries are those that
people ask first and that no report answers.
"""

from __future__ import annotations

from collections.abc import Mapping

from penstock.storage.database.schema_texts import describe_schema
from penstock.storage.reading.reports import REPORTS, TABLES

QUERIES: Mapping[str, tuple[str, str]] = {
    "inlinks": (
        "What links to a URL, with the anchor text",
        "SELECT source, text, rel, followed FROM links WHERE target = :url ORDER BY source",
    ),
    "outlinks": (
        "What a page links to, with the state of the targets",
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


def build_datasette_metadata(database: str) -> dict[str, object]:
    """Metadata for Datasette 0.65. `database` is its name there: the file name without its suffix."""
    descriptions = describe_schema()
    tables: dict[str, object] = {
        name: {
            "description": descriptions[name].text,
            "columns": {column: text for column, text in descriptions[name].columns.items() if text},
        }
        for name in (*TABLES, *REPORTS)
    }
    # The tables beneath the views: not where people should begin.
    tables.update({name: {"hidden": True} for name in descriptions if name not in tables})
    queries = {name: {"title": title, "sql": sql} for name, (title, sql) in QUERIES.items()}
    return {
        "title": "A crawl by Penstock",
        "databases": {database: {"tables": tables, "queries": queries}},
    }
