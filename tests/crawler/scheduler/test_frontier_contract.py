"""What the window may rely on when it asks for the frontier: the file and the fake in one contract.

Every test runs on both, so the fake of the other tests cannot drift away from the file.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from penstock.crawler.messages import Dead, FetchTask, RetryAt, RobotsAnswer, RobotsTask, Skipped, Verdict
from penstock.crawler.ports import FrontierStore, HostThrottle, Pending, Saved, SessionPage, WaitingHost
from tests.support.fakes import START, MemoryCrawl, answer, done, task, url
from tests.support.open_store import stored

NOW = START


class Clocks:
    """The clocks that changed, as the window would give them."""

    def __init__(self, **clocks: HostThrottle) -> None:
        self.changed = clocks

    def changed_throttles(self) -> dict[str, HostThrottle]:
        changed, self.changed = self.changed, {}
        return changed


class Subject:
    """A crawl with a frontier to ask, a way to save, and a place for the clocks."""

    def __init__(self, frontier: FrontierStore, save: Callable[[Verdict], Any], clocks: Clocks) -> None:
        self.frontier = frontier
        self._save = save
        self._clocks = clocks

    async def save(self, verdict: Verdict) -> Saved:
        saved: Saved = await self._save(verdict)
        return saved

    async def pending(self, host: str, limit: int = 100) -> list[str]:
        return [found.url for found in await self.frontier.pending(host, limit=limit)]

    def set_clocks(self, clocks: Clocks) -> None:
        self._clocks.changed = clocks.changed


@pytest.fixture(params=["memory", "disk"])
async def crawl(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Subject]:
    """A crawl of http://a/ with one more seed on b."""
    seeds, clocks = ("http://a/", "http://b/"), Clocks()
    if request.param == "memory":
        memory = MemoryCrawl.of(*seeds)
        memory.clocks = clocks
        yield Subject(memory, memory.save, clocks)
        return
    async with AsyncExitStack() as stack:
        file = await stack.enter_async_context(stored(tmp_path / "crawl.db", *seeds, clocks=clocks))
        yield Subject(file.run.frontier, file.save, clocks)


A, B = task("http://a/"), task("http://b/")


class TestPending:
    async def test_seeds_are_pending_at_depth_zero(self, crawl: Subject) -> None:
        assert await crawl.frontier.pending("a", limit=9) == [Pending(url("http://a/"), "a", 0, 0)]

    async def test_the_links_of_a_page_are_pending_one_hop_deeper(self, crawl: Subject) -> None:
        await crawl.save(done(A, "http://a/x"))

        assert await crawl.frontier.pending("a", limit=9) == [Pending(url("http://a/x"), "a", 1, 0)]

    async def test_pending_urls_come_by_depth_and_then_in_order_of_discovery(self, crawl: Subject) -> None:
        await crawl.save(done(A, "http://a/z", "http://a/y"))
        await crawl.save(done(task("http://a/z", depth=1), "http://a/deep"))
        await crawl.save(done(B, "http://a/x"))

        assert await crawl.pending("a") == ["http://a/y", "http://a/x", "http://a/deep"]

    async def test_no_more_pending_urls_are_returned_than_the_limit(self, crawl: Subject) -> None:
        await crawl.save(done(A, *(f"http://a/{number}" for number in range(9))))

        assert await crawl.pending("a", limit=3) == ["http://a/0", "http://a/1", "http://a/2"]

    async def test_a_host_is_name_and_port(self, crawl: Subject) -> None:
        await crawl.save(done(A, "http://a:81/x", "https://a/y"))

        assert await crawl.pending("a") == ["https://a/y"]
        assert await crawl.pending("a:81") == ["http://a:81/x"]

    async def test_an_unknown_host_has_no_pending_urls(self, crawl: Subject) -> None:
        assert await crawl.pending("nowhere") == []

    @pytest.mark.parametrize(
        "verdict",
        [
            done(A),
            Dead(task=A, reason="dns"),
            Dead(task=A, reason="robots_unreachable", requested=False),
            Skipped(task=A, reason="robots"),
            RetryAt(task=A, at=NOW + 5, reason="timeout"),
        ],
        ids=lambda verdict: type(verdict).__name__,
    )
    async def test_a_settled_or_waiting_url_is_not_pending(self, crawl: Subject, verdict: Verdict) -> None:
        await crawl.save(verdict)

        assert await crawl.pending("a") == []
        assert await crawl.pending("b") == ["http://b/"]

    async def test_a_known_url_does_not_become_pending_again(self, crawl: Subject) -> None:
        await crawl.save(done(A, "http://a/", "http://b/"))
        await crawl.save(done(B, "http://a/", "http://b/"))

        assert not await crawl.frontier.unfinished()


