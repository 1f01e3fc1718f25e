"""Full text: query the full-text index over the text of pages.

May touch: sqlite3 connections that others opened.

The index is FTS5 with external content: `page_text` holds the text, once, and `page_index` holds the
words. Triggers update the index whenever a row of `page_text` is written.
"""

from __future__ import annotations

import re
import sqlite3
from typing import NamedTuple

from penstock.crawler.config.option_checks import quote_value
from penstock.crawler.errors import BadQuery

MAX_QUERY = 500  # characters
MAX_WORDS = 16  # of a query; the time for a snippet grows with the square of their number
SNIPPET_WORDS = 24
OPEN, CLOSE, CUT = "[", "]", "..."  # around a word that was found; where the text was cut

_WORD = re.compile(r"\w+")
_HAS_INDEX = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'page_index')"
_HAS_BODIES = "SELECT EXISTS (SELECT 1 FROM body)"
# A word in the title has ten times the weight of one in the text, one in a heading three times.
# Sorted by `rank`, FTS5 makes snippets only of the rows that are returned.
_SEARCH = f"""
    SELECT -page_index.rank AS score, url_text.url AS url,
           nullif(page_text.title, '') AS title,
           snippet(page_index, -1, '{OPEN}', '{CLOSE}', '{CUT}', {SNIPPET_WORDS}) AS snippet
    FROM page_index
    JOIN page_text ON page_text.url_id = page_index.rowid
    JOIN url_text ON url_text.id = page_index.rowid
    WHERE page_index MATCH :query AND page_index.rank MATCH 'bm25(10.0, 3.0, 1.0)'
    ORDER BY page_index.rank
    LIMIT :limit
"""
COLUMNS = ("score", "url", "title", "snippet")


class SearchHit(NamedTuple):
    """One page that matches."""

    score: float  # bm25, higher is better; comparable within one query only
    url: str
    title: str | None
    snippet: str  # on one line; the words that were found are in brackets


def search(connection: sqlite3.Connection, query: str, *, limit: int) -> list[SearchHit]:
    """The best pages for an FTS5 query. Raises BadQuery: it is no valid query, or there is no index."""
    if not connection.execute(_HAS_INDEX).fetchone()[0]:
        has_bodies = connection.execute(_HAS_BODIES).fetchone()[0]
        way_out = (
            "`reparse --search` builds it from the saved bodies" if has_bodies else "crawl with --search"
        )
        raise BadQuery(f"this crawl has no full-text index: {way_out}")
    if not query.strip():
        raise BadQuery("the query is empty: give some words")
    if len(query) > MAX_QUERY or len(_WORD.findall(query)) > MAX_WORDS:
        raise BadQuery(f"the query is too long: at most {MAX_WORDS} words and {MAX_QUERY} characters")
    try:
        rows = connection.execute(_SEARCH, {"query": query, "limit": limit}).fetchall()
    except (sqlite3.Error, UnicodeError) as error:
        if (problem := _explain_query_error(error)) is None:
            raise
        hint = "put words with punctuation into double quotes, such as '\"c++\"'"
        raise BadQuery(f"{quote_value(query)} is not a valid search query ({problem}): {hint}") from error
    return [SearchHit(score, url, title, " ".join(snippet.split())) for score, url, title, snippet in rows]


def _explain_query_error(error: Exception) -> str | None:
    """What is wrong with the query; None if the cause is the database."""
    if isinstance(error, UnicodeError):
        return "it is not valid text"
    message = " ".join(str(error).split())
    code = getattr(error, "sqlite_errorname", "SQLITE_ERROR")
    is_of_query = code == "SQLITE_ERROR" and re.match(
        r"fts5:|unterminated string|no such column|unknown special query|parse error|too many", message
    )
    return message.removeprefix("fts5: ") if is_of_query else None
