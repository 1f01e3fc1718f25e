"""URLs: the canonical spelling of each, by the WHATWG standard through ada-url.

May touch: ada_url; no other module imports it.

All code that compares, stores or fetches a URL uses the spelling of this module: the
serialisation of the WHATWG URL standard without fragment and without userinfo (a password
must reach neither the database nor a log).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

import ada_url

from penstock.crawler.messages import CanonicalUrl

MAX_URL_CHARS = 2083  # sitemaps.org's bound, and old browsers'; beyond it are mostly traps

_MEMO_ENTRIES = 20_000
_MEMO_CHARS = 300  # of base and href; a hostile page would fill the memory with longer ones
# An href whose result depends only on the folder of its base. It begins neither with a character
# that the standard strips nor with a query, which is joined to the base itself; so is that of
# `http:?a`, hence no colon in the path unless the href is plainly absolute.
_OF_FOLDER = re.compile(r"https?://|[^\x00-\x20?#:][^?:]*+(?:\?|\Z)", re.DOTALL)
# A path that the standard does not change: it is appended to the folder of its base. No segment
# consists of dots alone, and nothing in it is stripped, escaped or taken for a scheme.
_PLAIN = re.compile(r"\w[\w-]*(?:[./][\w-]+)*\Z", re.ASCII)

_WORDS = re.compile(r"(?![a-z][a-z0-9+.-]*:|[/?.])\S*\s+\S", re.IGNORECASE)
_AUTHORITY_END = re.compile(r"[/?]")


class UrlParts(NamedTuple):
    """A canonical http(s) URL in three parts."""

    secure: bool  # https
    host: str  # name and non-default port
    path: str  # path and query, from the slash on


def canonical(text: str) -> str | None:
    """Return the canonical form of an absolute URL of any scheme, or None if it is not valid."""
    try:
        return _bare(ada_url.normalize_url(text))
    except (ValueError, UnicodeError):
        return None


def resolve(base: str, href: str) -> str | None:
    """Resolve `href` against `base` (both as written) to canonical form; None if not valid.

    The result may have any scheme.
    """
    try:
        return _bare(ada_url.join_url(base, href))
    except (ValueError, UnicodeError):
        return None


def resolve_handwritten(base: CanonicalUrl, text: str) -> str | None:
    """Resolve a reference from a file that asks for whole URLs, such as a sitemap; None if not valid.

    A relative reference has one meaning all the same. The host name of `base` without a scheme, with
    or without `www.`, is read as a host. Words with blanks between them are none, unless they begin
    like a path or a URL.
    """
    first = text.partition("/")[0].lower()
    if "." in first and first.removeprefix("www.") == host_name(host_of(base)).removeprefix("www."):
        text = f"//{text}"
    elif _WORDS.match(text):
        return None
    return resolve(base, text) if text else None


def without_fragment(href: str) -> str:
    """Cut the fragment off an href as written. The rest resolves to the same URL without a fragment."""
    rest, mark, _ = href.partition("#")
    # A blank at the end of an href is stripped, one before a fragment is part of the path.
    return rest + mark if mark and rest and rest[-1] <= " " else rest


def is_http(url: str) -> bool:
    """True for the schemes that a crawler fetches (of a canonical URL)."""
    return url.startswith(("http://", "https://"))


def split(url: CanonicalUrl) -> UrlParts:
    """Split a canonical http(s) URL; `unsplit` is the inverse."""
    scheme, _, host, path = url.split("/", 3)
    return UrlParts(scheme == "https:", host, f"/{path}")


def host_of(url: CanonicalUrl) -> str:
    """Return the host of a canonical http(s) URL, with a port that is not the default one."""
    return url.split("/", 3)[2]


def unsplit(secure: bool | int, host: str, path: str) -> CanonicalUrl:
    """Join the parts of `split`."""
    return CanonicalUrl(f"{'https' if secure else 'http'}://{host}{path}")


def origin(url: CanonicalUrl) -> str:
    """Return scheme://host of a canonical http(s) URL, without a trailing slash."""
    return url[: url.index("/", 8)]


def host_name(host: str) -> str:
    """Return the host without its port."""
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host


def _bare(href: str) -> str:
    href = href.partition("#")[0]
    if "@" in href and (start := href.find("://") + 3) > 2:
        # A host of http is always followed by a slash; that of other schemes need not be.
        authority = _AUTHORITY_END.split(href[start:], maxsplit=1)[0]
        href = href[:start] + authority.rpartition("@")[2] + href[start + len(authority) :]
    return href


class Joiner:
    """Resolve many hrefs of many pages: `resolve` with a cache.

    Most hrefs of a page repeat on the next one in the same folder (28 to 66 % even within a page),
    and nearly all results depend only on that folder, so they are cached by folder. The cache is
    bounded: when the recent half is full, the previous half is dropped.
    """

    def __init__(self) -> None:
        self._base = ""  # of the latest call, with the entries of its folder: a page calls many times
        self._folder = ""
        self._here: dict[str, CanonicalUrl] = {}
        self._recent: dict[str, dict[str, CanonicalUrl]] = {}  # by folder, then by href without fragment
        self._previous: dict[str, dict[str, CanonicalUrl]] = {}
        self._entries = 0  # of the recent ones

    def __call__(self, base: str, href: str) -> str | None:
        """Resolve `href` against `base`, which must be canonical; None if not valid."""
        joined = self.known(base).get(href)
        return joined if joined is not None else self._resolve(base, href)

    def known(self, base: str) -> Mapping[str, CanonicalUrl]:
        """Return the cached results for pages at `base`, by href without fragment.

        All results are http(s), and that of an ASCII href is shorter than `MAX_URL_CHARS`. Valid
        until the next call with another base.
        """
        if base != self._base:
            self._base, self._here = base, self._enter(base)
        return self._here

    def _resolve(self, base: str, href: str) -> str | None:
        href = without_fragment(href)
        if not href:
            return base
        if not is_http(base):
            return resolve(base, href)
        joined = self._folder + href if _PLAIN.match(href) else resolve(base, href)
        if joined is not None and len(base) + len(href) <= _MEMO_CHARS and _OF_FOLDER.match(href):
            self._here[href] = CanonicalUrl(joined)
            self._entries += 1
        return joined

    def _enter(self, base: str) -> dict[str, CanonicalUrl]:
        """Return the entries of the folder that `base` lies in, which become recent ones."""
        if self._entries >= _MEMO_ENTRIES:
            self._previous, self._recent, self._entries = self._recent, {}, 0
        path = base.partition("?")[0]
        folder = self._folder = path[: path.rfind("/") + 1]
        if len(folder) > _MEMO_CHARS:
            return {}
        if folder not in self._recent:
            known = self._previous.pop(folder, {})
            # A folder that fills half of the cache by itself would be carried along for ever.
            self._recent[folder] = known if len(known) < _MEMO_ENTRIES // 2 else {}
            self._entries += len(self._recent[folder]) + 1
        return self._recent[folder]
