"""Robots: the rules of one origin, ready to be asked; when to ask the origin for them, and how often.

May touch: messages, ports, policies.

An origin that cannot say anything (RFC 9309 section 2.3.1.4) is disallowed, not given up: it
is asked again after longer and longer waits, and a last time when the crawl has nothing else
left to do. How often it was asked stands with its answer on disk; nothing is kept here.
"""

from __future__ import annotations

import math

from msgspec import Struct

from penstock.crawler.messages import CanonicalUrl, RobotsAnswer
from penstock.crawler.output.logs import get_logger
from penstock.crawler.policies.retry import Retry
from penstock.crawler.policies.robots import RobotsMeaning, RobotsPolicy
from penstock.crawler.policies.robots_rules import Rule, path_of
from penstock.crawler.policies.robots_txt import RobotsTxt, read
from penstock.crawler.ports import FrontierStore

log = get_logger()


class RobotsRules(Struct, frozen=True):
    """What an origin allows. URLs are those of this origin; that is not checked."""

    meaning: RobotsMeaning
    fetched_at: float = math.inf  # unix seconds
    attempt: int = 1  # how many requests in a row this was the end of
    _said: RobotsTxt | None = None  # only with RULES

    @classmethod
    def of(cls, answer: RobotsAnswer, policy: RobotsPolicy) -> RobotsRules:
        meaning = policy.meaning(answer.status)
        if meaning is not RobotsMeaning.RULES:
            return cls(meaning, answer.fetched_at, answer.task.attempt)
        return cls(
            meaning, answer.fetched_at, answer.task.attempt, read(policy.readable(answer.body), policy.token)
        )

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
NOT_ASKED = RobotsRules(RobotsMeaning.UNREACHABLE, attempt=0)


class RobotsCache:
    """Decides for one origin after the other whether to ask, to obey, or to come back later."""

    def __init__(self, store: FrontierStore, policy: RobotsPolicy | None, retry: Retry) -> None:
        """`policy` None: nobody is asked, and everything is allowed."""
        self._store = store
        self._policy = policy
        self._retry = retry

    async def rules(self, known: dict[str, RobotsRules], site: str, *, now: float) -> RobotsRules:
        """What is known of an origin: from `known`, which is brought up to date, or from disk."""
        if self._policy is None:
            return ALLOW_ALL
        oldest = now - self._policy.max_age
        rules = known.get(site)
        if rules is None or rules.fetched_at <= oldest:
            answer = await self._store.robots(site, newer_than=oldest)
            rules = known[site] = self._read(answer) if answer is not None else NOT_ASKED
        return rules

    def next_attempt(self, rules: RobotsRules, *, deferred: bool) -> int | None:
        """The number of the request for robots.txt that is due now, from 1; None: no such request.

        `deferred`: the URL in question has waited until nothing else was left.
        """
        if rules.meaning is not RobotsMeaning.UNREACHABLE:
            return None
        # The last one is for the end; but whoever may be asked only once is asked at once.
        is_due = rules.attempt < (self._most if deferred else max(self._most - 1, 1))
        return rules.attempt + 1 if is_due else None

    def refusal(self, rules: RobotsRules, url: CanonicalUrl) -> tuple[str, str] | None:
        """State and reason of a URL that may not be asked for."""
        if rules.allows(url):
            return None
        if rules.meaning is not RobotsMeaning.UNREACHABLE:
            return "skipped", "robots"
        return ("failed" if rules.attempt >= self._most else "pending"), "robots_unreachable"

    def learn(self, answer: RobotsAnswer) -> tuple[RobotsRules, float]:
        """What an answer means, and how many seconds to wait before the next request for another."""
        rules, attempt = self._read(answer), answer.task.attempt
        if rules.meaning is not RobotsMeaning.UNREACHABLE or attempt >= self._most:
            wait = 0.0
        else:
            wait = self._retry.backoff(answer.status, attempt, 0.5)
        if rules.meaning is RobotsMeaning.UNREACHABLE and attempt >= self._most - 1:
            last = attempt >= self._most
            log.info(
                "robots_unreachable",
                origin=answer.task.origin,
                error=answer.error or f"http_{answer.status}",
                action="fail the URLs of this host" if last else "try again when all other URLs are settled",
            )
        return rules, wait

    @property
    def _most(self) -> int:
        """Requests for one robots.txt: as many as for a page."""
        return self._retry.retries + 1

    def _read(self, answer: RobotsAnswer) -> RobotsRules:
        # Where no connection may go (`address`) each URL is to be told so itself.
        if self._policy is None or answer.error == "address":
            return ALLOW_ALL
        return RobotsRules.of(answer, self._policy)
