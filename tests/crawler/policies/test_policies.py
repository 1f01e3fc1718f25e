"""Policies of time and amount: retry, politeness, budget, and what a robots.txt means.

Tables of cases; nothing waits and nothing is drawn by lot.
"""

from __future__ import annotations

import pytest

from penstock.crawler.messages import CanonicalUrl, RobotsAnswer, RobotsTask
from penstock.crawler.policies.politeness import Budget, Politeness
from penstock.crawler.policies.retry import RETRIED_REASONS, GiveUp, Retry, Wait
from penstock.crawler.policies.robots_txt import RobotsMeaning, RobotsPolicy
from penstock.crawler.scheduler.robots_cache import ALLOW_ALL, RobotsRules


def ruling(
    *,
    status: int | None = None,
    reason: str = "timeout",
    attempt: int = 1,
    retry_after: float | None = None,
    chance: float = 0.5,
    policy: Retry | None = None,
) -> Wait | GiveUp:
    return (policy or Retry()).judge(
        status=status, reason=reason, attempt=attempt, retry_after=retry_after, chance=chance
    )


class TestRetry:
    @pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 520, 522, 525, 529])
    def test_a_status_that_may_pass_is_tried_again(self, status: int) -> None:
        assert isinstance(ruling(status=status, reason=f"http_{status}"), Wait)

    @pytest.mark.parametrize("status", [300, 304, 400, 401, 403, 404, 410, 418, 451, 501, 505, 519, 530, 999])
    def test_a_status_that_will_not_pass_is_final(self, status: int) -> None:
        assert ruling(status=status, reason=f"http_{status}") == GiveUp(reason=f"http_{status}")

    @pytest.mark.parametrize("reason", sorted(RETRIED_REASONS))
    def test_a_failure_that_may_pass_is_tried_again(self, reason: str) -> None:
        assert isinstance(ruling(reason=reason), Wait)

    @pytest.mark.parametrize("reason", ["tls", "too_large", "unknown_coding", "bad_url", "internal:KeyError"])
    def test_a_failure_that_will_not_pass_is_final(self, reason: str) -> None:
        assert ruling(reason=reason) == GiveUp(reason=reason)

    def test_the_status_decides_if_there_is_one(self) -> None:
        """A page that is not found does not become a passing failure by its words."""
        assert ruling(status=404, reason="timeout") == GiveUp(reason="timeout")

    @pytest.mark.parametrize(("retries", "requests"), [(0, 1), (1, 2), (3, 4)])
    def test_a_number_of_retries_allows_one_more_request_than_that(self, retries: int, requests: int) -> None:
        policy = Retry(retries=retries)

        rulings = [ruling(attempt=attempt, policy=policy) for attempt in range(1, requests + 1)]

        assert [isinstance(one, Wait) for one in rulings] == [True] * retries + [False]
        assert rulings[-1] == GiveUp(reason="timeout")

    @pytest.mark.parametrize(
        ("attempt", "seconds"), [(1, 1), (2, 2), (3, 4), (9, 256), (10, 300), (999, 300)]
    )
    def test_the_wait_doubles_up_to_a_bound(self, attempt: int, seconds: float) -> None:
        assert ruling(attempt=attempt, policy=Retry(retries=9999)) == Wait(seconds=seconds)

    @pytest.mark.parametrize(("attempt", "seconds"), [(1, 4), (2, 8), (7, 256), (8, 300)])
    def test_too_many_requests_earn_a_longer_wait(self, attempt: int, seconds: float) -> None:
        """A 429 is the server's own word that we are too fast."""
        assert ruling(status=429, attempt=attempt, policy=Retry(retries=99)) == Wait(seconds=seconds)

    @pytest.mark.parametrize(("chance", "seconds"), [(0.0, 2.0), (0.25, 3.0), (0.75, 5.0)])
    def test_the_wait_varies_by_half(self, chance: float, seconds: float) -> None:
        """URLs that failed together do not come back together."""
        assert ruling(attempt=3, chance=chance) == Wait(seconds=seconds)

    @pytest.mark.parametrize(("retry_after", "seconds"), [(0.0, 1.0), (0.5, 1.0), (7.0, 7.0), (60.0, 60.0)])
    def test_retry_after_binds_when_it_asks_for_more(self, retry_after: float, seconds: float) -> None:
        assert ruling(status=503, retry_after=retry_after) == Wait(seconds=seconds)

    @pytest.mark.parametrize("status", [429, 500, 503, None])
    def test_a_retry_after_beyond_the_bound_is_final(self, status: int | None) -> None:
        """To come back sooner would disobey, to wait for it would hold up the crawl."""
        assert ruling(status=status, retry_after=60.1) == GiveUp(reason="retry_after_too_long")

    def test_a_retry_after_does_not_make_a_final_failure_retriable(self) -> None:
        assert ruling(status=404, reason="http_404", retry_after=3600) == GiveUp(reason="http_404")