class TestSaved:
    async def test_a_commit_names_the_hosts_that_gained_work(self, crawl: Subject) -> None:
        saved = await crawl.save(done(A, "http://a/x", "http://c/", "http://b/", "http://a/y"))

        assert saved == Saved(grown=frozenset({"a", "c"}), pending=3)

    async def test_a_commit_without_new_urls_names_no_host(self, crawl: Subject) -> None:
        assert await crawl.save(done(A, "http://b/")) == Saved()
        assert await crawl.save(RetryAt(task=B, at=NOW, reason="timeout")) == Saved()


class TestHosts:
    async def test_hosts_with_work_come_in_order_of_discovery(self, crawl: Subject) -> None:
        await crawl.save(done(B, "http://z/", "http://c/", "http://z/x"))

        assert await waiting(crawl, limit=9) == ["a", "z", "c"]
        assert await waiting(crawl, limit=2) == ["a", "z"]
        assert await waiting(crawl, after="a", limit=9) == ["z", "c"]
        assert await waiting(crawl, after="c", limit=9) == []

    async def test_a_host_without_pending_urls_is_not_listed(self, crawl: Subject) -> None:
        await crawl.save(done(A))
        await crawl.save(RetryAt(task=B, at=NOW, reason="timeout"))

        assert await waiting(crawl, limit=9) == []

    async def test_a_waiting_host_comes_with_its_throttle(self, crawl: Subject) -> None:
        crawl.set_clocks(Clocks(a=HostThrottle(NOW + 5, 2, 1, 4, 0.5)))
        await crawl.save(done(B, "http://a/x"))

        [host] = await crawl.frontier.waiting_hosts(after=None, limit=9)
        assert host == WaitingHost("a", HostThrottle(NOW + 5, 2, 1, 4, 0.5))

    async def test_hosts_are_loaded_with_their_first_urls_and_the_robots_txt_of_each_origin(
        self, crawl: Subject
    ) -> None:
        await crawl.save(done(A, "http://c/x", "http://c/y", "https://c/z", "http://d/", "http://e/"))
        for site, at in (("http://c", NOW), ("http://d", NOW - 50)):
            asked = RobotsTask(origin=site, host=site[-1])
            await crawl.save(RobotsAnswer(task=asked, fetched_at=at, status=200, body=b"text"))

        loaded = await crawl.frontier.load_hosts(["c", "d", "gone"], limit=9, newer_than=NOW - 1)

        assert [one.url for one in loaded["c"].urls] == ["http://c/x", "http://c/y", "https://c/z"]
        assert {site: known and known.body for site, known in loaded["c"].robots.items()} == {
            "http://c": b"text",
            "https://c": None,
        }
        assert loaded["d"].robots == {"http://d": None}
        assert "gone" not in loaded
        few = await crawl.frontier.load_hosts(["c", "d"], limit=1, newer_than=NOW)
        assert [len(few[name].urls) for name in "cd"] == [1, 1]


async def waiting(crawl: Subject, *, limit: int, after: str | None = None) -> list[str]:
    return [host.name for host in await crawl.frontier.waiting_hosts(after=after, limit=limit)]


class TestRetries:
    async def retry(self, crawl: Subject, of: FetchTask, at: float) -> None:
        await crawl.save(RetryAt(task=of, at=at, reason="timeout"))

    async def test_a_retry_is_due_from_its_time_on(self, crawl: Subject) -> None:
        await self.retry(crawl, A, NOW + 5)

        assert await crawl.frontier.due(now=NOW + 4.9, limit=9) == []
        assert await crawl.frontier.due(now=NOW + 5, limit=9) == [Pending(url("http://a/"), "a", 0, 1)]

    async def test_the_longest_overdue_come_first(self, crawl: Subject) -> None:
        await self.retry(crawl, A, NOW + 5)
        await self.retry(crawl, B, NOW + 3)

        assert [one.url for one in await crawl.frontier.due(now=NOW + 9, limit=9)] == [
            "http://b/",
            "http://a/",
        ]
        assert [one.url for one in await crawl.frontier.due(now=NOW + 9, limit=1)] == ["http://b/"]

    async def test_the_next_retry_is_the_first_after_now(self, crawl: Subject) -> None:
        """Those that are due already are asked for by `due`."""
        assert await crawl.frontier.next_retry(after=NOW) is None
        await self.retry(crawl, A, NOW + 5)
        await self.retry(crawl, B, NOW + 3)

        assert await crawl.frontier.next_retry(after=NOW) == NOW + 3
        assert await crawl.frontier.next_retry(after=NOW + 3) == NOW + 5
        assert await crawl.frontier.next_retry(after=NOW + 5) is None

    async def test_a_retry_stays_due_until_it_is_settled(self, crawl: Subject) -> None:
        """In flight is a fact of memory only; a kill must find it again."""
        await self.retry(crawl, A, NOW)

        for _ in range(2):
            assert len(await crawl.frontier.due(now=NOW, limit=9)) == 1
        await crawl.save(done(A))
        assert await crawl.frontier.due(now=NOW, limit=9) == []

    async def test_each_attempt_is_counted(self, crawl: Subject) -> None:
        await self.retry(crawl, A, NOW)
        await self.retry(crawl, A, NOW + 1)

        [found] = await crawl.frontier.due(now=NOW + 1, limit=9)
        assert found.attempts == 2


