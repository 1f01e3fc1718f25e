"""What stands between a URL and its request: budget, robots.txt, and a host that has fallen silent."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from penstock.crawler.messages import Dead, FetchTask, Rejected, RetryAt, RobotsAnswer, RobotsTask
from penstock.crawler.policies.breaker import Breaker
from penstock.crawler.policies.politeness import Budget, Politeness
from penstock.crawler.policies.robots_txt import RobotsPolicy
from penstock.crawler.ports import Totals
from tests.support.fakes import (
    START,
    MemoryCrawl,
    all_else,
    done,
    in_virtual_time,
    robots_answer,
    still_waiting,
)
from tests.support.frontier_rig import Rig

DAY = 86_400.0


def site(pages: int, host: str = "h") -> MemoryCrawl:
    return MemoryCrawl.of(*(f"http://{host}/{number}" for number in range(pages)))


@in_virtual_time
class TestBudget:
    @pytest.mark.parametrize("per_host", [1, 3, 50])
    async def test_exactly_max_pages_pages_are_stored(self, per_host: int) -> None:
        """However many are under way at once: each might become a page."""
        memory = site(40)
        rig = Rig(
            memory, budget=Budget(max_pages=7), politeness=Politeness(per_host=per_host, adaptive=False)
        )

        await rig.crawl({})

        assert len(memory.states("settled")) == 7
        assert rig.frontier.spent == "max_pages"
        assert rig.most_leased <= 7

    async def test_an_answer_that_is_no_page_makes_room_for_another_url(self) -> None:
        rig = Rig(site(9), budget=Budget(max_pages=2))
        tasks = [await rig.lease(), await rig.lease()]
        waiting = await still_waiting(rig.frontier.next())

        await rig.finish(tasks[0], status=301)
        third = await waiting
        assert isinstance(third, FetchTask)
        await rig.settle(Dead(task=tasks[1], reason="http_404"))
        for one in (third, await rig.lease()):
            await rig.settle(done(one))

        assert await rig.frontier.next() is None

    async def test_a_spent_budget_still_waits_for_the_urls_in_flight(self) -> None:
        rig = Rig(site(9), budget=Budget(max_pages=2))
        tasks = [await rig.lease(), await rig.lease()]
        await rig.finish(tasks[0])
        waiting = await still_waiting(rig.frontier.next())

        await rig.finish(tasks[1])

        assert await waiting is None

    async def test_pages_of_earlier_runs_count_for_the_budget(self) -> None:
        rig = Rig(site(9), budget=Budget(max_pages=7), totals=Totals(pages=5))

        assert len(await rig.crawl({})) == 2

    async def test_a_larger_budget_than_there_are_pages_is_not_spent(self) -> None:
        rig = Rig(site(9), budget=Budget(max_pages=10))

        assert len(await rig.crawl({})) == 9
        assert rig.frontier.spent is None

    async def test_a_byte_budget_ends_the_crawl_once_the_bytes_are_stored(self) -> None:
        rig = Rig(site(9), budget=Budget(max_bytes=100))
        for _ in range(2):
            await rig.settle(done(await rig.lease(), body_bytes=50, content_hash=b"#"))

        assert await rig.frontier.next() is None
        assert rig.frontier.spent == "max_bytes"

    async def test_bytes_that_were_not_downloaded_do_not_count(self) -> None:
        """Content-Length of a file that is only noted."""
        rig = Rig(site(9), budget=Budget(max_bytes=100))
        await rig.settle(done(await rig.lease(), body_bytes=10**9))

        assert rig.frontier.spent is None

    async def test_a_sitemap_does_not_count_for_the_page_budget(self) -> None:
        memory = MemoryCrawl()
        memory.discover(["http://h/sitemap.xml"], depth=0, kind="sitemap")
        memory.discover(["http://h/1", "http://h/2"], depth=0)

        rig = Rig(memory, budget=Budget(max_pages=1))

        assert [one.url for one in await rig.crawl({})] == ["http://h/sitemap.xml", "http://h/1"]

    async def test_the_frontier_sleeps_while_the_whole_budget_is_in_flight(self) -> None:
        """A host whose time has come may not be asked, so there is nothing to wake up for."""
        memory = MemoryCrawl.of(*(f"http://{host}/{n}" for host in "ab" for n in range(3)))
        rig = Rig(memory, budget=Budget(max_pages=3), politeness=Politeness(delay=1, adaptive=False))
        tasks = [await rig.lease()]
        await asyncio.sleep(0.5)
        tasks += [await rig.lease(), await rig.lease()]
        waiting = await still_waiting(rig.frontier.next())

        await asyncio.sleep(10)
        for task in tasks:
            await rig.finish(task)

        assert await waiting is None


@in_virtual_time
class TestRobots:
    async def test_robots_txt_is_requested_before_the_first_page_of_an_origin(self) -> None:
        rig = Rig(site(3), robots=RobotsPolicy())

        assert await rig.frontier.next() == RobotsTask(origin="http://h", host="h")

    async def test_nothing_else_is_requested_from_a_host_until_its_robots_txt_is_known(self) -> None:
        memory = MemoryCrawl.of("http://a/1", "http://a/2", "http://b/1")
        rig = Rig(memory, robots=RobotsPolicy())
        memory.answers["http://b"] = robots_answer(RobotsTask(origin="http://b", host="b"), at=START)
        asked = await rig.ask_robots()
        assert (await rig.lease()).url == "http://b/1"
        waiting = await still_waiting(rig.frontier.next())
        rig.frontier.robots_answered("a")
        await all_else()
        assert not waiting.done()  # the answer is in, but not stored

        await rig.settle(robots_answer(asked, at=START))

        first = await waiting
        assert isinstance(first, FetchTask)
        assert first.host == "a"

    async def test_the_request_for_robots_txt_counts_as_an_open_request(self) -> None:
        rig = Rig(site(3), robots=RobotsPolicy(), politeness=Politeness(per_host=1, adaptive=False))
        await rig.answer_robots(await rig.ask_robots())
        await rig.lease()

        (await still_waiting(rig.frontier.next())).cancel()

    async def test_a_forbidden_url_is_skipped_without_a_request(self) -> None:
        rig = Rig(site(3), robots=RobotsPolicy())
        await rig.answer_robots(await rig.ask_robots(), "User-agent: *\nDisallow: /1\n")

        assert (await rig.lease()).url == "http://h/0"
        refused = await rig.frontier.next()
        assert isinstance(refused, Rejected)
        assert (refused.task.url, refused.state, refused.reason) == ("http://h/1", "skipped", "robots")
        assert (await rig.lease()).url == "http://h/2"
        assert rig.frontier.leased == 3

    async def test_a_forbidden_url_takes_no_time_and_no_connection(self) -> None:
        rig = Rig(site(50), robots=RobotsPolicy(), politeness=Politeness(per_host=1, delay=1, adaptive=False))

        leased = await rig.crawl({}, robots=lambda task: (200, "User-agent: *\nDisallow: /\nAllow: /49\n"))

        assert [one.url for one in leased] == ["http://h/49"]
        assert rig.now() < 2  # robots.txt was a request

    async def test_each_origin_has_its_own_robots_txt(self) -> None:
        rig = Rig(MemoryCrawl.of("http://h/1", "https://h/2"), robots=RobotsPolicy())
        asked = []

        def say(task: RobotsTask) -> tuple[int, str]:
            asked.append(task.origin)
            return (200, "User-agent: *\nDisallow: /\n") if task.origin == "http://h" else (404, "")

        leased = await rig.crawl({}, robots=say)

        assert asked == ["http://h", "https://h"]
        assert [one.url for one in leased] == ["https://h/2"]

    async def test_robots_txt_is_requested_once_for_all_pages(self) -> None:
        memory = site(100)
        rig = Rig(memory, robots=RobotsPolicy())
        said = iter([(200, "")])

        assert len(await rig.crawl({}, robots=lambda task: next(said))) == 100

    @pytest.mark.parametrize(("age", "asks"), [(DAY - 1, False), (DAY, True), (10 * DAY, True)])
    async def test_a_stored_robots_txt_is_valid_for_a_day(self, age: float, asks: bool) -> None:
        """RFC 9309 section 2.4."""
        memory = site(1)
        known = RobotsTask(origin="http://h", host="h")
        memory.answers["http://h"] = robots_answer(known, at=START - age)
        rig = Rig(memory, robots=RobotsPolicy())

        assert isinstance(await rig.frontier.next(), RobotsTask) is asks

    async def test_an_unreachable_robots_txt_is_requested_again_before_its_urls_fail(self) -> None:
        """As often as a page, with longer and longer waits; then nothing may be asked of the origin."""
        rig = Rig(site(2), robots=RobotsPolicy(), retries=3)
        asked: list[float] = []

        def say(task: RobotsTask) -> tuple[int, str]:
            asked.append(rig.now())
            return 503, ""

        assert await rig.crawl({}, robots=say) == []

        assert len(asked) == 4
        assert [after - before for before, after in pairwise(asked)] == pytest.approx([1, 2, 4])
        assert {(v.reason, v.requested) for v in rig.memory.verdicts if isinstance(v, Dead)} == {
            ("robots_unreachable", False)
        }

    async def test_an_origin_that_comes_back_is_crawled(self) -> None:
        rig = Rig(site(2), robots=RobotsPolicy())
        said = iter([(None, ""), (500, ""), (200, "")])

        leased = await rig.crawl({}, robots=lambda task: next(said))

        assert len(leased) == 2

    async def test_a_resumed_run_requests_an_unreachable_robots_txt_again(self) -> None:
        """A kill between two attempts must not be worse for the site than no kill."""
        memory = site(1)
        before = Rig(memory, robots=RobotsPolicy())
        await before.answer_robots(await before.ask_robots(), status=503)

        after = Rig(memory, robots=RobotsPolicy())

        assert len(await after.crawl({}, robots=lambda task: (404, ""))) == 1

    async def test_the_last_request_for_robots_txt_comes_when_nothing_else_is_left(self) -> None:
        """A host that is down for a while must cost neither the others their time nor itself its pages."""
        memory = MemoryCrawl.of("http://down/", *(f"http://up/{n}" for n in range(30)))
        rig = Rig(memory, robots=RobotsPolicy(), politeness=Politeness(delay=1))

        def say(task: RobotsTask) -> tuple[int | None, str]:
            return (404, "") if task.host == "up" or rig.now() > 20 else (None, "")

        leased = await rig.crawl({}, robots=say)

        assert (leased[-1].url, len(leased)) == ("http://down/", 31)
        assert [(v.reason, v.requested) for v in memory.verdicts if isinstance(v, RetryAt)] == [
            ("robots_unreachable", False)
        ]

    async def test_the_last_request_for_robots_txt_decides_for_all_urls_of_the_origin(self) -> None:
        """However many wait, and at whatever depths: it is not asked once more for each of them."""
        memory = site(700, "down")
        memory.discover([f"http://down/deep/{n}" for n in range(700)], depth=3)
        rig = Rig(memory, robots=RobotsPolicy())
        asked: list[int] = []

        def say(task: RobotsTask) -> tuple[int, str]:
            asked.append(task.attempt)
            return 500, ""

        assert await rig.crawl({}, robots=say) == []

        assert asked == [1, 2, 3, 4]
        assert sum(isinstance(verdict, Dead) for verdict in memory.verdicts) == 1400

    async def test_the_robots_txt_of_one_origin_does_not_bind_another_of_the_same_host(self) -> None:
        memory = MemoryCrawl.of("http://h/", "https://h/")
        rig = Rig(memory, robots=RobotsPolicy())

        leased = await rig.crawl(
            {}, robots=lambda task: (404, "") if task.origin == "https://h" else (None, "")
        )

        assert [one.url for one in leased] == ["https://h/"]

    async def test_with_no_retries_robots_txt_is_requested_at_once(self) -> None:
        rig = Rig(site(1), robots=RobotsPolicy(), retries=0)

        assert await rig.crawl({}, robots=lambda task: (500, "")) == []
        assert (rig.now(), [type(verdict) for verdict in rig.memory.verdicts]) == (0, [RobotsAnswer, Dead])

    async def test_robots_txt_of_a_busy_host_is_requested_again_after_a_day(self) -> None:
        """RFC 9309 section 2.4. The rules in memory grow as old as those on disk."""
        rig = Rig(site(100), robots=RobotsPolicy(), politeness=Politeness(per_host=1, delay=3_600))
        asked: list[float] = []

        def say(task: RobotsTask) -> tuple[int, str]:
            asked.append(rig.now())
            return 404, ""

        assert len(await rig.crawl({}, robots=say)) == 100
        assert [after - before for before, after in pairwise(asked)] == pytest.approx([DAY] * 4, abs=3_601)

    async def test_a_crawl_delay_is_kept(self) -> None:
        """Counted from the request that told us of it."""
        rig = Rig(site(3), robots=RobotsPolicy(), politeness=Politeness())

        leased = await rig.crawl({}, robots=lambda task: (200, "User-agent: *\nCrawl-delay: 4\n"))

        assert [one.at for one in leased] == [4, 8, 12]

    @pytest.mark.parametrize(("delay", "body"), [(4, ""), (0, "User-agent: *\nCrawl-delay: 4\n")])
    async def test_the_request_for_robots_txt_counts_for_the_pause(self, delay: float, body: str) -> None:
        """A host that asks for four seconds between requests means that one too."""
        rig = Rig(site(1), robots=RobotsPolicy(), politeness=Politeness(delay=delay))

        [leased] = await rig.crawl({}, robots=lambda task: (200, body))

        assert leased.at == pytest.approx(4)

    async def test_a_sitemap_of_a_host_that_names_its_sitemaps_is_requested_whatever_it_forbids(self) -> None:
        """It is named so that robots read it; what it lists has to pass like any page."""
        memory = MemoryCrawl()
        memory.discover(["http://h/sitemap.xml"], depth=0, kind="sitemap")
        memory.discover(["http://h/sitemap.xml"], depth=0)
        rig = Rig(memory, robots=RobotsPolicy())
        text = "User-agent: *\nDisallow: /\nSitemap: http://h/index.xml"
        await rig.answer_robots(await rig.ask_robots(), text)

        sitemap, page = await rig.frontier.next(), await rig.frontier.next()

        assert isinstance(sitemap, FetchTask)
        assert (sitemap.kind, sitemap.url) == ("sitemap", "http://h/sitemap.xml")
        assert isinstance(page, Rejected)
        assert page.task.kind == "page"

    @pytest.mark.parametrize(
        ("status", "text", "rejected"),
        [
            (200, "User-agent: *\nDisallow: /\nSitemap: http://elsewhere/map.xml", ("skipped", "robots")),
            (503, "", ("pending", "robots_unreachable")),
            (404, "", None),
        ],
    )
    async def test_a_sitemap_that_another_host_names_obeys_robots_txt(
        self, status: int, text: str, rejected: tuple[str, str] | None
    ) -> None:
        memory = MemoryCrawl()
        memory.discover(["http://h/sitemap.xml"], depth=0, kind="sitemap")
        rig = Rig(memory, robots=RobotsPolicy(), retries=1)
        await rig.answer_robots(await rig.ask_robots(), text, status=status)

        message = await rig.frontier.next()

        assert isinstance(message, Rejected | FetchTask)
        found = (message.state, message.reason) if isinstance(message, Rejected) else None
        assert found == rejected

    async def test_without_a_robots_policy_no_robots_txt_is_requested(self) -> None:
        memory = site(2)

        assert len(await Rig(memory, robots=None).crawl({}, robots=lambda task: (200, "Disallow: /"))) == 2
        assert "robots" not in memory.asked


@in_virtual_time
class TestSilence:
    async def test_a_host_that_never_answers_has_longer_and_longer_cooldowns_and_is_given_up(self) -> None:
        """Its URLs fail unasked, so that one dead host cannot keep a crawl from ending."""
        rig = Rig(
            site(8),
            breaker=Breaker(threshold=2, max_openings=3),
            politeness=Politeness(per_host=1, adaptive=False),
        )
        times = []
        for _ in range(5):
            task = await rig.lease()
            times.append(rig.now())
            await rig.fail(task)
        refused = await rig.frontier.next()

        assert times == [0, 0, 5, 15, 35]
        assert isinstance(refused, Rejected)
        assert (refused.state, refused.reason) == ("failed", "host_unreachable")

    async def test_any_answer_closes_the_breaker_of_a_host(self) -> None:
        rig = Rig(site(9), breaker=Breaker(threshold=2), politeness=Politeness(per_host=4, adaptive=False))
        for task in [await rig.lease() for _ in range(2)]:
            await rig.fail(task)
        await rig.finish(await rig.lease(), status=500)

        for _ in range(4):
            await rig.lease()
        assert rig.now() == 5

    async def test_open_requests_that_fail_together_open_the_breaker_once(self) -> None:
        """Eight requests that die together are one piece of news, not eight rests."""
        rig = Rig(site(30), breaker=Breaker(threshold=2), politeness=Politeness(per_host=8, adaptive=False))
        for task in [await rig.lease() for _ in range(8)]:
            await rig.fail(task)

        await rig.lease()

        assert rig.now() == 5

    async def test_the_breaker_of_one_host_does_not_concern_another(self) -> None:
        memory = MemoryCrawl.of(*(f"http://{host}/{n}" for host in "ab" for n in range(3)))
        rig = Rig(memory, breaker=Breaker(threshold=1), politeness=Politeness(per_host=1, adaptive=False))
        await rig.fail(await rig.lease())

        await rig.finish(await rig.lease())
        assert ((await rig.lease()).host, rig.now()) == ("b", 0)

    async def test_a_resumed_run_asks_a_given_up_host_once_more(self) -> None:
        memory = site(20)
        before = Rig(
            memory,
            breaker=Breaker(threshold=1, max_openings=1),
            politeness=Politeness(per_host=1, adaptive=False),
        )
        for _ in range(2):
            await before.fail(await before.lease())
        assert isinstance(await before.frontier.next(), Rejected)

        after = Rig(
            memory,
            breaker=Breaker(threshold=1, max_openings=1),
            politeness=Politeness(per_host=1, adaptive=False),
        )
        await after.fail(await after.lease())

        assert isinstance(await after.frontier.next(), Rejected)
