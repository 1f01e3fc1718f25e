"""Sessions: URL parameters that are session ids, found by comparing pages.

May touch: messages, urls.

A site that writes a session id into its links has endless URLs for each page. The sign is
URLs that differ only in one parameter, and whose pages are equal to the byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import sha256
from typing import NamedTuple

from msgspec import Struct, field

from penstock.crawler.messages import CanonicalUrl
from penstock.crawler.urls import split

# Names that mean a session and nothing else, and names that platforms set by themselves.
_SURE_NAMES = frozenset({"phpsessid", "jsessionid", "sessionid", "session_id", "session-id", "sessid"}) | {
    "cfid",
    "cftoken",
    "oscsid",
    "xtcsid",
    "zenid",
}
_LIKELY_NAMES = frozenset({"sid", "session", "sess"})  # they may also name a story or a conference session
_ID = re.compile(
    r"(?=[a-z]*+[0-9])(?=[0-9]*+[a-z])[0-9a-z]{16,}+\Z|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z",
    re.IGNORECASE,
)
_IN_PATH = re.compile(r";(jsessionid|phpsessid|sessionid|sid)=([^/;]*)", re.IGNORECASE)

MAX_COMPARED = 512 << 10  # bytes of a body; a comparison takes some 10 ms of the event loop

_NEVER = 1 << 62  # a depth beyond all others


class Parameter(NamedTuple):
    """One parameter of a URL that may be a session id."""

    host: str
    name: str  # lower case
    value: str
    rest: str  # path and query without it
    likely: bool  # `is_session`


class _Pages:
    """The pages at URLs that differ in one parameter only."""

    __slots__ = ("least", "values")

    def __init__(self) -> None:
        self.least = _NEVER  # least depth of any of them
        self.values: dict[bytes, dict[str, int]] = {}  # by content: the values at the least depths, and these


def is_session(name: str, value: str) -> bool:
    """True if the name means a session id. A doubtful name needs a value that looks like one, too."""
    name = name.lower()
    return name in _SURE_NAMES or (name in _LIKELY_NAMES and _ID.match(value) is not None)


def without_path_sessions(path: str) -> str:
    """Return the path (without query) without `;jsessionid=` and the like."""
    return _IN_PATH.sub("", path) if ";" in path else path


def session_parameters(url: CanonicalUrl) -> Iterator[Parameter]:
    """Return the parameters of a canonical http(s) URL that may be session ids, by name or by value."""
    if "?" not in url and ";" not in url:
        return
    _, host, path = split(url)
    path, mark, query = path.partition("?")
    if found := _IN_PATH.search(path):
        rest = path[: found.start()] + path[found.end() :] + mark + query
        yield Parameter(host, found[1].lower(), found[2], rest, True)
    parts = query.split("&")
    for index, part in enumerate(parts):
        name, _, value = part.partition("=")
        name = name.lower()
        if name in _SURE_NAMES or name in _LIKELY_NAMES or _ID.match(value):
            rest = path + mark + "&".join(parts[:index] + parts[index + 1 :])
            yield Parameter(host, name, value, rest, is_session(name, value))


def may_carry_session(url: CanonicalUrl) -> bool:
    """True if any parameter of the URL may be a session id."""
    return next(session_parameters(url), None) is not None


def fingerprint(url: CanonicalUrl, body: bytes) -> bytes | None:
    """Return a hash of the page without its session ids.

    None if no parameter of the URL may be a session id, and for a page so large that the
    comparison would delay the others.

    A site that writes ids into its links writes a new one into each copy of a page. An id is left
    out if its name means a session. If only its value looks like one, it may be what the page is
    about (a photo's number), and the body is hashed as it is.
    """
    if len(body) > MAX_COMPARED or not (found := list(session_parameters(url))):
        return None
    for name in sorted({parameter.name for parameter in found if parameter.likely}):
        body = re.sub(rb"(?i)(\b%b=)[\w.~!%%-]*+" % re.escape(name.encode()), rb"\1", body)
    return sha256(body).digest()


class Sessions(Struct, kw_only=True):
    """Learn from pages which parameters are session ids, and which URLs are therefore copies.

    A parameter of a host is proven when `witnesses` of its values gave the same content (by
    `fingerprint`) at URLs that are equal otherwise. A parameter that is not `likely` needs
    `more_witnesses`. From then on a URL with that parameter is a trap if a page that differs only
    in its value is stored: each page is still fetched once, so nothing is lost. A parameter whose
    value was seen to matter (two contents at URLs that are equal otherwise) is refuted, unless its
    name leaves no doubt: session pages may show the time.

    Both count only pages nearer to the seeds than the URL in question. So an answer depends on the
    pages of lesser depth alone, not on their order, if it is asked for after all of them are stored.
    """

    witnesses: int = 3
    more_witnesses: int = 10  # a handful of deleted articles look alike too
    most_contents: int = 100_000  # that are remembered; pages beyond are admitted
    _contents: int = 0
    _pages: dict[tuple[str, str, str], _Pages] = field(default_factory=dict)
    _proven: dict[tuple[str, str], int] = field(default_factory=dict)  # least depth that proves it
    _refuted: dict[tuple[str, str], int] = field(default_factory=dict)

    def note(self, url: CanonicalUrl, content_hash: bytes, depth: int) -> None:
        """A page is stored, or its depth fell. `content_hash`: its `fingerprint`."""
        for host, name, value, rest, likely in session_parameters(url):
            witnesses = self.witnesses if likely else self.more_witnesses
            name = _kind(name, likely)
            if self._is_refuted(host, name, depth):
                continue  # no answer can change any more
            pages = self._pages.get((host, name, rest), _Pages())
            if content_hash not in pages.values:
                if self._contents >= self.most_contents:
                    if pages.values:  # no room for it, but it shows that the value matters
                        _lower(self._refuted, (host, name), max(depth, pages.least))
                    continue
                self._contents += 1
                self._pages[host, name, rest] = pages
            pages.least = min(pages.least, depth)
            values = pages.values.setdefault(content_hash, {})
            values[value] = min(depth, values.get(value, _NEVER))
            if len(values) > witnesses:
                del values[max(values, key=lambda known: (values[known], known))]
            if len(values) == witnesses:
                _lower(self._proven, (host, name), max(values.values()))
            if len(pages.values) > 1:
                nearest = sorted(min(values.values()) for values in pages.values.values())
                _lower(self._refuted, (host, name), nearest[1])

    def rule(self, url: CanonicalUrl, depth: int) -> str | None:
        """Return `trap:session`, or None. `depth` is the URL's own."""
        for host, name, _, rest, likely in session_parameters(url):
            name = _kind(name, likely)
            if self._proven.get((host, name), _NEVER) < depth and not self._is_refuted(host, name, depth):
                pages = self._pages.get((host, name, rest))
                if pages is not None and pages.least < depth:
                    return "trap:session"
        return None

    def _is_refuted(self, host: str, name: str, depth: int) -> bool:
        return name not in _SURE_NAMES and self._refuted.get((host, name), _NEVER) < depth


def _kind(name: str, likely: bool) -> str:
    """Keep apart what is learnt of `sid=9f86d081884c7d65` and of `sid=24`."""
    return name if likely else f"{name}?"


def _lower(depths: dict[tuple[str, str], int], key: tuple[str, str], depth: int) -> None:
    depths[key] = min(depth, depths.get(key, _NEVER))
