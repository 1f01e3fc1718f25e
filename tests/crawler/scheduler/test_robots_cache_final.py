"""Robots cache: a failure that will not mend is not asked for again and again."""

from __future__ import annotations

import pytest

from penstock.crawler.messages import RobotsAnswer, RobotsTask
from penstock.crawler.policies.retry import Retry
from penstock.crawler.policies.robots_txt import RobotsPolicy
from penstock.crawler.scheduler.robots_cache import RobotsCache
from tests.support.fakes import MemoryCrawl

SITE = "https://a.example"


@pytest.mark.parametrize(
    ("error", "again"),
    [
        ("tls:expired", False),
        ("tls:self_signed", False),
        ("tls:wrong_name", False),
        ("refused", True),
        ("dns", True),
        ("timeout_connect", True),
    ],
)
def test_a_bad_certificate_is_asked_for_robots_txt_once(error: str, again: bool) -> None:
    cache = RobotsCache(MemoryCrawl(), RobotsPolicy(token="Penstock"), Retry(retries=3))
    task = RobotsTask(origin=SITE, host="a.example", attempt=1)

    rules, wait = cache.learn(RobotsAnswer(task=task, fetched_at=0.0, error=error))

    assert (cache.next_attempt(rules, deferred=False) is not None) is again
    assert (cache.next_attempt(rules, deferred=True) is not None) is again
    assert (wait > 0) is again


def test_the_next_run_asks_once_more() -> None:
    """Attempts are counted per run: the store gives them back as 0."""
    cache = RobotsCache(MemoryCrawl(), RobotsPolicy(token="Penstock"), Retry(retries=3))
    task = RobotsTask(origin=SITE, host="a.example", attempt=0)

    rules = cache.read(RobotsAnswer(task=task, fetched_at=0.0, error="tls:expired"))

    assert cache.next_attempt(rules, deferred=False) == 1
