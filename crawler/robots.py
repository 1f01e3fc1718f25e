"""Robots rules of one origin, ready to be asked.

May touch: protego; nobody else imports it.
"""

from __future__ import annotations

from dataclasses import dataclass

from protego import Protego

from crawler.messages import CanonicalUrl, RobotsAnswer
from crawler.policies.robots import RobotsMeaning, RobotsPolicy

PRODUCT_TOKEN = "Penstock"
"""The name that robots.txt groups match, whatever the full User-Agent says."""


@dataclass(frozen=True, slots=True)
class RobotsRules:
    """What an origin allows. `rule(url)` names why a URL may not be asked for, if so."""

    meaning: RobotsMeaning
    _parsed: Protego | None = None

    @classmethod
    def of(cls, answer: RobotsAnswer, policy: RobotsPolicy) -> RobotsRules:
        meaning = policy.meaning(answer.status)
        if meaning is not RobotsMeaning.RULES:
            return cls(meaning)
        text = answer.body[: policy.max_bytes].decode("utf-8-sig", "replace")
        return cls(meaning, Protego.parse(text))

    def allows(self, url: CanonicalUrl) -> bool:
        if self._parsed is None:
            return self.meaning is not RobotsMeaning.UNREACHABLE
        return bool(self._parsed.can_fetch(url, PRODUCT_TOKEN))

    @property
    def crawl_delay(self) -> float:
        """The group's Crawl-delay in seconds (a convention; RFC 9309 does not define it), else 0."""
        delay = self._parsed.crawl_delay(PRODUCT_TOKEN) if self._parsed is not None else None
        return float(delay) if delay is not None and 0 < delay < float("inf") else 0.0


ALLOW_ALL = RobotsRules(RobotsMeaning.ALLOW_ALL)
