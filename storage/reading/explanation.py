"""Explanation: the state of one URL, and the path of links and redirects from a seed to it.

May touch: sqlite3 connections that others opened.
Never: write.

The path visits no URL twice: redirects may form a loop.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from penstock.crawler.config.option_checks import quote_value
from penstock.crawler.config.seeds import hide_user
from penstock.crawler.errors import BadQuery
from penstock.crawler.messages import FRAME_RELS, HEAD_RELS, CanonicalUrl
from penstock.crawler.urls import MAX_URL_CHARS, canonical, is_http, split
from penstock.storage.reading.outcome import RobotsFetch, load_robots
from penstock.storage.reading.uses import Use, find_rows, load_uses, near_misses

_FACTS = """
    SELECT known_url.state, known_url.reason, known_url.depth, known_url.attempts, known_url.host,
           known_url.retry_at, known_url.discovered_from, known_url.seed,
           (SELECT count(*) FROM link WHERE link.target = known_url.id) AS links_here
    FROM known_url WHERE known_url.id = :id
"""
_RELS = """
    SELECT DISTINCT coalesce(phrase.text, '') FROM link LEFT JOIN phrase ON phrase.id = link.rel_id
    WHERE link.target = :id AND NOT link.followed
"""
# The kinds of links that are followed on request, by the rel that tells them.
_ON_REQUEST = {
    **dict.fromkeys(FRAME_RELS, "frame"),
    **dict.fromkeys(HEAD_RELS, "head_link"),
}
_ANSWER = """
    SELECT last_fetch.status, last_fetch.error,
           strftime('%Y-%m-%dT%H:%M:%fZ', last_fetch.fetched_at / 1000.0, 'unixepoch'),
           last_fetch.elapsed_ms, last_fetch.body_bytes,
           (SELECT phrase.text FROM phrase WHERE phrase.id = last_fetch.type_id), last_fetch.title,
           coalesce((SELECT url_text.url FROM url_text WHERE url_text.id = last_fetch.redirect_id),
                    last_fetch.redirect_text)
    FROM last_fetch WHERE last_fetch.url_id = :id
"""
_TARGET = """
    SELECT known_url.url, known_url.state, known_url.reason
    FROM last_fetch JOIN known_url ON known_url.id = last_fetch.redirect_id WHERE last_fetch.url_id = :id
"""
_NEXT_HOP = """
    SELECT url_text.id, url_text.url FROM last_fetch JOIN url_text ON url_text.id = last_fetch.redirect_id
    WHERE last_fetch.url_id = :id
"""
# The same parents, in the same order, as known_url.discovered_from: the two must agree.
_PARENTS = """
    SELECT parent.id, source.url, parent.seed, 0 AS redirect, link.followed,
           coalesce((SELECT phrase.text FROM phrase WHERE phrase.id = link.text_id), '') AS text
    FROM url
    JOIN link ON link.target = url.id AND link.followed = url.followed
    JOIN url AS parent ON parent.id = link.source AND parent.depth = url.depth - 1
    JOIN url_text AS source ON source.id = parent.id
    WHERE url.id = :id
    UNION ALL
    SELECT parent.id, source.url, parent.seed, 1, 1, ''
    FROM url
    JOIN fetch ON fetch.redirect_id = url.id AND fetch.url_id <> url.id
    JOIN url AS parent ON parent.id = fetch.url_id AND parent.depth = url.depth
    JOIN url_text AS source ON source.id = parent.id
    WHERE url.id = :id
"""
# The same with the redirects that answers of handshakes replaced, and with the refreshes of seeds.
_LATER_PARENTS = """
    UNION
    SELECT parent.id, source.url, parent.seed, 1, 1, ''
    FROM url
    JOIN handshake ON handshake.gate_id = url.id AND handshake.url_id <> url.id
    JOIN url AS parent ON parent.id = handshake.url_id AND parent.depth = url.depth
    JOIN url_text AS source ON source.id = parent.id
    WHERE url.id = :id
    UNION
    SELECT parent.id, source.url, parent.seed, 2, 1, ''
    FROM url
    JOIN refresh ON refresh.target_id = url.id AND refresh.url_id <> url.id
    JOIN url AS parent ON parent.id = refresh.url_id AND parent.depth = 0
    JOIN url_text AS source ON source.id = parent.id
    WHERE url.id = :id AND url.depth = 0
