"""Admission: the one door for URLs.

canonical → scheme → scope → include/exclude → traps → depth → seen. The first two happen where
a URL is read (`penstock.crawler.urls`: a URL that is not canonical http(s) is dropped there, and
`is_too_long` is counted there); the middle ones here; the last is the frontier's unique key,
behind the seen set.

May touch: policies, messages.

Seeds, links and redirects all pass it. Discovery asks it once per URL, when the URL is new, and
again only when a better way to the URL is found.
"""

from __future__ import annotations

from msgspec import Struct

from penstock.crawler.messages import CanonicalUrl
from penstock.crawler.policies.reach import DYNAMIC_RULES, Horizon, Reach
from penstock.crawler.policies.scope import Scope
from penstock.crawler.policies.traps import Traps, run_of, shape


class Admission(Struct):
    """Name the rule that keeps a URL out; None lets it in."""

    scope: Scope
    horizon: Horizon
    traps: Traps | None = None

    def rule(self, url: CanonicalUrl, reach: Reach) -> str | None:
        """The rule for a new URL with this reach."""
        if (rule := self.scope.rule(url)) is not None:
            return rule
        if self.traps is not None and (rule := self.traps.rule(url) or self.traps.rule_along(reach.run)):
            return rule
        return self.horizon.rule(reach)

    def run(self, source: CanonicalUrl, run: int, target: CanonicalUrl, *, hops: int) -> int:
        """Hops in a row along one shape that lead to `target` through `source`, whose own number is `run`."""
        return 0 if self.traps is None else run_of(run, shape(source), shape(target), hops=hops)

    def rule_again(self, rule: str | None, url: CanonicalUrl, reach: Reach) -> str | None:
        """The rule for a URL that `rule` keeps out and to which a better way was found."""
        return self.rule(url, reach) if rule in DYNAMIC_RULES else rule

    def sitemap_rule(self, url: CanonicalUrl) -> str | None:
        """The rule for a sitemap that a site, not the operator, names: it must be in scope."""
        return None if self.scope.inside(url) else "scope"

    def widen(self, url: CanonicalUrl) -> bool:
        """Extend the scope by the target of a seed's redirect. False if the target was in scope already."""
        if self.scope.inside(url):
            return False
        self.scope = self.scope.with_seed(url)
        return True
