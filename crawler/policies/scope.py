"""Scope: where a crawl may go, by the URL alone.

May touch: messages, urls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from penstock.crawler.messages import CanonicalUrl
from penstock.crawler.urls import host_name, host_of


@dataclass(slots=True)
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
    _hosts: set[str] = field(init=False, default_factory=set)
    _domains: set[str] = field(init=False, default_factory=set)
    _prefixes: dict[str, tuple[str, ...]] = field(init=False, default_factory=dict)  # by host

    def __post_init__(self) -> None:
        for seed in self.seeds:
            self.extend(seed)

    def extend(self, seed: CanonicalUrl) -> None:
        """Take one more seed into the scope, in a time that does not depend on their number."""
        host, path = host_of(seed), seed.partition("?")[0]
        self._hosts.add(host)
        if self.kind == "domain":
            self._domains.add(self._domain(host))
        prefix, known = path[: path.rindex("/") + 1], self._prefixes.get(host, ())
        if not prefix.startswith(known):
            self._prefixes[host] = (*known, prefix)

    def rule(self, url: CanonicalUrl) -> str | None:
        """Return `scope`, `include`, `exclude`, `logout` or `login`, or None if the URL may be crawled."""
        if not self.inside(url):
            return "scope"
        if self.include is not None and not self.include(url):
            return "include"
        if self.exclude is not None and self.exclude(url):
            return "exclude"
        return None if self.closed is None else self.closed(url)

    def of(self, seeds: Sequence[CanonicalUrl]) -> Scope:
        """Return the part of this scope that these seeds alone make, without patterns."""
        return Scope(self.kind, seeds, registrable=self.registrable)

    def hosts_of(self, hosts: Iterable[str]) -> list[str]:
        """Return those of `hosts` of which some URL may be in scope."""
        if self.kind == "domain":  # to look for the end of a name takes a tenth of looking for its domain
            ends = tuple(self._domains)
            hosts = (host for host in hosts if host_name(host).endswith(ends))
        return [host for host in hosts if self.may_hold(host)]

    def inside(self, url: CanonicalUrl) -> bool:
        """True if the URL is in the scope of the seeds, whatever the patterns say."""
        if self.kind == "any":
            return True
        if self.kind == "prefix":
            return url.startswith(self._prefixes.get(host_of(url), ()))
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
