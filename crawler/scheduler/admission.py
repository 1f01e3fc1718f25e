"""Admission: the one door for URLs.

canonical → scheme → scope → include/exclude → traps → depth → seen. The first two happen where
a URL is read (`penstock.crawler.urls`: what is not canonical http(s) never gets this far, and
`is_too_long` is counted there); the middle ones here; the last is the frontier's unique
key, spared by the seen set.

May touch: policies, seen, urls.

Seeds, links and redirects all pass it. It is asked once per URL, when the URL is new,
and again only when a better way to it turns up.
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
        """The rule for a new URL that is reached so."""
        if (rule := self.scope.rule(url)) is not None:
            return rule
        if self.traps is not None and (rule := self.traps.rule(url) or self.traps.rule_along(reach.run)):
            return rule
        return self.horizon.rule(reach)

    def run(self, source: CanonicalUrl, run: int, target: CanonicalUrl, *, hops: int) -> int:
        """How many hops in a row along one shape lead to `target` by way of `source`, whose own is `run`."""
        return 0 if self.traps is None else run_of(run, shape(source), shape(target), hops=hops)

    def rule_again(self, rule: str | None, url: CanonicalUrl, reach: Reach) -> str | None:
        """The rule for a URL kept out by `rule` to which a better way was found."""
        return self.rule(url, reach) if rule in DYNAMIC_RULES else rule

    def sitemap_rule(self, url: CanonicalUrl) -> str | None:
        """The rule for a sitemap that the web, not the operator, names: it must lie in scope."""
        return None if self.scope.inside(url) else "scope"

    def widen(self, url: CanonicalUrl) -> bool:
        """Bring where a seed redirects to into scope. False if it was there already."""
        if self.scope.inside(url):
            return False
        self.scope = self.scope.with_seed(url)
        return True