"""
_FIRST_WITH_HANDSHAKES = 11  # schema version
_HANDSHAKE = """
    SELECT handshake.start, handshake.outcome, handshake.ended_at FROM handshake WHERE handshake.url_id = :id
"""
_SETS_COOKIE = "SELECT last_fetch.sets_cookie FROM last_fetch WHERE last_fetch.url_id = :id"
_WAYS = ("link", "redirect", "refresh")


class UrlFacts(NamedTuple):
    state: str
    reason: str | None
    depth: int | None  # None: only a sitemap leads here
    attempts: int
    host: str
    retry_at: str | None  # ISO 8601, UTC; only while waiting
    discovered_from: str | None
    seed: int  # 1: given by the operator
    links_here: int  # pages that link to it


class StoredAnswer(NamedTuple):
    """The newest answer, or the failure of the newest request."""

    status: int | None
    error: str | None
    fetched_at: str | None  # ISO 8601, UTC
    elapsed_ms: int | None
    body_bytes: int | None
    content_type: str | None
    title: str | None
    redirect_to: str | None


class StoredHandshake(NamedTuple):
    """The one exchange with a private cookie jar that a URL behind a cookie gate gets."""

    start: str  # the URL at which it begins
    outcome: str | None  # `stored`, or why it did not end at the URL; None: not tried yet
    ended_at: str | None


class PathStep(NamedTuple):
    """One URL on the path, and how the URL before leads to it."""

    url: str
    how: str  # seed, link, redirect, or refresh (of a seed, which moves the crawl as a redirect does)
    followed: bool = True
    text: str = ""  # of the link


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    url: CanonicalUrl
    facts: UrlFacts
    answer: StoredAnswer | None  # None: the URL was not requested
    kind: str  # page; or the first of `uses`, where the URL was never to be fetched as a page
    uses: Sequence[Use]  # as a sitemap, a resource, a robots.txt
    robots: RobotsFetch | None  # of its origin, where the reason is robots or robots_unreachable
    target: RedirectTarget | None  # of its redirect, if that has a row
    path: list[PathStep]  # from a seed to the URL; empty: none is stored
    loop: list[str]  # the URLs of the redirect loop that the URL leads into; empty: none
    # Where the reason is nofollow, the kinds of links that lead to it: nofollow, frame, head_link.
    link_kinds: Sequence[str] = ()
    sets_cookie: bool = False  # the stored redirect or failure set a cookie
    handshake: StoredHandshake | None = None  # None: the URL is behind no cookie gate, as far as is known


class RedirectTarget(NamedTuple):
    url: str
    state: str
    reason: str | None


class _Parent(NamedTuple):
    id: int
    url: str
    seed: int
    redirect: int
    followed: int
    text: str


def explain_url(connection: sqlite3.Connection, text: str) -> Explanation:
    """Explain the URL in `text`. Raises BadQuery with the reason if it is not in this crawl."""
    url = _canonical(connection, text)
    rows = find_rows(connection, url)
    uses = load_uses(connection, url, rows)
    if (number := rows.get(0)) is None:
        if not uses:
            raise _unknown(connection, url)
        first = uses[0]
        facts = UrlFacts(first.state, first.reason, None, 0, split(url).host, None, None, 0, 0)
        return Explanation(
            url=url, facts=facts, answer=None, kind=first.kind, uses=uses, robots=None, target=None, path=[],
            loop=[],
        )  # fmt: skip
    facts = UrlFacts(*connection.execute(_FACTS, {"id": number}).fetchone())
    answer = connection.execute(_ANSWER, {"id": number}).fetchone()
    has_handshakes = _schema(connection) >= _FIRST_WITH_HANDSHAKES
    flag = connection.execute(_SETS_COOKIE, {"id": number}).fetchone() if has_handshakes else None
    handshake = connection.execute(_HANDSHAKE, {"id": number}).fetchone() if has_handshakes else None
    blames_robots = facts.reason in ("robots", "robots_unreachable")
    target = connection.execute(_TARGET, {"id": number}).fetchone()
    return Explanation(
        url=url,
        facts=facts,
        answer=StoredAnswer(*answer) if answer else None,
        kind="page",
        uses=uses,
        robots=load_robots(connection, url) if blames_robots else None,
        target=RedirectTarget(*target) if target else None,
        path=_path(connection, number, url, seed=bool(facts.seed)),
        loop=_loop(connection, number, url),
        link_kinds=_link_kinds(connection, number) if facts.reason == "nofollow" else (),
        sets_cookie=bool(flag and flag[0]),
        handshake=StoredHandshake(*handshake) if handshake else None,
    )


def find_url(connection: sqlite3.Connection, text: str) -> tuple[CanonicalUrl, int]:
    """Return the canonical form of a page's URL and its row number. Raises BadQuery: why it has no row."""
    url = _canonical(connection, text)
    number = find_rows(connection, url).get(0)
    if number is None:
        raise _unknown(connection, url)
    return url, number


