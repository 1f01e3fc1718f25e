"""Outcome: what went wrong in a crawl, and why, for the last lines of a run and for `status`.

May touch: sqlite3 connections that others opened; the schema's names.
Never: write. Each function reads through the connection it is given.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from penstock.crawler.messages import FRAME_RELS, HEAD_RELS, MAX_REDIRECTS, CanonicalUrl
from penstock.crawler.reasons import explain
from penstock.crawler.urls import origin

STATES = ("pending", "pending", "done", "failed", "skipped")  # by url.state
FAILED, SKIPPED = 3, 4  # of url.state
MOST_SEEDS = 1_000  # looked at; of a longer list the first

# Seeds have the lowest numbers of all URLs, so the scan ends with the last of them.
_SEEDS = "SELECT id, state, reason FROM url WHERE seed AND kind = 0 ORDER BY id LIMIT :limit"
_ONE = """
    SELECT url_text.url, url.state, url.reason, last_fetch.status, last_fetch.error, last_fetch.redirect_id,
           last_fetch.redirect_text
    FROM url JOIN url_text ON url_text.id = url.id
    LEFT JOIN last_fetch ON last_fetch.url_id = url.id
    WHERE url.id = :id
"""
_ROBOTS = "SELECT status, error, attempt FROM robots WHERE origin = :origin"
_REASONS = """
    SELECT coalesce(reason, 'unknown'), count(*) FROM url WHERE state = :state AND kind = 0
    GROUP BY reason ORDER BY count(*) DESC, reason
"""
_ONLY_PAGE = """
    SELECT url_text.url, last_fetch.url_id,
           (SELECT phrase.text FROM phrase WHERE phrase.id = last_fetch.type_id), last_fetch.body_bytes,
           last_fetch.other_links, last_fetch.robots
    FROM last_fetch JOIN url_text ON url_text.id = last_fetch.url_id
    WHERE last_fetch.status BETWEEN 200 AND 299 AND last_fetch.status NOT IN (204, 205)
      AND last_fetch.error IS NULL LIMIT 2
"""
_LINKS_OF = """
    SELECT count(*), coalesce(sum(followed), 0) FROM link WHERE source = :id AND target <> :id
"""
_UNFOLLOWED_OF = """
    SELECT coalesce(phrase.text, ''), count(*) FROM link LEFT JOIN phrase ON phrase.id = link.rel_id
    WHERE link.source = :id AND link.target <> :id AND NOT link.followed GROUP BY 1
"""
_FATES_OF = """
    SELECT url.reason, count(*) FROM link JOIN url ON url.id = link.target
    WHERE link.source = :id AND url.state = 4 GROUP BY url.reason ORDER BY count(*) DESC, url.reason
"""
_HOSTS_OF = """
    SELECT DISTINCT host.name FROM link JOIN url ON url.id = link.target JOIN host ON host.id = url.host_id
    WHERE link.source = :id AND url.state = 4 AND url.reason = 'scope' ORDER BY host.name LIMIT 3
"""


class RobotsFetch(NamedTuple):
    """The last answer to the requests for one origin's robots.txt."""

    url: str
    status: int | None  # after redirects; None: no answer
    error: str | None  # a reason
    attempts: int  # requests in a row without a usable answer

    @property
    def reason(self) -> str:
        return self.error or f"http_{self.status}"

    def describe(self) -> str:
        """What was tried, and what came back."""
        if self.error is None and self.status is not None and self.status < 400:
            return f"{self.url} (status {self.status})"
        requests = f"{self.attempts} request{'s' if self.attempts != 1 else ''}"
        tried = requests if self.attempts else "requested by an earlier run"
        return f"{self.url} ({tried}): {explain(self.reason)}"


class Outcome(NamedTuple):
    """What went wrong."""

    failed: Sequence[tuple[str, int]]  # reasons with URL counts, the most frequent first
    lost_seeds: Sequence[SeedOutcome]
    seeds: int  # all of them
    only_page: OnlyPage | None  # the stored page, if it is the only one


class SeedOutcome(NamedTuple):
    """A seed that led to no stored page, and the URL that is to blame."""

    seed: str
    url: str  # the seed, or where its redirects end
    state: str  # pending, done, failed or skipped
    reason: str | None
    status: int | None
    robots: RobotsFetch | None  # of the host of `url`, if that is the reason