class TestPoliteness:
    @pytest.mark.parametrize(
        ("adaptive", "delay", "crawl_delay", "pause"),
        [
            (True, 0, 0, 0),
            (True, 2, 0, 2),
            (True, 0, 5, 5),
            (True, 2, 5, 5),
            (True, 7, 5, 7),
            (True, 0, 3600, 30),  # a trap or a mistake: the bound counts
            (True, 45, 3600, 45),
            (False, 0, 5, 0),  # fixed keeps exactly what the operator asked for
            (False, 2, 5, 2),
        ],
    )
    def test_starts_are_the_longer_of_delay_and_crawl_delay_apart(
        self, adaptive: bool, delay: float, crawl_delay: float, pause: float
    ) -> None:
        policy = Politeness(delay=delay, adaptive=adaptive)

        assert policy.next_start(100.0, crawl_delay) == 100.0 + pause

    @pytest.mark.parametrize(
        ("adaptive", "retry_after", "pause"),
        [(True, None, 0), (True, 0, 0), (True, 20, 20), (True, 3600, 60), (False, 20, 0), (False, None, 0)],
    )
    def test_retry_after_pauses_the_host_under_adaptive_only(
        self, adaptive: bool, retry_after: float | None, pause: float
    ) -> None:
        assert Politeness(adaptive=adaptive).pause(retry_after) == pause


class TestBudget:
    @pytest.mark.parametrize(
        ("budget", "pages", "size", "spent"),
        [
            (Budget(), 10**9, 10**15, None),
            (Budget(max_pages=3), 2, 10**15, None),
            (Budget(max_pages=3), 3, 0, "max_pages"),
            (Budget(max_pages=3), 4, 0, "max_pages"),
            (Budget(max_bytes=100), 10**9, 99, None),
            (Budget(max_bytes=100), 0, 100, "max_bytes"),
            (Budget(max_pages=3, max_bytes=100), 3, 100, "max_pages"),
        ],
    )
    def test_a_budget_is_spent_when_the_stored_pages_or_bytes_reach_it(
        self, budget: Budget, pages: int, size: int, spent: str | None
    ) -> None:
        assert budget.spent(pages=pages, size=size) == spent

    @pytest.mark.parametrize(
        ("pages", "leased", "may"), [(0, 0, True), (0, 2, True), (0, 3, False), (2, 0, True), (2, 1, False)]
    )
    def test_no_more_urls_are_leased_than_may_become_pages(self, pages: int, leased: int, may: bool) -> None:
        """That is what makes the count exact."""
        assert Budget(max_pages=3).may_lease(pages=pages, leased=leased, size=0) is may

    @pytest.mark.parametrize(("size", "may"), [(0, True), (99, True), (100, False)])
    def test_bytes_count_for_the_budget_when_they_are_stored(self, size: int, may: bool) -> None:
        """How large a page under way will be nobody knows, so this budget may be exceeded by those."""
        assert Budget(max_bytes=100).may_lease(pages=0, leased=50, size=size) is may


