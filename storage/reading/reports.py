"""Reports: the tables and named reports for people, and each report as a query.

A report is a view. Its file, storage/schema/views/NAME.sql, holds its SQL, its line of help and the
meaning of its columns. This module lists the reports in the order in which they are shown, each with
its check: some answers would be wrong, not merely incomplete, if they were given too early. A check
refuses those, or returns a note to show beside the rows.

May touch: sqlite3 connections that others opened; the schema's names and texts.
Never: write.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from typing import NamedTuple

from penstock.crawler.errors import BadQuery, close_match
from penstock.storage.database.schema_texts import TableDescription, column_comments, describe_schema
from penstock.storage.reading.explanation import find_url

Check = Callable[
    [sqlite3.Connection, str], str | None
]  # of a report by name; returns a note, or raises BadQuery

_PENDING = "SELECT count(*) FROM url WHERE state IN (0, 1) AND kind = 0"
_CUT_OFF = "SELECT count(*) FROM url WHERE state = 4 AND reason = 'depth' AND kind = 0"
_ANALYSED = """
    SELECT at, texts,
           EXISTS (SELECT 1 FROM fetch WHERE fetched_at > CAST(strftime('%s', at) AS INTEGER) * 1000 + 999)
    FROM analysed
"""
_HAS_VIEW = "SELECT count(*) FROM sqlite_schema WHERE type = 'view' AND name = :name"


def _check_complete(connection: sqlite3.Connection, name: str) -> str | None:
    """While URLs are pending, any of them may link to what looks like an orphan."""
    [(pending,)] = connection.execute(_PENDING)
    if pending:
        raise BadQuery(
            f"{name} are known when the crawl is complete: {pending:,} URLs are pending, "
            "and any of them may link to one; run the crawl to its end first"
        )
    [(cut_off,)] = connection.execute(_CUT_OFF)
    if cut_off:
        return f"{cut_off:,} URLs are beyond the depth limit: what only they link to is shown as an orphan"
    return None


def _check_analysed(connection: sqlite3.Connection, name: str) -> str | None:
    found = connection.execute(_ANALYSED).fetchone()
    if found is None:
        raise BadQuery(f"{name} needs the results of `analyse`: run analyse first, while no crawl runs")
    at, _, outdated = found
    return f"pages were fetched since analyse ran at {at}: run it again to include them" if outdated else None


def _check_texts(connection: sqlite3.Connection, name: str) -> str | None:
    note = _check_analysed(connection, name)
    if not connection.execute(_ANALYSED).fetchone()[1]:
        raise BadQuery(f"{name} compares texts, and no bodies were saved: crawl with --save-bodies")
    return note


TABLES = (
    "pages",
    "urls",
    "links",
    "runs",
    "robots",
    "sitemaps",
    "extracted",
    "structured",
    "telemetry",
    "resources",
    "resource_uses",
    "external_links",
    "handshakes",
)
REPORTS: Mapping[str, Check | None] = {
    "broken_links": None,
    "broken_targets": None,
    "redirects": None,
    "redirect_chains": None,
    "broken_resources": None,
    "duplicates": None,
    "duplicate_titles": None,
    "near_duplicates": _check_texts,
    "canonical_conflicts": None,
    "missing_titles": None,
    "thin_pages": None,
    "slow_pages": None,
    "large_pages": None,
    "deep_pages": None,
    "top_pages": _check_analysed,
    "orphans": _check_complete,
    "skipped": None,
    "failed": None,
    "hosts": None,
    "depths": None,
    "status_codes": None,
    "content_types": None,
    "extraction_failures": None,
    "extraction_sources": None,
    "cut_links": None,
}


class UrlReport(NamedTuple):
    """A report about one URL, which is a query with a parameter and so no view."""

    help: str
    sql: str


URL_REPORTS: Mapping[str, UrlReport] = {
    # A redirect comes from one page only, so UNION ALL repeats no row.
    "inlinks": UrlReport(
        "links and redirects to a URL, with the text of the links",
        """
    SELECT
        source.url AS source,        -- the page
        'link' AS how,               -- link or redirect
        coalesce((SELECT phrase.text FROM phrase WHERE phrase.id = link.text_id), '') AS text, -- of the link
        coalesce((SELECT phrase.text FROM phrase WHERE phrase.id = link.rel_id), '') AS rel, -- union
        link.followed AS followed    -- 1: at least one mention may be followed
    FROM link JOIN url_text AS source ON source.id = link.source
    WHERE link.target = :id
    UNION ALL
    SELECT source.url, 'redirect', '', '', 1
    FROM last_fetch AS hop JOIN url_text AS source ON source.id = hop.url_id
    WHERE hop.redirect_id = :id
    ORDER BY source LIMIT :limit
