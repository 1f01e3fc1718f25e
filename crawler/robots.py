"""Robots rules of one origin, ready to be asked.

May touch: messages, policies.
"""

from __future__ import annotations

from dataclasses import dataclass

from crawler.messages import CanonicalUrl, RobotsAnswer
from crawler.policies.robots import RobotsMeaning, RobotsPolicy
from crawler.policies.robots_rules import Rule, path_of
from crawler.policies.robots_txt import RobotsTxt, read


@dataclass(frozen=True, slots=True)
class RobotsRules:
    """What an origin allows. URLs are those of this origin; that is not checked."""

    meaning: RobotsMeaning
    _said: RobotsTxt | None = None  # only with RULES

    @classmethod
    def of(cls, answer: RobotsAnswer, policy: RobotsPolicy) -> RobotsRules:
        meaning = policy.meaning(answer.status)
        if meaning is not RobotsMeaning.RULES:
            return cls(meaning)
        return cls(meaning, read(policy.readable(answer.body), policy.token))

    def allows(self, url: CanonicalUrl) -> bool:
        if self._said is None and self.meaning is not RobotsMeaning.UNREACHABLE:
            return True
        path = path_of(url)
        if path == "/robots.txt":  # implicitly allowed: section 2.2.2
            return True
        return self._said is not None and self._said.rules.allows(path)

    def rule_for(self, url: CanonicalUrl) -> Rule | None:
        """The line that decides about a URL; None if no line does: then the meaning decides."""
        if self._said is None or (path := path_of(url)) == "/robots.txt":
            return None
        return self._said.rules.rule_for(path)

    @property
    def crawl_delay(self) -> float:
        """The group's Crawl-delay in seconds (a convention; RFC 9309 does not define it), else 0."""
        return (self._said.crawl_delay or 0.0) if self._said is not None else 0.0

    @property
    def sitemaps(self) -> tuple[CanonicalUrl, ...]:
        """Absolute URLs, in the file's order, each once. They still have to pass the one door."""
        return self._said.sitemaps if self._said is not None else ()


ALLOW_ALL = RobotsRules(RobotsMeaning.ALLOW_ALL)
