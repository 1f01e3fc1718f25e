"""Robots cache: each origin's rules in memory, and when its robots.txt is requested, and how often.

May touch: messages, ports, policies, logs.

An origin whose robots.txt cannot be fetched (RFC 9309 section 2.3.1.4) is disallowed, not given up:
its robots.txt is requested again after longer and longer waits, and a last time when nothing else
is left to do. The number of requests stands beside the answer on disk; nothing is kept here.
"""

from __future__ import annotations

import math

from msgspec import Struct
from msgspec.structs import replace

from penstock.crawler.messages import CanonicalUrl, Kind, RobotsAnswer
from penstock.crawler.output.logs import get_logger
from penstock.crawler.policies.retry import GiveUp, Retry
from penstock.crawler.policies.robots_rules import Rule, path_of
from penstock.crawler.policies.robots_txt import RobotsMeaning, RobotsPolicy, RobotsTxt, read
from penstock.crawler.ports import FrontierStore
from penstock.crawler.urls import host_of

log = get_logger()


class RobotsRules(Struct, frozen=True):
    """What an origin allows. URLs are those of this origin; that is not checked."""

    meaning: RobotsMeaning
    fetched_at: float = math.inf  # unix seconds
    attempt: int = 1  # number of the request that this answers, in a row without an answer
    _text: RobotsTxt | None = None  # only with RULES

    @classmethod
    def of(cls, answer: RobotsAnswer, policy: RobotsPolicy) -> RobotsRules:
        meaning, text = policy.meaning(answer.status), None
        if meaning is RobotsMeaning.RULES:
            url = answer.url or CanonicalUrl(f"{answer.task.origin}/robots.txt")
            text = read(policy.readable(answer.body), policy.token, url)
        return cls(meaning, answer.fetched_at, answer.task.attempt, text)

    def allows(self, url: CanonicalUrl) -> bool:
        if self._text is None and self.meaning is not RobotsMeaning.UNREACHABLE:
            return True
        path = path_of(url)
        if path == "/robots.txt":  # implicitly allowed: section 2.2.2
            return True
        return self._text is not None and self._text.rules.allows(path)

    def rule_for(self, url: CanonicalUrl) -> Rule | None:
        """Return the line that decides about a URL; None if no line does: then `meaning` decides."""
        if self._text is None or (path := path_of(url)) == "/robots.txt":
            return None
        return self._text.rules.rule_for(path)

    @property
    def crawl_delay(self) -> float:
        """The group's Crawl-delay in seconds (a convention; RFC 9309 does not define it), else 0."""
        return (self._text.crawl_delay or 0.0) if self._text is not None else 0.0

    @property
    def sitemaps(self) -> tuple[CanonicalUrl, ...]:
        """Absolute URLs, in the file's order, each once. Admission still has to check them."""
        return self._text.sitemaps if self._text is not None else ()

    @property
    def refused_sitemaps(self) -> int:
        """Sitemap lines that name no URL that can be requested."""
        return self._text.refused_sitemaps if self._text is not None else 0

    def names_sitemap_on(self, host: str) -> bool:
        """True if a Sitemap line names a file on this host (and port)."""
        return any(host_of(url) == host for url in self.sitemaps)


ALLOW_ALL = RobotsRules(RobotsMeaning.ALLOW_ALL)
NOT_ASKED = RobotsRules(RobotsMeaning.UNREACHABLE, attempt=0)


class RobotsCache:
    """Decide for each origin whether to request its robots.txt, to obey it, or to try again later."""

    def __init__(self, store: FrontierStore, policy: RobotsPolicy | None, retry: Retry) -> None:
        """`policy` None: no robots.txt is requested, and everything is allowed."""
        self._store = store
        self._policy = policy
        self._max_requests = retry.retries + 1  # for one robots.txt: as many as for a page
        self._retry = retry

    async def rules(self, known: dict[str, RobotsRules], site: str, *, now: float) -> RobotsRules:
        """Return the rules of an origin: from `known`, or from disk if these are missing or too old.

        `known` is updated.
        """
        if self._policy is None:
            return ALLOW_ALL
        oldest = self.oldest(now)
        rules = known.get(site)
        if rules is None or (rules.fetched_at <= oldest and rules is not NOT_ASKED):
            rules = known[site] = self.read(await self._store.robots(site, newer_than=oldest))
        return rules

    def oldest(self, now: float) -> float:
        """When a robots.txt must have been fetched, unix seconds, to be of use; infinity: none is."""
        return math.inf if self._policy is None else now - self._policy.max_age

    def next_attempt(self, rules: RobotsRules, *, deferred: bool) -> int | None:
        """Return the number of the request for robots.txt that is due now, from 1; None: none is due.

        `deferred`: the URL in question has waited until nothing else was left.
        """
        if rules.meaning is not RobotsMeaning.UNREACHABLE:
            return None
        # The last request is kept for the end of the crawl, unless there is only one.
        is_due = rules.attempt < (self._max_requests if deferred else max(self._max_requests - 1, 1))
        return rules.attempt + 1 if is_due else None

    def rejection(self, rules: RobotsRules, url: CanonicalUrl, kind: Kind) -> tuple[str, str] | None:
        """Return state and reason of a URL that may not be requested, else None.

        A robots.txt that names sitemaps on its own host asks crawlers to read them, whatever else it
        disallows. The sitemaps that others name on that host obey its rules like pages.
        """
        if rules.allows(url) or (kind == "sitemap" and rules.names_sitemap_on(host_of(url))):
            return None
        if rules.meaning is not RobotsMeaning.UNREACHABLE:
            return "skipped", "robots"
        return ("failed" if rules.attempt >= self._max_requests else "pending"), "robots_unreachable"

    def learn(self, answer: RobotsAnswer) -> tuple[RobotsRules, float]:
        """Return the rules in an answer, and how many seconds to wait before the next request for them."""
        rules = self.read(answer)
        attempt = rules.attempt
        if rules.meaning is not RobotsMeaning.UNREACHABLE:
            return rules, 0.0
        given_up = attempt >= self._max_requests
        if attempt >= self._max_requests - 1:
            log.info(
                "robots_unreachable",
                origin=answer.task.origin,
                error=answer.error or f"http_{answer.status}",
                action="fail the URLs of this host"
                if given_up
                else "try again when all other URLs are settled",
            )
        return rules, 0.0 if given_up else self._retry.backoff(answer.status, attempt, 0.5)

    def read(self, answer: RobotsAnswer | None) -> RobotsRules:
        """Return the rules in an answer; None: there is none yet."""
        if answer is None:
            return NOT_ASKED
        # Where no connection is allowed (`address`) each URL is to be skipped for that reason.
        if self._policy is None or answer.error == "address":
            return ALLOW_ALL
        rules = RobotsRules.of(answer, self._policy)
        if rules.meaning is RobotsMeaning.UNREACHABLE and rules.attempt and self._is_final(answer):
            rules = replace(rules, attempt=self._max_requests)
        return rules

    def _is_final(self, answer: RobotsAnswer) -> bool:
        """True for a failure that another request would not change, such as an expired certificate."""
        if answer.error is None:
            return False
        ruling = self._retry.judge(status=None, reason=answer.error, attempt=1, retry_after=None, chance=0.0)
        return self._retry.retries > 0 and isinstance(ruling, GiveUp)
