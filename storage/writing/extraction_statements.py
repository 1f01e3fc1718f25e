"""Extraction statements: the SQL about what was gathered from pages. No logic, like `statements`.

May touch: nothing. Each can be pasted into a shell; parameters are named.
"""

from __future__ import annotations

ADD_EXTRACTION = """
    INSERT OR IGNORE INTO extraction (url_id, generation, name_id, position, value) VALUES (?, ?, ?, ?, ?)
"""
ADD_STRUCTURED = """
    INSERT OR IGNORE INTO structured_item (url_id, generation, kind_id, position, data, error)
    VALUES (?, ?, ?, ?, ?, ?)
"""
ADD_ERROR = """
    INSERT OR IGNORE INTO mishap (url_id, generation, position, source_id, error) VALUES (?, ?, ?, ?, ?)
"""
# Behind the errors that a page has already.
ADD_ERROR_BEHIND = """
    INSERT INTO mishap (url_id, generation, position, source_id, error)
    SELECT ?1, ?2, coalesce(max(position) + 1, 0) + 0 * ?3, ?4, ?5
    FROM mishap WHERE url_id = ?1 AND generation = ?2
"""
COUNT_SOURCE = """
    INSERT INTO extraction_source (source_id, generation, pages, taken, failed) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (source_id, generation) DO UPDATE
    SET pages = pages + excluded.pages, taken = taken + excluded.taken, failed = failed + excluded.failed
"""
ADD_SOURCE_NAME = "INSERT OR IGNORE INTO extraction_name (source_id, name_id) VALUES (?, ?)"
FORGET_SOURCE_COUNTS = "DELETE FROM extraction_source WHERE source_id = ?"
FIND_SOURCES = "SELECT source, pages, taken, failed FROM extraction_sources"
FIND_SOURCE_NAMES = """
    SELECT name_id FROM extraction_name WHERE source_id IN (SELECT value FROM json_each(:sources))
"""
FORGET_EXTRACTIONS = """
    DELETE FROM extraction
    WHERE url_id = ? AND generation = ? AND name_id IN (SELECT value FROM json_each(?))
"""
FORGET_STRUCTURED = "DELETE FROM structured_item WHERE url_id = ? AND generation = ?"
FORGET_ERRORS = """
    DELETE FROM mishap
    WHERE url_id = ? AND generation = ? AND source_id IN (SELECT value FROM json_each(?))
"""
SAVE_TEXT = "INSERT OR REPLACE INTO page_text (url_id, title, headings, text) VALUES (?, ?, ?, ?)"
FIND_TEXTS = """
    SELECT url_id, title, headings, text FROM page_text WHERE url_id IN (SELECT value FROM json_each(?))
"""
NEXT_TEXTS = """
    SELECT url_id, title, headings, text FROM page_text WHERE url_id > ? ORDER BY url_id LIMIT 200
"""
# The index takes words that were parted (search_words), so no trigger can write it. Words are removed
# with the same text that they were added with.
ADD_WORDS = "INSERT INTO page_index (rowid, title, headings, text) VALUES (?, ?, ?, ?)"
REMOVE_WORDS = """
    INSERT INTO page_index (page_index, rowid, title, headings, text) VALUES ('delete', ?, ?, ?, ?)
"""
# The keys and sizes of the next bodies; LOAD_BODY loads one of them.
NEXT_BODIES = """
    SELECT body.url_id, body.generation, fetch.body_bytes
    FROM body JOIN fetch ON fetch.url_id = body.url_id AND fetch.generation = body.generation
    JOIN phrase ON phrase.id = fetch.type_id
    WHERE (body.url_id, body.generation) > (:url, :generation)
      AND fetch.status BETWEEN 200 AND 299 AND fetch.error IS NULL
      AND phrase.text IN ('text/html', 'application/xhtml+xml')
    ORDER BY body.url_id, body.generation LIMIT :limit
"""
LOAD_BODY = """
    SELECT url.secure, host.name, url.path, body.body, body.headers, fetch.fetched_at,
           body.generation = (SELECT max(generation) FROM fetch WHERE url_id = body.url_id)
    FROM body JOIN fetch ON fetch.url_id = body.url_id AND fetch.generation = body.generation
    JOIN url ON url.id = body.url_id JOIN host ON host.id = url.host_id
    WHERE body.url_id = :url AND body.generation = :generation
"""
ANY_BODY = "SELECT EXISTS (SELECT 1 FROM body)"
FIND_REPARSING = "SELECT plan, after_url, after_generation FROM reparsing"
NOTE_REPARSING = """
    INSERT OR REPLACE INTO reparsing (id, plan, after_url, after_generation)
    VALUES (1, :plan, :url, :generation)
"""
FORGET_REPARSING = "DELETE FROM reparsing"
# Created by the first crawl with --search, so that other crawls need no SQLite with FTS5. The
# index holds words only: the text is stored once, in page_text.
MAKE_TEXTS = """
    CREATE TABLE IF NOT EXISTS page_text (
        url_id INTEGER PRIMARY KEY REFERENCES url (id),
        title TEXT NOT NULL, headings TEXT NOT NULL, text TEXT NOT NULL
    )
"""
MAKE_INDEX = """
    CREATE VIRTUAL TABLE page_index USING fts5 (
        title, headings, text, content = page_text, content_rowid = url_id, tokenize = '{tokenizer}'
    )
"""
FIND_INDEX = "SELECT sql FROM sqlite_schema WHERE name = 'page_index'"
DROP_INDEX = (
    "DROP TRIGGER IF EXISTS page_text_added",
    "DROP TRIGGER IF EXISTS page_text_changed",
    "DROP TABLE IF EXISTS page_index",
)
