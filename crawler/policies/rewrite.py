"""Rewrite: URL rules that an operator may ask for, on top of the canonical form.

May touch: messages, urls.

By the standard the URLs that a rule joins are different ones, and on some sites they are
different pages, so every rule is off by default. The rules are applied where a URL is read, seeds
included, before anything compares it. They are part of a crawl's identity.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import translate
from urllib.parse import unquote_plus

from penstock.crawler.messages import CanonicalUrl
from penstock.crawler.policies.sessions import is_session, without_path_sessions
from penstock.crawler.urls import canonical, split, unsplit

_INDEX = re.compile(r"(?<=/)(?:index|default)\.(?:html?|php|aspx?|jsp|cgi)\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Rewrite a canonical http(s) URL. Parts that no rule concerns keep their order and spelling.

    strip_params: globs (`*`, `?`) of query parameters to leave out, compared with the
        decoded name, case included. An empty query loses its `?` too.
    strip_sessions: leave out parameters that are named like session ids, also those that
        stand in the path (`;jsessionid=`).
    sort_query: bring the parameters into one order, equal names in the order given.
    fold_index: `/index.html` and its like become `/`.
    """

    strip_params: Sequence[str] = ()
    strip_sessions: bool = False
    sort_query: bool = False
    fold_index: bool = False
    _stripped: re.Pattern[str] | None = field(init=False)

    def __post_init__(self) -> None:
        # `[` is not a wildcard here: parameters are often named `filter[price]`. The pattern that
        # translate makes of a glob does not backtrack, however many stars the glob has.
        globs = [translate(glob.replace("[", "[[]")) for glob in self.strip_params]
        object.__setattr__(self, "_stripped", re.compile("|".join(globs)) if globs else None)

    def __call__(self, url: CanonicalUrl) -> CanonicalUrl:
        """Return the rewritten URL, which is canonical again. Idempotent. Does not raise."""
        if not (self.fold_index or "?" in url or (self.strip_sessions and ";" in url)):
            return url
        secure, host, rest = split(url)
        path, mark, query = rest.partition("?")
        if self.strip_sessions:
            path = without_path_sessions(path)
        if self.fold_index:
            path = _INDEX.sub("", path)
        if mark and (self.sort_query or self.strip_sessions or self._stripped):
            mark, query = self._rewritten(mark, query)
        if path + mark + query == rest:
            return url
        # Canonical once more: a segment without its session id can be `.` or `..`.
        return CanonicalUrl(canonical(unsplit(secure, host, path + mark + query)) or url)

    def _rewritten(self, mark: str, query: str) -> tuple[str, str]:
        given = query.split("&")
        parts = [
            part
            for part in given
            if not (self.strip_sessions and is_session(_name(part), part.partition("=")[2]))
            and (self._stripped is None or self._stripped.match(_name(part)) is None)
        ]
        if len(parts) == len(given) and not self.sort_query:
            return mark, query
        if self.sort_query:
            parts.sort(key=_name)
        query = "&".join(parts)
        return (mark if query else ""), query


def _name(part: str) -> str:
    name = part.partition("=")[0]
    return unquote_plus(name) if "%" in name or "+" in name else name
