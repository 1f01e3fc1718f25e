"""Uses: what a crawl knows of a URL that it requested as something else than a page.

May touch: sqlite3 connections that others opened; the schema's names.
Never: write.

The same URL may be a page, a sitemap and a resource, each with an answer of its own.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, NamedTuple

from penstock.crawler.messages import CanonicalUrl
from penstock.crawler.urls import canonical, split, unsplit
from penstock.storage.database.digests import digest_of_path
from penstock.storage.reading.outcome import STATES

FIRST_WITH_DIGESTS = 10  # schema version; older files, which can be read too, have an index over the text
SOURCES_SHOWN = 5

_FIND = """
    SELECT url.kind, url.id FROM host
    CROSS JOIN url_digest ON url_digest.host_id = host.id AND url_digest.digest = :digest
    CROSS JOIN url ON url.id = url_digest.url_id
    WHERE host.name = :host AND url.path = :path AND url.secure = :secure
"""
_FIND_BY_TEXT = """
    SELECT url.kind, url.id FROM url JOIN host ON host.id = url.host_id
    WHERE host.name = :host AND url.path = :path AND url.secure = :secure
"""
_STATE = "SELECT state, reason FROM url WHERE id = :id"
_SITEMAP = """
    SELECT status, error, strftime('%Y-%m-%dT%H:%M:%fZ', fetched_at / 1000.0, 'unixepoch'), format, entries,
           refused
    FROM sitemap WHERE url_id = :id
"""
_NAMED_BY = """
    SELECT origin || '/robots.txt' FROM robots_sitemap WHERE url_id = :id
    UNION SELECT url_text.url FROM sitemap_child JOIN url_text ON url_text.id = sitemap_child.parent_id
    WHERE sitemap_child.url_id = :id ORDER BY 1 LIMIT 6
"""
_RESOURCE = """
    SELECT status, NULL, strftime('%Y-%m-%dT%H:%M:%fZ', checked_at / 1000.0, 'unixepoch'),
           (SELECT phrase.text FROM phrase WHERE phrase.id = resource.type_id), bytes,
           coalesce((SELECT url_text.url FROM url_text WHERE url_text.id = resource.redirect_id),
                    redirect_text)
    FROM resource WHERE url_id = :id
"""
_LOADED_BY = """
    SELECT DISTINCT url_text.url FROM resource_use JOIN url_text ON url_text.id = resource_use.page_id
    WHERE resource_use.url_id = :id ORDER BY 1 LIMIT 6
"""
_ROBOTS = """
    SELECT status, error, strftime('%Y-%m-%dT%H:%M:%fZ', fetched_at, 'unixepoch'), length(body), attempt
    FROM robots WHERE origin = :origin
