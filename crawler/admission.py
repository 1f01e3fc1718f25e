"""Admission: the one door for URLs.

canonical → scheme → scope → include/exclude → depth → seen. The first two happen where
a URL is read (`crawler.urls`: what is not canonical http(s) never gets this far, and
`is_too_long` is counted there); the middle ones here; the last is the frontier's unique
key, spared by the seen set.

May touch: policies, seen, urls.

Seeds, links and redirects all pass it. It is asked once per URL, when the URL is new,
and again only when a better way to it turns up.
"""

from __future__ import annotations

from dataclasses import dataclass

from crawler.messages import CanonicalUrl
from crawler.policies.reach import DYNAMIC_RULES, Horizon, Reach
from crawler.policies.scope import Scope


@dataclass(frozen=True, slots=True)
class Admission:
    """Name the rule that keeps a URL out; None lets it in."""

    scope: Scope
    horizon: Horizon

    def rule(self, url: CanonicalUrl, reach: Reach) -> str | None:
        """The rule for a new URL that is reached so."""
        return self.scope.rule(url) or self.horizon.rule(reach)

    def rule_again(self, rule: str | None, url: CanonicalUrl, reach: Reach) -> str | None:
        """The rule for a URL kept out by `rule` to which a better way was found."""
        return self.rule(url, reach) if rule in DYNAMIC_RULES else rule