def rules(
    body: bytes | str = b"", status: int | None = 200, policy: RobotsPolicy | None = None
) -> RobotsRules:
    task = RobotsTask(origin="http://h", host="h")
    data = body.encode() if isinstance(body, str) else body
    answer = RobotsAnswer(task=task, fetched_at=0, status=status, body=data)
    return RobotsRules.of(answer, policy or RobotsPolicy())


PRIVATE, PUBLIC = CanonicalUrl("http://h/private/page"), CanonicalUrl("http://h/public")


class TestRobots:
    @pytest.mark.parametrize("status", [200, 204, 206, 299])
    def test_a_robots_answer_becomes_rules(self, status: int) -> None:
        assert RobotsPolicy().meaning(status) is RobotsMeaning.RULES

    @pytest.mark.parametrize("status", [300, 301, 304, 307, 400, 401, 403, 404, 410, 451])
    def test_no_robots_txt_allows_everything(self, status: int) -> None:
        """RFC 9309 section 2.3.1.3, and the end of a chain of redirects (2.3.1.2)."""
        assert RobotsPolicy().meaning(status) is RobotsMeaning.ALLOW_ALL

    @pytest.mark.parametrize("status", [429, 500, 502, 503, 599, None])
    def test_an_unreachable_robots_txt_allows_nothing(self, status: int | None) -> None:
        """RFC 9309 section 2.3.1.4; "not now" is no permission either."""
        assert RobotsPolicy().meaning(status) is RobotsMeaning.UNREACHABLE

    def test_a_disallowed_path_is_disallowed(self) -> None:
        read = rules("User-agent: *\nDisallow: /private/\n")

        assert (read.allows(PRIVATE), read.allows(PUBLIC)) == (False, True)

    def test_our_own_group_wins_over_the_one_for_all(self) -> None:
        read = rules("User-agent: *\nDisallow: /\n\nUser-agent: penstock\nDisallow: /private/\n")

        assert (read.allows(PRIVATE), read.allows(PUBLIC)) == (False, True)

    def test_a_byte_order_mark_does_not_hide_the_first_line(self) -> None:
        read = rules(b"\xef\xbb\xbfUser-agent: *\nDisallow: /private/\n")

        assert not read.allows(PRIVATE)

    def test_bytes_that_are_no_utf8_do_not_hide_the_other_lines(self) -> None:
        read = rules(b"User-agent: *\nDisallow: /caf\xe9\nDisallow: /private/\n")

        assert not read.allows(PRIVATE)

    def test_lines_beyond_the_size_limit_are_not_read(self) -> None:
        """RFC 9309 section 2.5."""
        body = "User-agent: *\nDisallow: /private/\n#" + "x" * 100 + "\nDisallow: /public\n"

        read = rules(body, policy=RobotsPolicy(max_bytes=100))

        assert (read.allows(PRIVATE), read.allows(PUBLIC)) == (False, True)

    @pytest.mark.parametrize("body", [b"", b"\x00\xff\xfe", b"<html></html>", b"Disallow", b":" * 999])
    def test_a_body_without_rules_allows_everything(self, body: bytes) -> None:
        assert rules(body).allows(PRIVATE)

    @pytest.mark.parametrize(
        ("line", "seconds"),
        [("2.5", 2.5), ("0", 0), ("-3", 0), ("nan", 0), ("inf", 0), ("1e999", 0), ("soon", 0), ("", 0)],
    )
    def test_crawl_delay_is_a_number_of_seconds_or_nothing(self, line: str, seconds: float) -> None:
        assert rules(f"User-agent: *\nCrawl-delay: {line}\n").crawl_delay == seconds

    def test_without_an_answer_there_is_no_crawl_delay(self) -> None:
        assert (ALLOW_ALL.crawl_delay, rules(status=503).crawl_delay) == (0.0, 0.0)

    def test_the_status_alone_decides_the_meaning(self) -> None:
        everything = "User-agent: *\nDisallow: /\n"

        assert rules(everything, status=404).allows(PRIVATE)
        assert not rules("", status=500).allows(PUBLIC)
