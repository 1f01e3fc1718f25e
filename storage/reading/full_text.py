"""Search: query the full-text index over the text of pages.

May touch: sqlite3 connections that others opened.

The index is FTS5 with external content: `page_text` holds the text, once, `page_index`
the words; triggers keep them together, so whoever writes a page's text has indexed it.
"""

from __future__ import annotations

import re
import sqlite3
from typing import NamedTuple

from penstock.crawler.config.option_checks import quote_value
from penstock.crawler.errors import BadQuery

MAX_QUERY = 500  # characters
MAX_WORDS = 16  # the work for a snippet grows with the square of their number
SNIPPET_WORDS = 24
OPEN, CLOSE, CUT = "[", "]", "..."  # around a word that was found; where the text goes on

_WORD = re.compile(r"\w+")
_HAS_INDEX = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'page_index')"
_HAS_BODIES = "SELECT EXISTS (SELECT 1 FROM body)"
# A word in the title tells ten times as much of a page as one in its text, one in a heading three times.
# Sorted by `rank`, FTS5 makes snippets of those rows only that are returned.
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
    """One page that was found."""

    score: float  # bm25, higher is better; it compares hits of one query only
    url: str
    title: str | None
    snippet: str  # on one line; the words that were found stand in brackets


def search(connection: sqlite3.Connection, query: str, *, limit: int) -> list[SearchHit]:
    """The best pages for an FTS5 query. Raises BadQuery if it is none, or if there is no index."""
    if not connection.execute(_HAS_INDEX).fetchone()[0]:
        raise BadQuery(_no_index(connection))
    if not query.strip():
        raise BadQuery("the query is empty: name some words")
    if len(query) > MAX_QUERY or len(_WORD.findall(query)) > MAX_WORDS:
        raise BadQuery(f"the query is too long: at most {MAX_WORDS} words and {MAX_QUERY} characters")
    try:
        rows = connection.execute(_SEARCH, {"query": query, "limit": limit}).fetchall()
    except (sqlite3.Error, UnicodeError) as error:
        if (problem := _mistake(error)) is None:
            raise
        hint = "put words with signs into double quotes, such as '\"c++\"'"
        raise BadQuery(f"{quote_value(query)} is no query for the index ({problem}): {hint}") from error
    return [SearchHit(score, url, title, " ".join(snippet.split())) for score, url, title, snippet in rows]


def _no_index(connection: sqlite3.Connection) -> str:
    if connection.execute(_HAS_BODIES).fetchone()[0]:
        return "this crawl has no search index: `reparse --search` builds it from the saved bodies"
    return "this crawl has no search index: crawl with --search, which keeps the text of pages"


def _mistake(error: Exception) -> str | None:
    """What is wrong with the query; None if the database is to blame."""
    if isinstance(error, UnicodeError):
        return "it is no valid text"
    message = " ".join(str(error).split())
    code = getattr(error, "sqlite_errorname", "SQLITE_ERROR")
    told = code == "SQLITE_ERROR" and re.match(
        r"fts5:|unterminated string|no such column|unknown special query|parse error|too many", message
    )
    return message.removeprefix("fts5: ") if told else None