"""


class Use(NamedTuple):
    """A URL as a sitemap, a resource or a robots.txt."""

    kind: str  # sitemap, resource, robots, or another kind of request by its number
    state: str  # pending, done, failed or skipped
    reason: str | None
    status: int | None
    fetched_at: str | None  # ISO 8601, UTC
    details: Sequence[str]  # further facts, each in a few words
    sources: Sequence[str]  # URLs that name it, up to `SOURCES_SHOWN` and one more


def find_rows(connection: sqlite3.Connection, url: CanonicalUrl) -> dict[int, int]:
    """The row numbers of a URL by its kind: 0 page, 1 sitemap, 2 resource."""
    parts = split(url)
    key: dict[str, object] = {"host": parts.host, "path": parts.path, "secure": int(parts.secure)}
    [(schema,)] = connection.execute("PRAGMA user_version")
    if schema < FIRST_WITH_DIGESTS:
        return dict(connection.execute(_FIND_BY_TEXT, key).fetchall())
    key["digest"] = digest_of_path(parts.path)
    return dict(connection.execute(_FIND, key).fetchall())


def load_uses(connection: sqlite3.Connection, url: CanonicalUrl, rows: dict[int, int]) -> list[Use]:
    """Everything but the page."""
    uses = [] if (robots := _robots(connection, url)) is None else [robots]
    for kind, number in sorted(rows.items()):
        if kind == 0:
            continue
        state, reason = connection.execute(_STATE, {"id": number}).fetchone()
        if kind == 1:
            use = _sitemap(connection, number)
        elif kind == 2:
            use = _resource(connection, number)
        else:
            use = _NOTHING._replace(kind=f"request of kind {kind}")
        uses.append(use._replace(state=STATES[state], reason=reason or use.reason))
    return uses


_NOTHING = Use("", "", None, None, None, (), ())


def _sitemap(connection: sqlite3.Connection, number: int) -> Use:
    use = _NOTHING._replace(kind="sitemap", sources=_sources(connection, _NAMED_BY, number))
    rows = _rows(connection, _SITEMAP, {"id": number})
    if not rows:
        return use
    status, error, fetched_at, form, entries, refused = rows[0]
    details = [form or "no known format", f"{entries:,} entries"]
    details += [f"{refused:,} refused"] if refused else []
    return use._replace(status=status, reason=error, fetched_at=fetched_at, details=details)


def _resource(connection: sqlite3.Connection, number: int) -> Use:
    use = _NOTHING._replace(kind="resource", sources=_sources(connection, _LOADED_BY, number))
    rows = _rows(connection, _RESOURCE, {"id": number})
    if not rows:
        return use
    status, _, fetched_at, content_type, size, redirect = rows[0]
    details = [content_type] if content_type else []
    details += [f"{size:,} bytes"] if size is not None else []
    details += [f"redirects to {redirect}"] if redirect else []
    return use._replace(status=status, fetched_at=fetched_at, details=details)


def _robots(connection: sqlite3.Connection, url: CanonicalUrl) -> Use | None:
    parts = split(url)
    if parts.path != "/robots.txt":
        return None
    site = unsplit(parts.secure, parts.host, "")
    rows = _rows(connection, _ROBOTS, {"origin": site})
    if not rows:
        return None
    status, error, fetched_at, size, attempts = rows[0]
    reachable = status is not None and (status < 400 or (400 <= status < 500 and status != 429))
    details = [f"{size:,} bytes"] if size else []
    details += [] if reachable else [f"{attempts} requests in a row without a usable answer"]
    if status is not None and 400 <= status < 500 and reachable:
        details.append("allows everything (RFC 9309 section 2.3.1.3)")
    reason = error or (None if reachable else f"http_{status}")
    return Use("robots", "done" if reachable else "failed", reason, status, fetched_at, details, ())


def _sources(connection: sqlite3.Connection, sql: str, number: int) -> list[str]:
    return [source for (source,) in _rows(connection, sql, {"id": number})]


def _rows(connection: sqlite3.Connection, sql: str, params: dict[str, object]) -> list[Any]:
    """The rows; none from a file of a version that had no such table."""
    try:
        return connection.execute(sql, params).fetchall()
    except sqlite3.OperationalError as error:
        if "no such" in str(error):
            return []
        raise


def near_misses(connection: sqlite3.Connection, url: CanonicalUrl) -> list[str]:
    """URLs of this crawl that differ in what is easily mistyped: slash, scheme, www, query, case."""
    parts = split(url)
    path, mark, query = parts.path.partition("?")
    paths = [parts.path]
    paths += [(path.rstrip("/") or "/") + mark + query, path.rstrip("/") + "/" + mark + query]
    paths += [path, path.rstrip("/") or "/", path.rstrip("/") + "/"] if mark else []
    paths += [parts.path.lower()]
    host = parts.host
    hosts = [host, host.removeprefix("www.") if host.startswith("www.") else f"www.{host}"]
    found: dict[str, None] = {}
    for each_path in dict.fromkeys(paths):
        for each_host in hosts:
            for secure in (parts.secure, not parts.secure):
                other = canonical(unsplit(secure, each_host, each_path))
                if other is not None and other != url and find_rows(connection, CanonicalUrl(other)):
                    found[other] = None
    return list(found)