class TestUnfinished:
    async def test_a_crawl_is_unfinished_while_any_url_is_pending_or_waits(self, crawl: Subject) -> None:
        steps: list[Verdict] = [done(A), RetryAt(task=B, at=NOW + 99, reason="timeout")]
        for verdict in steps:
            await crawl.save(verdict)
            assert await crawl.frontier.unfinished()

        await crawl.save(Dead(task=B, reason="timeout", answer=answer(503)))

        assert not await crawl.frontier.unfinished()


class TestDeferredUrls:
    """What waits until nothing else is left."""

    @staticmethod
    def deferred(of: FetchTask) -> RetryAt:
        return RetryAt(task=of, at=math.inf, reason="nearer_first", requested=False)

    async def test_deferred_urls_are_neither_pending_nor_due_and_keep_the_crawl_unfinished(
        self, crawl: Subject
    ) -> None:
        await crawl.save(self.deferred(A))
        await crawl.save(done(B))

        assert await crawl.pending("a") == []
        assert await crawl.frontier.due(now=NOW + 1e9, limit=9) == []
        assert await crawl.frontier.next_retry(after=NOW) in (None, math.inf)
        assert await crawl.frontier.unfinished()

    async def test_the_deferred_urls_of_the_least_depth_come_first(self, crawl: Subject) -> None:
        await crawl.save(done(A, "http://a/x"))
        await crawl.save(self.deferred(task("http://a/x", depth=1)))
        await crawl.save(self.deferred(B))

        assert await crawl.frontier.deferred(limit=9) == [Pending(B.url, "b", 0, 0, deferred=True)]
        assert await crawl.frontier.deferred(limit=9, without=["b"]) == [
            Pending(url("http://a/x"), "a", 1, 0, deferred=True)
        ]

    async def test_deferring_a_url_is_not_an_attempt(self, crawl: Subject) -> None:
        await crawl.save(RetryAt(task=B, at=NOW, reason="timeout"))
        await crawl.save(self.deferred(B))

        assert [found.attempts for found in await crawl.frontier.deferred(limit=9)] == [1]

    async def test_pages_that_may_carry_a_session_are_read_by_depth(self, crawl: Subject) -> None:
        await crawl.save(done(A, "http://a/z", "http://a/y", fingerprint=b"0"))
        for path in "zy":
            await crawl.save(done(task(f"http://a/{path}", depth=1), fingerprint=path.encode()))

        async def found(least: int, below: int) -> list[SessionPage]:
            told = crawl.frontier.session_pages(least=least, below=below)
            return [page async for pages in told for page in pages]

        assert sorted(await found(1, 2)) == [(url(f"http://a/{path}"), path.encode(), 1) for path in "yz"]
        assert len(await found(0, 2)) == 3


class TestHostsThatDoNotCount:
    async def test_no_url_of_an_excluded_host_is_returned(self, crawl: Subject) -> None:
        await crawl.save(done(A, "http://a/x", "http://b/x"))
        for path in ("a", "b"):
            await crawl.save(RetryAt(task=task(f"http://{path}/x", depth=1), at=NOW + 5, reason="timeout"))

        assert [one.host for one in await crawl.frontier.due(now=NOW + 9, limit=9, without=["a"])] == ["b"]
        assert await crawl.frontier.next_retry(after=NOW, without=["a", "b"]) is None

    async def test_the_page_count_of_a_host_is_that_of_status_200(self, crawl: Subject) -> None:
        await crawl.save(done(A, "http://a/x", "http://a/y"))
        await crawl.save(done(task("http://a/x", depth=1), status=301))
        await crawl.save(Dead(task=task("http://a/y", depth=1), reason="truncated", answer=answer(200)))

        assert await crawl.frontier.count_pages("a") == 1
        assert await crawl.frontier.count_pages("b") == 0


