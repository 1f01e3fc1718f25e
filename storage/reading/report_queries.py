"""Questions: a named report as a query, and whether this crawl can answer it yet.

May touch: sqlite3 connections that others opened; the schema's names.
Never: write.

Some answers would be wrong, not merely incomplete, if they were given too early. Those are
refused with the way out; what a person should know beside an answer is a note.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import NamedTuple

from penstock.crawler.errors import BadQuery
from penstock.storage.reading.explanation import find_url
from penstock.storage.reading.reports import REPORTS

ABOUT_A_URL: Mapping[str, str] = {
    "inlinks": "what leads to a URL: links with their text, and redirects",
    "outlinks": "what a page links to, and what became of it",
}

# A redirect comes from one page only, so UNION ALL has nothing to put together.
_INLINKS = """
    SELECT source.url AS source, 'link' AS how,
           coalesce((SELECT phrase.text FROM phrase WHERE phrase.id = link.text_id), '') AS text,
           coalesce((SELECT phrase.text FROM phrase WHERE phrase.id = link.rel_id), '') AS rel,
           link.followed AS followed
    FROM link JOIN url_text AS source ON source.id = link.source
    WHERE link.target = :id
    UNION ALL
    SELECT source.url, 'redirect', '', '', 1
    FROM last_fetch AS hop JOIN url_text AS source ON source.id = hop.url_id
    WHERE hop.redirect_id = :id
    ORDER BY source LIMIT :limit
"""
_OUTLINKS = """
    SELECT target.url AS target,
           coalesce((SELECT phrase.text FROM phrase WHERE phrase.id = link.text_id), '') AS text,
           coalesce((SELECT phrase.text FROM phrase WHERE phrase.id = link.rel_id), '') AS rel,
           link.followed AS followed, known_url.state AS state, known_url.reason AS reason,
           (SELECT last_fetch.status FROM last_fetch WHERE last_fetch.url_id = link.target) AS status
    FROM link
    JOIN url_text AS target ON target.id = link.target
    JOIN known_url ON known_url.id = link.target
    WHERE link.source = :id
    ORDER BY target LIMIT :limit
"""

_PENDING = "SELECT count(*) FROM url WHERE state IN (0, 1) AND kind = 0"
_CUT_OFF = "SELECT count(*) FROM url WHERE state = 4 AND reason = 'depth' AND kind = 0"
_ANALYSED = """
    SELECT at, texts,
           EXISTS (SELECT 1 FROM fetch WHERE fetched_at > CAST(strftime('%s', at) AS INTEGER) * 1000 + 999)
    FROM analysed
"""
_HAS_VIEW = "SELECT count(*) FROM sqlite_schema WHERE type = 'view' AND name = :name"


class ReportQuery(NamedTuple):
    """A query that is ready to be asked."""

    sql: str
    parameters: Mapping[str, object]
    note: str | None  # what to know beside the answer


def build_report_query(
    connection: sqlite3.Connection, name: str, *, url: str | None = None, limit: int | None = None
) -> ReportQuery:
    """The report `name` as a query. Raises BadQuery: no such report, or no answer yet."""
    _know(name, url)
    bound = -1 if limit is None else limit  # -1 is SQLite's "no limit"
    if url is not None:
        sql = _INLINKS if name == "inlinks" else _OUTLINKS
        _, number = find_url(connection, url)
        return ReportQuery(sql, {"id": number, "limit": bound}, _of_links(connection))
    note = _note(connection, name)
    # The name is one of ours, so it may stand in the SQL.
    return ReportQuery(f"SELECT * FROM {name} LIMIT :limit", {"limit": bound}, note)


def _know(name: str, url: str | None) -> None:
    if name in ABOUT_A_URL:
        if url is None:
            raise BadQuery(f"{name} are those of a URL: report {name} URL")
    elif name not in REPORTS:
        raise BadQuery(f"there is no report {name!r}; there are {', '.join((*REPORTS, *ABOUT_A_URL))}")
    elif url is not None:
        raise BadQuery(f"report {name} is of the whole crawl and takes no URL")


def _note(connection: sqlite3.Connection, name: str) -> str | None:
    [(there,)] = connection.execute(_HAS_VIEW, {"name": name})
    if not there:
        raise BadQuery(
            f"this file has no {name} yet: an older Penstock wrote it; run its crawl again, that adds them"
        )
    if name == "orphans":
        return _complete(connection)
    if name in ("top_pages", "near_duplicates"):
        return _analysed(connection, name)
    return None


def _complete(connection: sqlite3.Connection) -> str | None:
    """An orphan is what nothing leads to, which only those know who have seen everything."""
    [(pending,)] = connection.execute(_PENDING)
    if pending:
        raise BadQuery(
            f"orphans are known when the crawl is complete: {pending:,} URLs are pending, "
            "and any of them may link to one; run the crawl to its end first"
        )
    [(cut_off,)] = connection.execute(_CUT_OFF)
    if cut_off:
        return f"{cut_off:,} URLs are beyond the depth limit: what only they link to is shown as an orphan"
    return None


def _analysed(connection: sqlite3.Connection, name: str) -> str | None:
    found = connection.execute(_ANALYSED).fetchone()
    if found is None:
        raise BadQuery(f"{name} needs what `analyse` works out: run analyse first, when no crawl is running")
    at, texts, outdated = found
    if name == "near_duplicates" and not texts:
        raise BadQuery("near_duplicates compares texts, and no bodies were saved: crawl with --save-bodies")
    return f"pages were fetched since `analyse` ran at {at}: run it again to count them" if outdated else None


def _of_links(connection: sqlite3.Connection) -> str | None:
    [(pending,)] = connection.execute(_PENDING)
    return f"{pending:,} URLs are pending: there may be more links" if pending else None