class OnlyPage(NamedTuple):
    """The only page of a crawl, and what became of its links."""

    url: str
    content_type: str | None
    body_bytes: int | None
    links: int  # http(s) links to other URLs
    followed: int  # of these, not nofollow
    other_links: int  # mailto: and such
    robots: str | None  # directives of X-Robots-Tag and meta robots
    skipped: Sequence[tuple[str, int]]  # links by the rule that skipped them, the most frequent first
    hosts_out_of_scope: Sequence[str]  # a few
    frames: int = 0  # of the links that are not followed
    head_links: int = 0  # of the links that are not followed, the link elements


def load_outcome(connection: sqlite3.Connection, *, seeds: int) -> Outcome:
    """All that the last lines of a run say of failures. `seeds` is the number of seeds."""
    return Outcome(
        failed=load_reasons(connection, FAILED),
        lost_seeds=load_lost_seeds(connection, seeds=seeds),
        seeds=seeds,
        only_page=load_only_page(connection),
    )


def load_reasons(connection: sqlite3.Connection, state: int) -> list[tuple[str, int]]:
    """The reasons of failed (3) or skipped (4) URLs with their counts, the most frequent first."""
    return connection.execute(_REASONS, {"state": state}).fetchall()


def load_robots(connection: sqlite3.Connection, url: str) -> RobotsFetch | None:
    """What came back for the robots.txt of a URL's origin; None: it was not requested."""
    site = origin(CanonicalUrl(url))
    try:
        row = connection.execute(_ROBOTS, {"origin": site}).fetchone()
    except sqlite3.OperationalError:  # a file of a version that did not count the attempts
        return None
    return RobotsFetch(f"{site}/robots.txt", *row) if row else None


def load_lost_seeds(connection: sqlite3.Connection, *, seeds: int) -> list[SeedOutcome]:
    """The seeds that led to no stored page, in the order given; `seeds` is the number of all."""
    lost = []
    rows = connection.execute(_SEEDS, {"limit": min(seeds, MOST_SEEDS)}).fetchall()
    for number, state, _ in rows:
        if state == 2 and len(rows) > 1 and _is_page(connection, number):
            continue  # spares the walk below
        found = _end_of(connection, number)
        if found is not None:
            lost.append(found)
    return lost


def _is_page(connection: sqlite3.Connection, number: int) -> bool:
    row = connection.execute(_ONE, {"id": number}).fetchone()
    return row is not None and row[4] is None and _has_page(row[3])


def _has_page(status: int | None) -> bool:
    """True for an answer whose body is a page of its own (RFC 9110 section 15.3)."""
    return status is not None and 200 <= status < 300 and status not in (204, 205)


def _end_of(connection: sqlite3.Connection, seed: int) -> SeedOutcome | None:
    """Where a seed's redirects end; None at a stored page."""
    first = None
    number, visited = seed, set[int]()
    while True:
        url, state, reason, status, error, target, text = connection.execute(_ONE, {"id": number}).fetchone()
        first = first or url
        visited.add(number)
        if target is None or target in visited or len(visited) > MAX_REDIRECTS:
            break
        number = target
    if state == 2 and error is None and _has_page(status):
        return None
    if target is not None:
        reason = "redirect_loop" if target in visited else "redirect_limit"
    elif text is not None and state == 2:
        reason, url = "redirect_invalid", text
    robots = load_robots(connection, url) if reason in ("robots", "robots_unreachable") else None
    return SeedOutcome(first, url, STATES[state], reason, status, robots)


def load_only_page(connection: sqlite3.Connection) -> OnlyPage | None:
    """The stored page, if it is the only one."""
    rows = connection.execute(_ONLY_PAGE).fetchall()
    if len(rows) != 1:
        return None
    url, number, content_type, size, other, robots = rows[0]
    links, followed = connection.execute(_LINKS_OF, {"id": number}).fetchone()
    unfollowed = connection.execute(_UNFOLLOWED_OF, {"id": number}).fetchall()
    return OnlyPage(
        url=url,
        content_type=content_type,
        body_bytes=size,
        links=links,
        followed=followed,
        other_links=other,
        robots=robots,
        skipped=connection.execute(_FATES_OF, {"id": number}).fetchall(),
        hosts_out_of_scope=[name for (name,) in connection.execute(_HOSTS_OF, {"id": number})],
        frames=sum(count for rels, count in unfollowed if FRAME_RELS & set(rels.split())),
        head_links=sum(count for rels, count in unfollowed if HEAD_RELS & set(rels.split())),
    )
