"""The frontier: who is next, what it waits for, and when it is finished."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from itertools import pairwise

import pytest

from penstock.crawler.messages import FetchTask, RetryAt
from penstock.crawler.policies.politeness import Politeness
from penstock.crawler.scheduler.host_window import MAX_HOSTS, MAX_URLS
from tests.support.fakes import START, MemoryCrawl, all_else, done, in_virtual_time, still_waiting, task, url
from tests.support.frontier_rig import Rig


@in_virtual_time
class TestOrder:
    async def test_a_host_is_crawled_breadth_first(self) -> None:
        web = {
            "http://h/": ["http://h/b", "http://h/a"],
            "http://h/b": ["http://h/c"],
            "http://h/c": ["http://h/d"],
        }
        rig = Rig(MemoryCrawl.of("http://h/"), politeness=Politeness(per_host=1, adaptive=False))

        leased = await rig.crawl(web)

        assert [one.url[9:] for one in leased] == ["", "b", "a", "c", "d"]

    async def test_hosts_take_turns(self) -> None:
        rig = Rig(MemoryCrawl.of(*(f"http://{host}/{n}" for host in "abc" for n in range(3))))

        assert "".join([(await rig.lease()).host for _ in range(9)]) == "abcabcabc"

    async def test_a_task_carries_depth_and_attempt_of_its_url(self) -> None:
        rig = Rig(MemoryCrawl.of("http://h:81/"))
        await rig.finish(await rig.lease(), "https://h/x?y")

        assert await rig.lease() == FetchTask(url=url("https://h/x?y"), host="h", depth=1, attempt=1)

    async def test_a_url_is_leased_once(self) -> None:
        """Until it is settled it stays pending on disk, and memory knows that it is in flight."""
        rig = Rig(MemoryCrawl.of("http://h/"))
        first = await rig.lease()
        waiting = await still_waiting(rig.frontier.next())

        await rig.finish(first, "http://h/x")

        assert (await waiting) == task("http://h/x", depth=1)

    async def test_poison_pages_come_last_and_one_at_a_time(self) -> None:
        """What may have killed the last run must not take others down with it again."""
        seeds = [f"http://h/{number}" for number in range(5)]
        rig = Rig(MemoryCrawl.of(*seeds), poison_pages=[url(seeds[0]), url(seeds[3])])

        leased = await rig.crawl({}, latency=lambda url: 1.0)

        assert [(one.at, one.url[9:]) for one in leased[:3]] == [(0, "1"), (0, "2"), (0, "4")]
        assert sorted(one.url[9:] for one in leased[3:]) == ["0", "3"]
        assert [one.at for one in leased[3:]] == [1, 2]


@in_virtual_time
class TestPoliteness:
    async def test_no_more_requests_are_open_than_allowed(self) -> None:
        rig = Rig(
            MemoryCrawl.of(*(f"http://h/{n}" for n in range(5))),
            politeness=Politeness(per_host=2, adaptive=False),
        )
        tasks = [await rig.lease(), await rig.lease()]
        waiting = await still_waiting(rig.frontier.next())

        rig.answered(tasks[0])

        assert (await waiting) == task("http://h/2")
        assert rig.frontier.leased == 3  # the first page is not stored yet

    async def test_starts_on_a_host_are_the_delay_apart(self) -> None:
        rig = Rig(
            MemoryCrawl.of(*(f"http://h/{n}" for n in range(5))),
            politeness=Politeness(delay=2.5, adaptive=False),
        )

        leased = await rig.crawl({})

        assert [one.at for one in leased] == [0, 2.5, 5, 7.5, 10]

    async def test_a_paused_host_does_not_delay_other_hosts(self) -> None:
        seeds = [f"http://{host}/{n}" for host in ("a", "b", "c") for n in range(3)]
        rig = Rig(MemoryCrawl.of(*seeds), politeness=Politeness(delay=10, adaptive=False))

        leased = await rig.crawl({})

        assert [one.at for one in leased] == [0] * 3 + [10] * 3 + [20] * 3

    async def test_a_slow_host_does_not_delay_other_hosts(self) -> None:
        seeds = ["http://slow/1", "http://slow/2", *(f"http://quick/{n}" for n in range(30))]
        rig = Rig(MemoryCrawl.of(*seeds), politeness=Politeness(per_host=1, adaptive=False))

        leased = await rig.crawl({}, latency=lambda url: 100.0 if "slow" in url else 0.1)

        assert max(one.at for one in leased if "quick" in one.url) < 4

    @pytest.mark.parametrize(("adaptive", "paused"), [(True, 20), (False, 0)])
    async def test_retry_after_pauses_the_whole_host_when_adaptive(
        self, adaptive: bool, paused: float
    ) -> None:
        rig = Rig(
            MemoryCrawl.of("http://h/1", "http://h/2"), politeness=Politeness(per_host=1, adaptive=adaptive)
        )
        rig.answered(await rig.lease(), retry_after=20)

        await rig.lease()

        assert rig.now() == paused

    async def test_the_pause_of_a_host_outlives_the_run(self) -> None:
        """A restart does not ask a host that still has to rest."""
        memory = MemoryCrawl.of("http://h/1", "http://h/2")
        before = Rig(memory, politeness=Politeness(delay=60, adaptive=False))
        await before.finish(await before.lease())
        await asyncio.sleep(10)

        after = Rig(memory, politeness=Politeness(delay=60, adaptive=False))
        await after.lease()

        assert after.now() == 60

    async def test_a_pause_written_under_a_wrong_clock_is_ignored(self) -> None:
        """The machine's clock was wrong when it was written: no rest is a year long."""
        memory = MemoryCrawl.of("http://h/1", "http://h/2")
        memory.throttles["h"] = (await memory.throttle("h"))._replace(ready_at=START + 365 * 86_400)
        rig = Rig(memory)

        await rig.lease()

        assert rig.now() == 0