class TestRobots:
    TASK = RobotsTask(origin="http://a", host="a")

    async def test_a_robots_answer_is_stored_by_origin(self, crawl: Subject) -> None:
        await crawl.save(RobotsAnswer(task=self.TASK, fetched_at=NOW, status=200, body=b"Disallow: \xff\0"))

        found = await crawl.frontier.robots("http://a", newer_than=NOW - 1)

        assert found is not None
        assert (found.status, found.body, found.error, found.fetched_at) == (
            200,
            b"Disallow: \xff\0",
            None,
            NOW,
        )
        assert await crawl.frontier.robots("https://a", newer_than=NOW - 1) is None

    async def test_the_latest_robots_answer_replaces_the_one_before(self, crawl: Subject) -> None:
        await crawl.save(RobotsAnswer(task=self.TASK, fetched_at=NOW, error="dns"))
        await crawl.save(RobotsAnswer(task=self.TASK, fetched_at=NOW + 1, status=404))

        found = await crawl.frontier.robots("http://a", newer_than=NOW - 1)

        assert found is not None
        assert (found.status, found.error) == (404, None)

    async def test_a_robots_answer_keeps_its_attempt(self, crawl: Subject) -> None:
        third = RobotsTask(origin="http://a", host="a", attempt=3)
        await crawl.save(RobotsAnswer(task=third, fetched_at=NOW, error="dns"))

        found = await crawl.frontier.robots("http://a", newer_than=NOW - 1)

        assert found is not None
        assert found.task.attempt == 3

    async def test_a_robots_answer_that_is_too_old_is_not_returned(self, crawl: Subject) -> None:
        await crawl.save(RobotsAnswer(task=self.TASK, fetched_at=NOW, status=200))

        assert await crawl.frontier.robots("http://a", newer_than=NOW) is None
        assert await crawl.frontier.robots("http://a", newer_than=NOW - 0.1) is not None

    async def test_a_robots_answer_changes_no_url(self, crawl: Subject) -> None:
        assert await crawl.save(RobotsAnswer(task=self.TASK, fetched_at=NOW, status=200)) == Saved()

        assert await crawl.pending("a") == ["http://a/"]


class TestSitemaps:
    ROBOTS = RobotsTask(origin="http://a", host="a")
    NAMED = url("http://a/sitemap.xml")

    async def named(self, crawl: Subject) -> Saved:
        return await crawl.save(
            RobotsAnswer(task=self.ROBOTS, fetched_at=NOW, status=200, sitemaps=[self.NAMED])
        )

    async def test_a_sitemap_named_in_robots_txt_is_pending_as_a_sitemap(self, crawl: Subject) -> None:
        saved = await self.named(crawl)

        assert saved == Saved(grown=frozenset({"a"}), pending=0)  # no page, though there is work
        assert Pending(self.NAMED, "a", 0, 0, "sitemap") in await crawl.frontier.pending("a", limit=9)

    async def test_a_sitemap_and_a_page_of_one_url_are_settled_apart(self, crawl: Subject) -> None:
        await self.named(crawl)
        await crawl.save(done(A, self.NAMED))
        await crawl.save(done(task(self.NAMED, depth=1)))

        assert [found.kind for found in await crawl.frontier.pending("a", limit=9)] == ["sitemap"]
        await crawl.save(done(task(self.NAMED, kind="sitemap")))
        assert await crawl.pending("a") == []

    async def test_the_retry_of_a_sitemap_is_not_that_of_the_page_at_its_url(self, crawl: Subject) -> None:
        await self.named(crawl)
        await crawl.save(RetryAt(task=task(self.NAMED, kind="sitemap"), at=NOW, reason="timeout"))

        found = await crawl.frontier.due(now=NOW, limit=9)

        assert [(one.url, one.kind, one.attempts) for one in found] == [(self.NAMED, "sitemap", 1)]


class TestClocks:
    async def test_an_unknown_host_has_a_new_throttle(self, crawl: Subject) -> None:
        assert await crawl.frontier.throttle("a") == HostThrottle()
        assert await crawl.frontier.throttle("nowhere") == HostThrottle()

    async def test_changed_throttles_are_written_with_the_next_commit(self, crawl: Subject) -> None:
        crawl.set_clocks(Clocks(a=HostThrottle(NOW + 60, 10, 1)))
        assert await crawl.frontier.throttle("a") == HostThrottle()

        await crawl.save(RetryAt(task=B, at=NOW, reason="timeout"))

        assert await crawl.frontier.throttle("a") == HostThrottle(NOW + 60, 10, 1)
        assert await crawl.frontier.throttle("b") == HostThrottle()

    async def test_a_later_commit_does_not_change_a_written_throttle(self, crawl: Subject) -> None:
        crawl.set_clocks(Clocks(a=HostThrottle(NOW + 60, 10, 1)))
        await crawl.save(done(B))
        await crawl.save(done(A))

        assert await crawl.frontier.throttle("a") == HostThrottle(NOW + 60, 10, 1)