def _schema(connection: sqlite3.Connection) -> int:
    [(version,)] = connection.execute("PRAGMA user_version")
    return int(version)


def _unknown(connection: sqlite3.Connection, url: CanonicalUrl) -> BadQuery:
    near = near_misses(connection, url)
    meant = f"; did you mean {' or '.join(near[:2])}?" if near else ""
    return BadQuery(f"{url} is not in this crawl: no page that was stored links or redirects to it{meant}")


def _canonical(connection: sqlite3.Connection, text: str) -> CanonicalUrl:
    url = canonical(text)
    if url is None:
        guesses = [canonical(f"{scheme}://{text}") for scheme in ("https", "http")]
        known = [each for each in guesses if each and find_rows(connection, CanonicalUrl(each))]
        hint = f"did you mean {known[0]}?" if known else "write it with https://"
        raise BadQuery(
            f"{quote_value(hide_user(text))} is no valid URL: such links get no row, "
            f"their page counts them; {hint}"
        )
    if not is_http(url):
        scheme = url.partition(":")[0]
        raise BadQuery(
            f"{url} has the scheme {scheme!r}: only http and https URLs get a row, their page counts others"
        )
    if len(url) > MAX_URL_CHARS:
        raise BadQuery(
            f"this URL has {len(url):,} characters: a URL over {MAX_URL_CHARS:,} is counted on its page "
            "as trap:length and gets no row"
        )
    return CanonicalUrl(url)


def _link_kinds(connection: sqlite3.Connection, number: int) -> list[str]:
    kinds: set[str] = set()
    for (rel,) in connection.execute(_RELS, {"id": number}):
        found = {_ON_REQUEST[word] for word in rel.split() if word in _ON_REQUEST}
        kinds |= found if found and "nofollow" not in rel.split() else {*found, "nofollow"}
    return sorted(kinds)


def _loop(connection: sqlite3.Connection, number: int, url: str) -> list[str]:
    """The loop that a URL's redirects lead into. No URL of it has failed: each answered with a redirect."""
    visited = {number: url}
    while (hop := connection.execute(_NEXT_HOP, {"id": number}).fetchone()) is not None:
        number, url = hop
        if number in visited:
            return list(visited.values())[list(visited).index(number) :]
        visited[number] = url
    return []


def _path(connection: sqlite3.Connection, number: int, url: str, *, seed: bool) -> list[PathStep]:
    """The steps from a seed; at each the parent that sorts first, unless it leads into a loop."""

    later = _LATER_PARENTS if _schema(connection) >= _FIRST_WITH_HANDSHAKES else ""

    def parents(child: int) -> Iterator[_Parent]:
        return map(_Parent._make, connection.execute(f"{_PARENTS}{later} ORDER BY 2", {"id": child}))

    here = _Parent(number, url, int(seed), 0, 1, "")
    visited = {number}
    branch = [(here, parents(number))]
    while branch and not branch[-1][0].seed:
        parent = next((found for found in branch[-1][1] if found.id not in visited), None)
        if parent is None:
            branch.pop()  # a loop: go back and try the next parent
        else:
            visited.add(parent.id)
            branch.append((parent, parents(parent.id)))
    forwards = [parent for parent, _ in reversed(branch)]
    # A parent's row holds the link to its child, which is the next step.
    return [PathStep(first.url, "seed") for first in forwards[:1]] + [
        PathStep(to.url, _WAYS[via.redirect], bool(via.followed), via.text) for via, to in pairwise(forwards)
    ]