""",
    ),
    "outlinks": UrlReport(
        "links of a page, with the state of their targets",
        """
    SELECT
        target.url AS target,        -- canonical
        coalesce((SELECT phrase.text FROM phrase WHERE phrase.id = link.text_id), '') AS text, -- of the link
        coalesce((SELECT phrase.text FROM phrase WHERE phrase.id = link.rel_id), '') AS rel, -- union
        link.followed AS followed,   -- 1: at least one mention may be followed
        known_url.state AS state,    -- pending, done, failed or skipped
        known_url.reason AS reason,  -- why the target failed or was skipped
        (
            SELECT last_fetch.status FROM last_fetch WHERE last_fetch.url_id = link.target
        ) AS status                  -- HTTP status of the target
    FROM link
    JOIN url_text AS target ON target.id = link.target
    JOIN known_url ON known_url.id = link.target
    WHERE link.source = :id
    ORDER BY target LIMIT :limit
""",
    ),
}


class ReportQuery(NamedTuple):
    """A report as a query that can be executed now."""

    sql: str
    parameters: Mapping[str, object]
    note: str | None  # to show beside the rows

    def count(self, connection: sqlite3.Connection) -> int:
        """How many rows there are without the limit."""
        unbound = {**self.parameters, "limit": -1}
        [(number,)] = connection.execute(f"SELECT count(*) FROM ({self.sql})", unbound)
        return int(number)


# For a person: one row for each thing to repair, where the view has one for each place that it is in.
GROUPED: Mapping[str, str] = {"broken_links": "broken_targets"}


def build_report_query(
    connection: sqlite3.Connection,
    name: str,
    *,
    url: str | None = None,
    limit: int | None = None,
    grouped: bool = False,
) -> ReportQuery:
    """The report `name` as a query; `grouped`: by what is to be repaired, where there is such a form.

    Raises BadQuery: no such report, or no answer yet.
    """
    bound = -1 if limit is None else limit  # -1 is SQLite's "no limit"
    if name in URL_REPORTS:
        if url is None:
            raise BadQuery(f"{name} needs a URL: report {name} URL")
        _, number = find_url(connection, url)
        [(pending,)] = connection.execute(_PENDING)
        note = f"{pending:,} URLs are pending: there may be more links" if pending else None
        return ReportQuery(URL_REPORTS[name].sql, {"id": number, "limit": bound}, note)
    if name not in REPORTS:
        known = (*REPORTS, *URL_REPORTS)
        rest = (
            "report --list shows all"
            if (hint := close_match(name, known))
            else f"there are {', '.join(known)}"
        )
        raise BadQuery(f"there is no report {name!r}{hint}; {rest}")
    if url is not None:
        raise BadQuery(f"report {name} is about the whole crawl and takes no URL")
    if grouped and _has_view(connection, GROUPED.get(name, "")):  # a file of an older version has not
        name = GROUPED[name]
    if not _has_view(connection, name):
        raise BadQuery(
            f"this file has no {name} yet: an older Penstock wrote it; run its crawl again, that adds them"
        )
    check = REPORTS[name]
    # The name is one of ours, so it may stand in the SQL.
    sql = f"SELECT * FROM {name} LIMIT :limit"
    return ReportQuery(sql, {"limit": bound}, check(connection, name) if check else None)


def _has_view(connection: sqlite3.Connection, name: str) -> bool:
    [(count,)] = connection.execute(_HAS_VIEW, {"name": name})
    return bool(count)


def describe_tables() -> dict[str, TableDescription]:
    """The tables for people, in the order of TABLES: what each holds, and what its columns mean."""
    schema = describe_schema()
    return {name: schema[name] for name in TABLES}


def describe_reports() -> dict[str, TableDescription]:
    """All reports in the order in which they are shown: what each shows, and what its columns mean."""
    schema = describe_schema()
    return {name: schema[name] for name in REPORTS} | {
        name: TableDescription(report.help, dict(column_comments(report.sql)))
        for name, report in URL_REPORTS.items()
    }
