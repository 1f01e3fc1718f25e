"""What is left for the end, and what is left for good: session ids in URLs, and the budget of a host."""

from __future__ import annotations

import zlib
from collections import Counter
from random import Random

import pytest

from penstock.crawler.messages import RetryAt, RobotsAnswer, Skipped
from penstock.crawler.policies.politeness import Budget, Politeness
from penstock.crawler.policies.robots_txt import RobotsPolicy
from penstock.crawler.policies.sessions import Sessions
from tests.support.fakes import START, MemoryCrawl, in_virtual_time
from tests.support.frontier_rig import Rig


def site(pages: int, host: str = "h") -> MemoryCrawl:
    return MemoryCrawl.of(*(f"http://{host}/{number}" for number in range(pages)))


@in_virtual_time
class TestDeferredUrls:
    """URLs that may carry a session id: their turn comes when every nearer one is settled."""

    @staticmethod
    def web() -> dict[str, list[str]]:
        """Seven rooms in a circle; each page's links carry an id of its own."""

        def link(source: str, room: int) -> str:
            return f"http://h/{room % 7}?PHPSESSID={zlib.crc32(f'{source}{room}'.encode()):x}"

        web: dict[str, list[str]] = {"http://h/": [link("", 0), "http://h/plain"], "http://h/plain": []}
        layer = web["http://h/"][:1]
        for _ in range(14):
            for source in layer:
                room = int(source[9])
                web[source] = [link(source, room + 1), link(source, room + 6)]
            layer = [target for source in layer for target in web[source]][:300]
        return web

    async def test_each_page_is_fetched_and_the_copies_end(self) -> None:
        rig = Rig(MemoryCrawl.of("http://h/"), sessions=Sessions())
        web = self.web()

        leased = await rig.crawl(web, page=lambda url: url.partition("?")[0])

        rooms = Counter(one.url.partition("?")[0] for one in leased)
        assert len(rooms) == 9
        assert len(leased) < 60
        assert {v.reason for v in rig.memory.verdicts if isinstance(v, Skipped)} == {"trap:session"}

    @pytest.mark.parametrize("per_host", [1, 4, 64])
    async def test_the_same_urls_are_fetched_at_any_speed(self, per_host: int) -> None:
        rng = Random(per_host)
        rig = Rig(MemoryCrawl.of("http://h/"), sessions=Sessions(), politeness=Politeness(per_host=per_host))
        leased = await rig.crawl(
            self.web(), page=lambda url: url.partition("?")[0], latency=lambda url: rng.paretovariate(1.1)
        )
        still = Rig(MemoryCrawl.of("http://h/"), sessions=Sessions())
        again = await still.crawl(self.web(), page=lambda url: url.partition("?")[0])

        assert {one.url for one in leased} == {one.url for one in again}

    async def test_a_page_that_is_not_a_copy_is_never_lost(self) -> None:
        """Every page says something else: then the value matters, whatever it looks like."""
        rig = Rig(MemoryCrawl.of("http://h/"), sessions=Sessions())
        web = {"http://h/": [f"http://h/item?id={n:032x}a" for n in range(40)]}
        web |= {page: [f"{page}b"] for page in web["http://h/"]}

        assert len(await rig.crawl(web, page=lambda url: url)) == 81

    async def test_no_url_is_deferred_when_session_ids_are_not_looked_for(self) -> None:
        rig = Rig(MemoryCrawl.of("http://h/"))

        await rig.crawl({"http://h/": ["http://h/x?sid=1"]})

        assert not any(isinstance(verdict, RetryAt) for verdict in rig.memory.verdicts)


@in_virtual_time
class TestBudgetOfAHost:
    @pytest.mark.parametrize("per_host", [1, 8])
    async def test_each_host_gives_exactly_the_pages_of_its_budget(self, per_host: int) -> None:
        memory = MemoryCrawl.of(*(f"http://{host}/{n}" for host in "abc" for n in range(20)), "http://d/")
        rig = Rig(memory, budget=Budget(max_pages_per_host=7), politeness=Politeness(per_host=per_host))

        leased = await rig.crawl({})

        assert Counter(one.url[7] for one in leased) == {"a": 7, "b": 7, "c": 7, "d": 1}
        assert rig.frontier.spent == "max_pages_per_host"
        assert len(memory.states("pending")) == 39

    async def test_an_answer_other_than_200_does_not_count_for_the_budget_of_a_host(self) -> None:
        rig = Rig(site(20), budget=Budget(max_pages_per_host=3), politeness=Politeness(per_host=4))

        for status in [404, 404, 301, 404, 200, 200, 404, 200]:
            await rig.finish(await rig.lease(), status=status)

        assert await rig.frontier.next() is None

    async def test_links_and_retries_of_a_spent_host_do_not_keep_the_crawl_running(self) -> None:
        web = {f"http://b/{n}": [f"http://a/x{n}", f"http://b/{n + 1}"] for n in range(5)}
        rig = Rig(MemoryCrawl.of("http://a/", "http://b/0"), budget=Budget(max_pages_per_host=1))
        rig.memory.discover(["http://a/late"], depth=0)
        rig.memory.rows["http://a/late"].state = "waiting"
        rig.memory.rows["http://a/late"].at = START + 500

        leased = await rig.crawl(web)

        assert {one.url for one in leased} == {"http://a/", "http://b/0"}
        assert rig.now() < 1

    async def test_the_budget_of_a_host_holds_over_runs(self) -> None:
        memory = site(9)
        await Rig(memory, budget=Budget(max_pages_per_host=4)).crawl({})

        again = Rig(memory, budget=Budget(max_pages_per_host=4), robots=RobotsPolicy())
        assert await again.crawl({}) == []
        assert not any(isinstance(verdict, RobotsAnswer) for verdict in memory.verdicts)
        assert again.frontier.spent == "max_pages_per_host"
        more = Rig(memory, budget=Budget(max_pages_per_host=20))
        assert (len(await more.crawl({})), more.frontier.spent) == (5, None)

    async def test_spent_hosts_leave_room_for_the_others_after_a_resume(self) -> None:
        """Their pages are counted when they enter the window. Were they to stay there, more of them than
        the window holds would keep all others out, and the crawl would wait for ever."""
        memory = MemoryCrawl.of(*(f"http://h{number}/" for number in range(12)), "http://last/")
        for number in range(12):
            memory.stored[f"h{number}"] = 1
        rig = Rig(memory, budget=Budget(max_pages_per_host=1))
        rig.frontier._window.max_hosts = 4

        assert [one.url for one in await rig.crawl({})] == ["http://last/"]