@in_virtual_time
class TestFinish:
    async def test_an_empty_frontier_is_finished(self) -> None:
        assert await Rig(MemoryCrawl()).frontier.next() is None

    async def test_a_frontier_is_not_finished_while_anything_is_in_flight(self) -> None:
        """A page under way may have links; in flight ends only after the commit."""
        rig = Rig(MemoryCrawl.of("http://h/"))
        last = await rig.lease()
        waiting = await still_waiting(rig.frontier.next())
        rig.answered(last)
        await all_else()
        assert not waiting.done()

        await rig.settle(done(last))

        assert await waiting is None

    async def test_a_frontier_is_not_finished_while_anything_waits_for_a_retry(self) -> None:
        rig = Rig(MemoryCrawl.of("http://h/"))
        await rig.fail(await rig.lease(), again_in=3600)

        again = await rig.lease()
        await rig.finish(again)

        assert (rig.now(), again.attempt) == (3600, 2)
        assert await rig.frontier.next() is None

    async def test_a_finished_frontier_stays_finished(self) -> None:
        rig = Rig(MemoryCrawl.of("http://h/"))
        await rig.crawl({})

        assert [await rig.frontier.next() for _ in range(3)] == [None] * 3

    async def test_pending_urls_that_the_window_cannot_see_are_an_error(self) -> None:
        """A bug must end the run loudly, not as a crawl that looks complete."""
        memory = MemoryCrawl.of("http://h/")
        rig = Rig(memory)
        await rig.finish(await rig.lease())
        memory.discover(["http://h/unseen"], depth=1)

        with pytest.raises(RuntimeError, match="cannot see"):
            await rig.frontier.next()

    async def test_every_page_of_a_web_is_leased_once(self) -> None:
        web = {
            f"http://h{n % 7}/{n}": [f"http://h{m % 7}/{m}" for m in (2 * n + 1, 2 * n + 2) if m < 500]
            for n in range(500)
        }
        rig = Rig(MemoryCrawl.of("http://h0/0"), politeness=Politeness(per_host=3, adaptive=False))

        leased = await rig.crawl(web, latency=lambda url: len(url) % 5 / 10)

        assert sorted(one.url for one in leased) == sorted(web)

    async def test_the_repr_of_the_frontier_shows_its_state(self) -> None:
        rig = Rig(MemoryCrawl.of("http://h/1", "http://h/2"))
        await rig.lease()

        assert repr(rig.frontier) == "<Frontier leased=1 <HostWindow hosts=1 pending=1 held=2>>"


