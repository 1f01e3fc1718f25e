"""Page details: the rows of `pages`, and what belongs to one of them, for a program that reads a crawl.

May touch: sqlite3 connections that others opened.
Never: write.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from penstock.crawler.messages import Link
from penstock.storage.reading.explanation import find_url
from penstock.storage.reading.reports import build_report_query

SELECT_PAGES = """
    SELECT url, status, depth, title, content_type, body_bytes, elapsed_ms, fetched_at, content_hash,
           redirect_to, error
    FROM pages
    WHERE (:failures OR error IS NULL) AND (:redirects OR redirect_to IS NULL)
"""
_VALUES = """
    SELECT phrase.text, extraction.value
    FROM extraction JOIN phrase ON phrase.id = extraction.name_id
    WHERE extraction.url_id = :id
        AND extraction.generation = (SELECT max(generation) FROM extraction WHERE url_id = :id)
    ORDER BY extraction.name_id, extraction.position
"""


def load_links(connection: sqlite3.Connection, url: str) -> Sequence[Link]:
    """The distinct links of a stored page, sorted by target."""
    query = build_report_query(connection, "outlinks", url=url)
    rows = connection.execute(query.sql, query.parameters)
    return [Link(target, text, rel, bool(followed)) for target, text, rel, followed, *_ in rows]


def load_values(connection: sqlite3.Connection, url: str) -> dict[str, list[object]]:
    """The values that rules and plugins took from a page, by name."""
    _, number = find_url(connection, url)
    found: dict[str, list[object]] = {}
    for name, value in connection.execute(_VALUES, {"id": number}):
        found.setdefault(name, []).append(value)
    return found
