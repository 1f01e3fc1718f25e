"""Scope: where a crawl may go, by the URL alone.

May touch: messages, urls.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from penstock.crawler.messages import CanonicalUrl
from penstock.crawler.urls import host_name, host_of


@dataclass(frozen=True, slots=True)
class Scope:
    """Decide which rule keeps a URL out of the crawl.

    kind: `domain` (the registrable domain of a seed, which `registrable` names for a host
    without port), `host` (host and port of a seed; http and https are one host on their default
    ports, which canonical URLs do not show), `prefix` (a seed up to the last slash of its
    path) or `any`. `include` and `exclude` search a canonical URL for their patterns; None: no patterns.
    """

    kind: str
    seeds: Sequence[CanonicalUrl]
    include: Callable[[str], bool] | None = None
    exclude: Callable[[str], bool] | None = None
    registrable: Callable[[str], str | None] = lambda host: None
    closed: Callable[[CanonicalUrl], str | None] | None = None  # the rule of a session: logout or login
    _hosts: frozenset[str] = field(init=False)
    _domains: frozenset[str] = field(init=False)
    _prefixes: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hosts", frozenset(host_of(seed) for seed in self.seeds))
        object.__setattr__(self, "_domains", frozenset(map(self._domain, self._hosts)))
        paths = [seed.partition("?")[0] for seed in self.seeds]
        object.__setattr__(self, "_prefixes", tuple(path[: path.rindex("/") + 1] for path in paths))

    def rule(self, url: CanonicalUrl) -> str | None:
        """Return `scope`, `include`, `exclude`, `logout` or `login`, or None if the URL may be crawled."""
        if not self.inside(url):
            return "scope"
        if self.include is not None and not self.include(url):
            return "include"
        if self.exclude is not None and self.exclude(url):
            return "exclude"
        return None if self.closed is None else self.closed(url)

    def with_seed(self, url: CanonicalUrl) -> Scope:
        """Return the scope of these seeds and one more."""
        return Scope(self.kind, (*self.seeds, url), self.include, self.exclude, self.registrable, self.closed)

    def inside(self, url: CanonicalUrl) -> bool:
        """True if the URL is in the scope of the seeds, whatever the patterns say."""
        if self.kind == "any":
            return True
        if self.kind == "prefix":
            return url.startswith(self._prefixes)
        return self.may_hold(host_of(url))

    def may_hold(self, host: str) -> bool:
        """True if some URL of this host (and port) may be in scope."""
        if self.kind == "domain":
            return self._domain(host) in self._domains
        return host in self._hosts or self.kind == "any"

    def _domain(self, host: str) -> str:
        """Return the registrable domain; the host itself if it has none (an IP address, a bare name)."""
        name = host_name(host)
        return self.registrable(name) or name