@in_virtual_time
class TestMeanwhile:
    """What happens while the frontier asks the disk is neither lost nor taken for an error."""

    @pytest.mark.parametrize("seed", range(40))
    async def test_no_url_is_lost_or_leased_twice_in_any_order_of_events(self, seed: int) -> None:
        """Answers, commits, retries and looks at the disk in any order, with little room in the window."""
        chance = random.Random(seed)
        hosts = chance.choice([2, 3, 9])
        pages = [f"http://h{number % hosts}/{number}" for number in range(120)]
        web = {
            page: chance.sample(pages[n : n + 4], 1) + pages[n + 1 : n + 2] for n, page in enumerate(pages)
        }
        memory = MemoryCrawl.of(pages[0])
        memory.pace = lambda: chance.choice([0, 0, 0.1, 1])
        rig = Rig(memory, politeness=Politeness(per_host=1 + seed % 3, delay=seed % 2 / 10, adaptive=False))
        rig.frontier._window.max_hosts = chance.choice([2, 4, 8, 100])
        failing = set(chance.sample(pages, 40))

        leased = await rig.crawl(
            web,
            latency=lambda url: chance.choice([0, 0.1, 2]),
            fails=lambda task: task.url in failing and task.attempt < 3,
        )

        assert Counter(one.url for one in leased) == {page: 3 if page in failing else 1 for page in pages}
        assert memory.states("settled") == list(memory.rows)

    async def test_a_host_discovered_during_a_read_from_disk_is_not_missed(self) -> None:
        """The last page in flight is stored, and links to a second host, while the disk is asked
        what it has of the first."""
        memory = MemoryCrawl.of("http://a/")
        rig = Rig(memory)
        last = await rig.lease()
        rig.frontier._window.left_out = True  # as after a host that had found no room

        def store_the_last(question: str) -> None:
            if question == "waiting_hosts":
                memory.before = lambda question: None
                rig.answered(last)
                rig.frontier.settled(done(last), memory.commit(done(last, "http://b/")))

        memory.before = store_the_last

        assert (await rig.lease()).url == "http://b/"

    async def test_a_retry_committed_between_two_reads_is_not_forgotten(self) -> None:
        """Committed between two looks at the disk, and due at once, it would be seen by neither."""
        memory = MemoryCrawl.of("http://a/", "http://b/")
        rig = Rig(memory)
        a, b = await rig.lease(), await rig.lease()
        await rig.fail(b, again_in=1)
        await asyncio.sleep(2)

        def put_off(question: str) -> None:
            if question == "next_retry":
                memory.before = lambda question: None
                again = RetryAt(task=a, at=START + 1.9, reason="http_503")
                rig.answered(a)
                rig.frontier.settled(again, memory.commit(again))

        memory.before = put_off

        assert {(await rig.lease()).url for _ in range(2)} == {"http://a/", "http://b/"}

    async def test_a_cancelled_wait_loses_no_url(self) -> None:
        rig = Rig(
            MemoryCrawl.of("http://h/1", "http://h/2"), politeness=Politeness(per_host=1, adaptive=False)
        )
        first = await rig.lease()
        waiting = await still_waiting(rig.frontier.next())
        waiting.cancel()
        await asyncio.wait([waiting])
        rig.answered(first)

        assert (await rig.lease()).url == "http://h/2"


@in_virtual_time
class TestMemory:
    """The frontier lives on disk; the window in memory is small whatever it holds."""

    async def test_a_hundred_thousand_urls_of_a_host_are_mostly_on_disk(self) -> None:
        rig = Rig(MemoryCrawl.of(*(f"http://h/{n}" for n in range(100_000))))

        for _ in range(8):
            await rig.lease()

        assert rig.frontier._window.held < 2_000

    async def test_urls_in_flight_do_not_hide_those_after_them_on_disk(self) -> None:
        """On disk it is still pending, and comes first."""
        rig = Rig(
            MemoryCrawl.of(*(f"http://h/{n}" for n in range(2_000))),
            politeness=Politeness(per_host=2_000, adaptive=False),
        )

        leased = [(await rig.lease()).url for _ in range(2_000)]

        assert len(set(leased)) == 2_000

    async def test_of_ten_thousand_hosts_only_some_are_in_memory(self) -> None:
        memory = MemoryCrawl.of(*(f"http://h{n}/{m}" for n in range(10_000) for m in range(10)))
        rig = Rig(memory)

        await rig.lease()

        assert rig.frontier.host_count <= MAX_HOSTS
        assert rig.frontier._window.held < 2 * MAX_URLS

    async def test_retries_that_are_due_all_at_once_are_mostly_on_disk(self) -> None:
        """After an outage; the host is slow, and nothing is answered for an hour."""
        memory = MemoryCrawl.of(*(f"http://h/{n}" for n in range(2 * MAX_URLS)))
        for row in memory.rows.values():
            row.state, row.at = "waiting", START - 60
        rig = Rig(memory, politeness=Politeness(per_host=1, adaptive=False))
        await rig.lease()
        await still_waiting(rig.frontier.next())

        await asyncio.sleep(20)

        assert rig.frontier._window.held < 1.1 * MAX_URLS

    async def test_hosts_without_room_in_the_window_are_read_later(self) -> None:
        rig = Rig(MemoryCrawl.of(*(f"http://h{n}/" for n in range(50))))
        rig.frontier._window.max_hosts = 4

        leased = await rig.crawl({})

        assert len({one.url for one in leased}) == 50
        assert all(one.at <= other.at for one, other in pairwise(leased))
