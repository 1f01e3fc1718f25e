"""Full text: query the full-text index over the text of pages.

May touch: sqlite3 connections that others opened.

The index is FTS5 with external content: `page_text` holds the text, once, and `page_index` holds the
words, as `storage.database.search_words` parts them.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from typing import NamedTuple

from penstock.crawler.config.option_checks import quote_value
from penstock.crawler.errors import BadQuery
from penstock.storage.database.search_words import (
    GAP,
    TOKENIZER,
    fold,
    has_unparted,
    index_query,
    is_current,
    part_words,
)

MAX_QUERY = 500  # characters
MAX_WORDS = 16  # of a query; the time for a snippet grows with the square of their number
SNIPPET_WORDS = 24
SNIPPET_CHARS = 48  # in scripts that part no words
OPEN, CLOSE, CUT = "[", "]", "..."  # around a word that was found; where the text was cut

_WORD = re.compile(r"\w+")
_HAS_INDEX = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'page_index')"
_INDEX = "SELECT sql FROM sqlite_schema WHERE name = 'page_index'"
_HAS_BODIES = "SELECT EXISTS (SELECT 1 FROM body)"
# A word in the title has ten times the weight of one in the text, one in a heading three times.
# Sorted by `rank`, FTS5 makes snippets only of the rows that are returned.
_SEARCH = """
    SELECT -page_index.rank AS score, url_text.url, page_text.title, page_text.headings, page_text.text
    FROM page_index
    JOIN page_text ON page_text.url_id = page_index.rowid
    JOIN url_text ON url_text.id = page_index.rowid
    WHERE page_index MATCH :query AND page_index.rank MATCH 'bm25(10.0, 3.0, 1.0)'
    ORDER BY page_index.rank
    LIMIT :limit
"""
# Snippets are made by an index in memory over one page at a time, whose content is the text as it is
# shown. The crawl's own index has other words for some scripts (search_words), so it cannot make them.
_MAKE_SHOWN = f"""
    CREATE TABLE shown (id INTEGER PRIMARY KEY, title TEXT, headings TEXT, text TEXT);
    CREATE VIRTUAL TABLE words USING fts5 (
        title, headings, text, content = shown, content_rowid = id, tokenize = '{TOKENIZER}'
    );
"""
_SHOW = "INSERT OR REPLACE INTO shown VALUES (1, ?, ?, ?)"
_ADD_WORDS = "INSERT INTO words (rowid, title, headings, text) VALUES (1, ?, ?, ?)"
_REMOVE_WORDS = "INSERT INTO words (words, rowid, title, headings, text) VALUES ('delete', 1, ?, ?, ?)"
_SNIPPET = f"SELECT snippet(words, -1, '{OPEN}', '{CLOSE}', '{CUT}', ?) FROM words WHERE words MATCH ?"
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
    [(index,)] = connection.execute(_INDEX)
    if not is_current(index) and not query.isascii():
        raise BadQuery(
            "this crawl's full-text index is of an older version, to which a sentence of some scripts is one "
            "word: run its crawl again with --search, which renews the index without fetching a page again"
        )
    words = index_query(query)
    try:
        rows = connection.execute(_SEARCH, {"query": words, "limit": limit}).fetchall()
    except (sqlite3.Error, UnicodeError) as error:
        if (problem := _explain_query_error(error)) is None:
            raise
        hint = "put words with punctuation into double quotes, such as '\"c++\"'"
        raise BadQuery(f"{quote_value(query)} is not a valid search query ({problem}): {hint}") from error
    length = SNIPPET_CHARS if has_unparted(query) else SNIPPET_WORDS
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as memory:
        memory.executescript(_MAKE_SHOWN)
        return [
            SearchHit(score, url, title or None, _snippet(memory, words, length, (title, headings, text)))
            for score, url, title, headings, text in rows
        ]


def _snippet(memory: sqlite3.Connection, query: str, length: int, texts: tuple[str, str, str]) -> str:
    shown = [part_words(text) for text in texts]
    memory.execute(_SHOW, shown)
    words = [fold(text) for text in shown]
    memory.execute(_ADD_WORDS, words)
    found = memory.execute(_SNIPPET, (length, query)).fetchone()
    memory.execute(_REMOVE_WORDS, words)
    # Neighbours that were found are one word to a reader.
    text = found[0].replace(GAP, "").replace(CLOSE + OPEN, "") if found is not None else ""
    return " ".join(text.split())


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
