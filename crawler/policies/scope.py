"""Scope: where a crawl may go. The part of admission that looks at nothing but the URL.

May touch: messages, urls.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from crawler.messages import CanonicalUrl
from crawler.urls import split


@dataclass(frozen=True, slots=True)
class Scope:
    """Name the rule that turns a URL away, if one does.

    kind: `host` (host and port of a seed; http and https are one host on their default
    ports, which canonical URLs do not show), `prefix` (a seed up to the last slash of its
    path) or `any`. Patterns are searched in the canonical URL.
    """

    kind: str
    seeds: Sequence[CanonicalUrl]
    include: Sequence[re.Pattern[str]] = ()
    exclude: Sequence[re.Pattern[str]] = ()
    _hosts: frozenset[str] = field(init=False)
    _prefixes: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hosts", frozenset(split(seed).host for seed in self.seeds))
        object.__setattr__(self, "_prefixes", tuple(_folder(seed) for seed in self.seeds))

    def rule(self, url: CanonicalUrl) -> str | None:
        """Return `scope`, `include` or `exclude`, or None if the URL may be crawled."""
        if not self._inside(url):
            return "scope"
        if self.include and not any(pattern.search(url) for pattern in self.include):
            return "include"
        if any(pattern.search(url) for pattern in self.exclude):
            return "exclude"
        return None

    def _inside(self, url: CanonicalUrl) -> bool:
        if self.kind == "any":
            return True
        if self.kind == "prefix":
            return url.startswith(self._prefixes)
        return split(url).host in self._hosts


def _folder(seed: CanonicalUrl) -> str:
    path = seed.partition("?")[0]
    return path[: path.rindex("/") + 1]
