"""Rewrite: URL rules that an operator may ask for, on top of the canonical form.

May touch: messages, urls.

By the standard these URLs are different ones, and on some sites they are different pages,
so every rule is off by default. Applied where a URL is read, seeds included, before
anything compares it: they belong to a crawl's identity.
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
    """Rewrite a canonical http(s) URL; what no rule concerns keeps its order and spelling.

    strip_params: globs (`*`, `?`) of query parameters to leave out, compared with the
        decoded name, case and all. A query of which nothing is left goes with its `?`.
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
        # `[` is no wildcard here: parameters are often named `filter[price]`. What translate
        # makes of a glob cannot run away, however many stars it has.
        globs = [translate(glob.replace("[", "[[]")) for glob in self.strip_params]
        object.__setattr__(self, "_stripped", re.compile("|".join(globs)) if globs else None)

    def __call__(self, url: CanonicalUrl) -> CanonicalUrl:
        """Idempotent, and canonical again. Does not raise."""
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
        # Once more: without its session a segment can be one of dots.
        return CanonicalUrl(canonical(unsplit(secure, host, path + mark + query)) or url)

    def _rewritten(self, mark: str, query: str) -> tuple[str, str]:
        given = query.split("&")
        parts = [part for part in given if not self._strips(part)]
        if len(parts) == len(given) and not self.sort_query:
            return mark, query
        if self.sort_query:
            parts.sort(key=_name)
        query = "&".join(parts)
        return (mark if query else ""), query

    def _strips(self, part: str) -> bool:
        if self.strip_sessions and is_session(_name(part), part.partition("=")[2]):
            return True
        return self._stripped is not None and self._stripped.match(_name(part)) is not None


def _name(part: str) -> str:
    name = part.partition("=")[0]
    return unquote_plus(name) if "%" in name or "+" in name else name
