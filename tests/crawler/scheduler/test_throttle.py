"""The throttle against servers of known capacity: close to their best, and no burden to them.

Most of a simulated minute each. What each number has to be is the promise: at least 85 % of the
best throughput, a 95th percentile under twice the unloaded latency, under 1 % of 429s,
after ten seconds of warm-up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from penstock.crawler.messages import Fetched, FetchTask, RetryAt
from penstock.crawler.policies.politeness import Politeness
from penstock.crawler.ports import HostThrottle
from penstock.crawler.snapshot import HostView
from tests.support.fakes import START, MemoryCrawl, answer, done, in_virtual_time
from tests.support.frontier_rig import Rig
from tests.support.server_model import ServerModel, Verdict, verdict

SECONDS = 45
WARM = 10


async def let_crawl(rig: Rig, models: Mapping[str, ServerModel], *, seconds: float = SECONDS) -> None:
    """Fetch from the models, by host, until the time is over."""
    loop = asyncio.get_running_loop()

    async def work(task: FetchTask) -> None:
        began = loop.time()
        status = await models[task.host].answer()
        said = answer(status, latency=loop.time() - began)
        rig.frontier.answered(task, Fetched(task=task, answer=said))
        again = RetryAt(task=task, at=loop.time() + 4, reason=f"http_{status}")
        await rig.settle(done(task) if status == 200 else again)

    async def feed() -> None:
        async with asyncio.TaskGroup() as group:
            while (message := await rig.frontier.next()) is not None:
                assert isinstance(message, FetchTask)
                group.create_task(work(message))

    try:
        async with asyncio.timeout(seconds):
            await feed()
    except TimeoutError:
        return


def rig_of(*hosts: str, pages: int, memory: MemoryCrawl | None = None, **asked: Any) -> Rig:
    seeds = (f"http://{host}/{number}" for number in range(pages) for host in hosts)
    return Rig(memory or MemoryCrawl.of(*seeds), politeness=Politeness(**asked))


async def after_warm_up(server: ServerModel) -> Verdict:
    """What a server with more pages than can be fetched sees of a crawl of its own."""
    await let_crawl(rig_of("h", pages=int(SECONDS * server.best) + 100), {"h": server})
    return verdict(server, after=START + WARM, until=START + SECONDS)


@in_virtual_time
class TestOneHost:
    @pytest.mark.parametrize("latency", [0.1, 0.5])
    @pytest.mark.parametrize("capacity", [1, 2, 3, 5, 50])
    async def test_the_throttle_finds_how_many_requests_a_server_handles_at_once(
        self, capacity: int, latency: float
    ) -> None:
        server = ServerModel(capacity=capacity, latency=latency)

        seen = await after_warm_up(server)

        assert seen.throughput >= 0.85
        assert seen.slowest < 2
        assert seen.refused == 0

    @pytest.mark.parametrize(("per_second", "latency"), [(10, 0.05), (10, 0.2), (20, 0.05), (60, 0.05)])
    async def test_the_throttle_finds_how_many_requests_a_second_a_server_accepts(
        self, per_second: float, latency: float
    ) -> None:
        server = ServerModel(per_second=per_second, latency=latency)

        seen = await after_warm_up(server)

        assert seen.throughput >= 0.85
        assert seen.slowest < 2
        assert seen.refused < 0.01

    async def test_open_requests_never_exceed_per_host(self) -> None:
        server = ServerModel(latency=0.05)

        await let_crawl(rig_of("h", pages=1_000, per_host=3), {"h": server}, seconds=5)

        assert server.most_active == 3

    async def test_a_new_host_begins_with_one_connection(self) -> None:
        server = ServerModel(latency=1.0)

        await let_crawl(rig_of("h", pages=100), {"h": server}, seconds=3.5)

        assert server.most_active == 1

    async def test_a_server_that_gets_better_is_asked_more(self) -> None:
        server = ServerModel(latency=0.1, capacity=2)
        rig = rig_of("h", pages=5_000)
        asyncio.get_running_loop().call_later(30, setattr, server, "capacity", 50)

        await let_crawl(rig, {"h": server}, seconds=90)

        assert verdict(server, after=START + 75, until=START + 90).throughput > 0.85

    async def test_a_fixed_throttle_uses_exactly_per_host_connections(self) -> None:
        server = ServerModel(latency=0.1, capacity=1)

        await let_crawl(rig_of("h", pages=200, per_host=5, adaptive=False), {"h": server}, seconds=5)

        assert server.most_active == 5


@in_virtual_time
class TestManyHosts:
    HOSTS = tuple("abcdefgh")

    async def pages_of_the_others(self, *, slow: bool) -> int:
        """What seven hosts gave in 20 seconds, beside an eighth."""
        models = {host: ServerModel(latency=0.2) for host in self.HOSTS}
        models["a"] = ServerModel(latency=10.0 if slow else 0.2)
        rig = Rig(
            MemoryCrawl.of(*(f"http://{host}/{number}" for number in range(800) for host in self.HOSTS)),
            politeness=Politeness(),
            fetchers=32,  # half of what the hosts would take
        )
        await let_crawl(rig, models, seconds=20)
        return sum(len(model.served) for host, model in models.items() if host != "a")

    async def test_one_slow_host_costs_the_others_less_than_a_tenth(self) -> None:
        assert await self.pages_of_the_others(slow=True) > 0.9 * await self.pages_of_the_others(slow=False)


@in_virtual_time
class TestResume:
    async def test_the_rate_of_a_host_outlives_the_run(self) -> None:
        """The rate that it takes is known from the first request on: no second search."""
        memory = MemoryCrawl.of(*(f"http://h/{number}" for number in range(5_000)))
        before, after = (ServerModel(latency=0.05, per_second=20) for _ in range(2))
        await let_crawl(rig_of(pages=0, memory=memory), {"h": before}, seconds=40)

        await let_crawl(rig_of(pages=0, memory=memory), {"h": after}, seconds=20)

        assert sum(one.status == 429 for one in before.served) > 0
        assert sum(one.status == 429 for one in after.served) <= 1  # it may just have tried more
        assert sum(one.status == 200 for one in after.served) > 300

    async def test_a_resumed_host_begins_with_half_of_its_known_connections(self) -> None:
        memory = MemoryCrawl.of(*(f"http://h/{number}" for number in range(500)))
        memory.throttles["h"] = HostThrottle(connections=6)
        server = ServerModel(latency=0.1)

        await let_crawl(rig_of(pages=0, memory=memory), {"h": server}, seconds=0.2)

        assert server.most_active == 3


@in_virtual_time
class TestRate:
    @pytest.mark.parametrize("adaptive", [True, False])
    async def test_all_hosts_together_get_no_more_than_the_rate(self, adaptive: bool) -> None:
        models = {host: ServerModel(latency=0.05) for host in "abc"}

        await let_crawl(rig_of(*models, pages=500, rate=7, adaptive=adaptive), models, seconds=20)

        assert sum(len(model.served) for model in models.values()) == pytest.approx(140, abs=2)

    async def test_a_timer_that_comes_late_does_not_lower_the_rate(self) -> None:
        """Each wake-up is a little late; what that costs is caught up with."""
        models = {"a": ServerModel(latency=0.011)}

        await let_crawl(rig_of("a", pages=5_000, rate=100), models, seconds=20)

        assert len(models["a"].served) == pytest.approx(2_000, rel=0.02)


@in_virtual_time
class TestWhatIsShown:
    async def shown(self, server: ServerModel, **asked: Any) -> HostView:
        rig = rig_of("h", pages=2_000, **asked)
        await let_crawl(rig, {"h": server}, seconds=10)
        [host] = rig.frontier.hosts_at_work()
        return host

    async def test_a_host_that_accepts_its_full_limit_is_not_shown_as_held_back(self) -> None:
        host = await self.shown(ServerModel(latency=0.1), per_host=3)

        assert host == HostView("h", active=host.active, limit=3)
        assert 1 <= host.active <= 3

    async def test_a_host_that_answers_429_is_shown_with_its_rate(self) -> None:
        host = await self.shown(ServerModel(latency=0.05, per_second=20))

        assert host.held_back
        assert host.rate == pytest.approx(20, rel=0.2)

    async def test_a_host_whose_requests_queue_is_shown_with_fewer_connections(self) -> None:
        host = await self.shown(ServerModel(latency=0.1, capacity=2))

        assert host.held_back
        assert host.limit < 8

    async def test_a_delay_of_the_operator_is_shown_as_a_rate_and_not_as_a_pause(self) -> None:
        host = await self.shown(ServerModel(latency=0.1), delay=4)

        assert (host.rate, host.pause_s, host.held_back) == (0.25, 0.0, False)
