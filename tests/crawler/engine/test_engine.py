"""The worker loop and the flow: nobody hangs, nothing overtakes, and what is stopped can go on."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from penstock.crawler.engine.engine import ROUTES, Stopping, crawl
from penstock.crawler.engine.pool import Pill, Pool, work
from penstock.crawler.errors import StorageFailed
from penstock.crawler.messages import (
    Dead,
    Failed,
    Fetched,
    FetchTask,
    Message,
    ParsedPage,
    RobotsAnswer,
    RobotsTask,
    Verdict,
)
from penstock.crawler.policies.politeness import Budget, Politeness
from penstock.crawler.policies.retry import Retry
from penstock.crawler.policies.robots_txt import RobotsPolicy
from penstock.crawler.ports import Saved, Stage
from penstock.stages.store import StoreStage
from tests.support.fakes import (
    LoopClock,
    MemoryCrawl,
    all_else,
    answer,
    in_virtual_time,
    links,
    robots_answer,
    still_waiting,
    task,
)
from tests.support.frontier_rig import Rig, Web

Handle = Callable[[Any], Coroutine[Any, Any, Sequence[Message]]]


@dataclass(slots=True)
class Step:
    """A stage that does what a test says."""

    name: str
    handle: Handle
    is_last: bool = False


def pool(handle: Handle, *, name: str = "fetch", is_last: bool = False, size: int = 0) -> Pool:
    return Pool(stage=Step(name, handle, is_last), workers=1, inbox=asyncio.Queue(size))


async def nothing(message: Message) -> Sequence[Message]:
    return []


async def is_cancelled(message: Message) -> Sequence[Message]:
    raise asyncio.CancelledError


async def fails(message: Message) -> Sequence[Message]:
    raise KeyError("a bug")


@in_virtual_time
class TestWorker:
    async def test_a_worker_ends_with_one_pill_and_leaves_the_rest(self) -> None:
        one = pool(nothing)
        for message in (task(), Pill.STOP, Pill.STOP, task()):
            one.inbox.put_nowait(message)

        await work(one, 0, nothing)  # type: ignore[arg-type]

        assert one.inbox.get_nowait() is Pill.STOP
        assert one.inbox.qsize() == 1

    async def test_the_results_of_a_stage_are_sent_on_in_order(self) -> None:
        first, second = task("http://h/1"), task("http://h/2")
        emitted: list[Message] = []

        async def double(message: Message) -> Sequence[Message]:
            return [first, second]

        async def emit(message: Message) -> None:
            emitted.append(message)

        one = pool(double)
        for message in (task(), Pill.STOP):
            one.inbox.put_nowait(message)
        await work(one, 0, emit)

        assert emitted == [first, second]

    async def test_an_exception_concerns_its_message_and_the_worker_goes_on(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        """With every worker dead the inbox would fill and the crawl hang in silence."""
        emitted: list[Message] = []

        async def emit(message: Message) -> None:
            emitted.append(message)

        one = pool(fails, name="parse")
        page, robots = Fetched(task=task(), answer=answer(200)), RobotsTask(origin="http://h", host="h")
        for message in (page, robots, Pill.STOP):
            one.inbox.put_nowait(message)
        await work(one, 0, emit)

        assert emitted == [
            Failed(task=page.task, stage="parse", reason="internal:KeyError", answer=page.answer),
            Failed(task=robots, stage="parse", reason="internal:KeyError"),
        ]
        assert "a bug" in caplog.text

    async def test_a_crawl_logs_one_traceback_for_each_kind_of_exception(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A bug met on every page would fill the log; a crawl after it must not hide its own."""
        errors = [KeyError("one"), KeyError("two"), ValueError("three"), KeyError("four")]

        async def crawl_with_bugs() -> list[bool]:
            """Whether each of the lines has a traceback."""
            caplog.clear()
            left = iter(errors)

            async def fail(message: Message) -> Sequence[Message]:
                raise next(left)

            of_this_crawl = pool(fail, name="parse")
            for _ in errors:
                of_this_crawl.inbox.put_nowait(task())
            of_this_crawl.inbox.put_nowait(Pill.STOP)
            await work(of_this_crawl, 0, nothing)  # type: ignore[arg-type]
            return [
                record.exc_info is not None or "Traceback" in record.getMessage() for record in caplog.records
            ]

        assert await crawl_with_bugs() == [True, False, True, False]
        assert await crawl_with_bugs() == [True, False, True, False]

    async def test_a_cancellation_that_nobody_asked_for_fails_its_message_only(self) -> None:
        """Code of a plug may await a task that somebody cancelled; the worker must outlive it."""
        one, sent = pool(is_cancelled), []

        async def emit(message: Message) -> None:
            sent.append(message)

        for message in (task(), task(), Pill.STOP):
            one.inbox.put_nowait(message)
        await work(one, 0, emit)

        assert [failed.reason for failed in sent if isinstance(failed, Failed)] == (
            ["internal:CancelledError"] * 2
        )

    async def test_in_the_last_stage_a_cancellation_that_nobody_asked_for_is_an_error(self) -> None:
        one = pool(is_cancelled, is_last=True)
        one.inbox.put_nowait(task())

        with pytest.raises(RuntimeError, match="was cancelled"):
            await work(one, 0, nothing)  # type: ignore[arg-type]

    async def test_in_the_last_stage_an_exception_is_raised(self) -> None:
        """There is nowhere to send it: stop loudly, resume later."""
        last = pool(fails, is_last=True)
        last.inbox.put_nowait(task())

        with pytest.raises(KeyError):
            await work(last, 0, nothing)  # type: ignore[arg-type]

    async def test_a_cancelled_worker_stops_in_any_stage(self) -> None:
        async def for_ever(message: Message) -> Sequence[Message]:
            await asyncio.Event().wait()
            return []

        one = pool(for_ever)
        one.inbox.put_nowait(task())
        worker = await still_waiting(work(one, 0, nothing))  # type: ignore[arg-type]
        worker.cancel()

        await asyncio.wait([worker])
        assert worker.cancelled()

    async def test_an_idle_worker_keeps_no_message_alive(self) -> None:
        """Its body would be in memory and in no budget, as many times as there are workers."""

        class Heavy(FetchTask, frozen=True, gc=True, weakref=True):
            pass  # unlike its parent it can be referred to weakly

        async def emit(message: Message) -> None:
            return

        one = pool(nothing)
        worker = asyncio.create_task(work(one, 0, emit))
        heavy = Heavy(**{name: getattr(task(), name) for name in ("url", "host", "depth")})
        gone = weakref.ref(heavy)
        one.inbox.put_nowait(heavy)
        del heavy
        await all_else()

        assert one.at_work == {0: None}
        assert gone() is None
        worker.cancel()

    async def test_a_pool_shows_the_message_of_each_worker(self) -> None:
        one = pool(lambda message: asyncio.sleep(5, []))
        one.inbox.put_nowait(task())
        worker = await still_waiting(work(one, 7, nothing))  # type: ignore[arg-type]

        at_work = one.at_work[7]
        assert at_work is not None
        assert at_work[0] == task()
        one.inbox.put_nowait(Pill.STOP)
        await worker
        assert one.at_work[7] is None


@dataclass(slots=True)
class Flow:
    """A whole crawl of a web in memory: three pools, with the time that each message takes in each."""

    web: Web
    seeds: Sequence[str] = ("http://h/",)
    workers: Mapping[str, int] = field(default_factory=lambda: {"fetch": 4, "parse": 2, "store": 4})
    queue_size: int = 64
    fetch_s: Callable[[str], float] = lambda url: 0.1
    parse_s: Callable[[str], float] = lambda url: 0.01
    store_s: Callable[[str], float] = lambda url: 0.01
    robots: RobotsPolicy | None = None
    budget: Budget | None = None
    memory: MemoryCrawl = field(default_factory=MemoryCrawl)
    stopping: Stopping = field(default_factory=Stopping)
    left: list[asyncio.Task[Any]] = field(default_factory=list)  # tasks that were alive at the end
    begun: list[str] = field(default_factory=list)
    rig: Rig = field(init=False)
    pools: list[Pool] = field(init=False)

    def __post_init__(self) -> None:
        self.memory.discover(self.seeds, depth=0)
        politeness = Politeness(per_host=100, adaptive=False)
        self.rig = Rig(self.memory, politeness=politeness, robots=self.robots, budget=self.budget)
        store = StoreStage(
            store=_Slow(self.memory, self.store_s),
            frontier=self.rig.frontier,
            retry=Retry(),
            clock=LoopClock(),
        )
        stages: tuple[Stage[Any], ...] = (Step("fetch", self.fetch), Step("parse", self.parse), store)
        self.pools = [
            Pool(stage=one, workers=self.workers[one.name], inbox=asyncio.Queue(self.queue_size))
            for one in stages
        ]

    async def fetch(self, message: FetchTask | RobotsTask) -> Sequence[Message]:
        if isinstance(message, RobotsTask):
            await asyncio.sleep(self.fetch_s(message.origin))
            self.rig.frontier.robots_answered(message.host)
            return [robots_answer(message, at=LoopClock().now())]
        self.begun.append(message.url)
        result: Fetched | Failed = Failed(task=message, stage="fetch", reason="cancelled")
        try:
            await asyncio.sleep(self.fetch_s(message.url))
            result = Fetched(task=message, answer=answer(200))
        finally:
            self.rig.frontier.answered(message, result)
        return [result]

    async def parse(self, message: Fetched) -> Sequence[Message]:
        await asyncio.sleep(self.parse_s(message.task.url))
        content = links(*self.web.get(message.task.url, ()))
        return [ParsedPage(task=message.task, answer=message.answer, content=content)]

    async def run(self, *, grace: float = 10.0) -> None:
        try:
            await crawl(self.rig.frontier, self.pools, self.stopping, grace=grace)
        finally:
            self.left = [one for one in asyncio.all_tasks() if one is not asyncio.current_task()]

    async def stop_at(self, seconds: float, *, grace: float = 10.0) -> None:
        """Run, and ask to stop after so many seconds."""
        asyncio.get_running_loop().call_later(seconds, self.stopping.request, "sigint")
        await self.run(grace=grace)

    @property
    def stored(self) -> list[str]:
        return self.memory.states("settled")

    @property
    def pending(self) -> list[str]:
        return self.memory.states("pending")


@dataclass(slots=True)
class _Slow:
    memory: MemoryCrawl
    seconds: Callable[[str], float]

    async def save(self, verdict: Verdict) -> Saved:
        if not isinstance(verdict, RobotsAnswer):
            await asyncio.sleep(self.seconds(verdict.task.url))
        return await self.memory.save(verdict)


def fan(pages: int) -> dict[str, list[str]]:
    """A seed with that many links."""
    return {"http://h/": [f"http://h/{number}" for number in range(pages)]}


ONE_OF_EACH = {"fetch": 1, "parse": 1, "store": 1}


@in_virtual_time
class TestFlow:
    async def test_every_page_is_stored_and_no_task_is_left(self) -> None:
        flow = Flow(fan(50))
        await flow.run()

        assert len(flow.stored) == 51
        assert (flow.pending, flow.left) == ([], [])
        assert all(pool.inbox.empty() for pool in flow.pools)

    async def test_messages_flow_downstream_only(self) -> None:
        """A cycle made only of bounded queues can fill up, and then everyone waits for everyone."""
        order = ["fetch", "parse", "store"]
        made_by: dict[str, list[type[Message]]]
        made_by = {"fetch": [Fetched, Failed], "parse": [ParsedPage, Failed], "store": []}

        for stage, messages in made_by.items():
            assert all(order.index(ROUTES[message]) > order.index(stage) for message in messages)

    @pytest.mark.parametrize("slow", ["fetch", "parse", "store"])
    async def test_queues_of_one_and_a_page_with_three_thousand_links_do_not_hang(self, slow: str) -> None:
        pace = {"fetch_s": 0.0, "parse_s": 0.0, "store_s": 0.0} | {f"{slow}_s": 0.1}
        flow = Flow(
            fan(3_000),
            workers=ONE_OF_EACH,
            queue_size=1,
            **{name: lambda url, seconds=seconds: seconds for name, seconds in pace.items()},  # type: ignore[arg-type]
        )
        await flow.run()

        assert len(flow.stored) == 3_001

    @pytest.mark.parametrize("slow", ["parse", "store"])
    async def test_a_pill_never_overtakes_work(self, slow: str) -> None:
        """The last page is still under way downstream long after the fetchers have nothing left to do."""
        kwargs: dict[str, Any] = {f"{slow}_s": lambda url: 500.0 if url.endswith("/9") else 0.01}
        flow = Flow({**fan(10), "http://h/9": ["http://h/late"]}, **kwargs)
        await flow.run()

        assert "http://h/late" in flow.stored
        assert flow.pending == []

    async def test_a_bug_on_one_page_is_that_pages_failure(self, caplog: pytest.LogCaptureFixture) -> None:
        def strike(url: str) -> float:
            if url.endswith("/3"):
                raise ZeroDivisionError
            return 0.01

        flow = Flow(fan(9), parse_s=strike)
        await flow.run()

        failed = [v for v in flow.memory.verdicts if isinstance(v, Dead)]
        assert [(one.task.url, one.reason) for one in failed] == [
            ("http://h/3", "internal:ZeroDivisionError")
        ]
        assert len(flow.stored) == 10

    async def test_an_error_of_the_last_stage_ends_the_run_at_once(self) -> None:
        """A full disk: nothing that is fetched from now on could be kept."""

        def full(url: str) -> float:
            raise StorageFailed("the disk is full")

        flow = Flow(
            {}, seeds=[f"http://h/{n}" for n in range(50)], store_s=full, fetch_s=lambda url: len(url)
        )
        with pytest.raises(ExceptionGroup) as caught:
            await flow.run()

        assert caught.group_contains(StorageFailed)
        assert (flow.left, flow.stored) == ([], [])
        assert flow.rig.now() < 60

    async def test_an_error_of_the_frontier_ends_the_run(self) -> None:
        def broken(question: str) -> None:
            if question == "unfinished":
                raise StorageFailed("damaged")

        flow = Flow(fan(3))
        flow.memory.before = broken
        with pytest.raises(ExceptionGroup) as caught:
            await flow.run()

        assert caught.group_contains(StorageFailed)
        assert flow.left == []


@in_virtual_time
class TestStopping:
    SEEDS = tuple(f"http://h/{number}" for number in range(40))

    async def test_messages_that_no_worker_has_begun_are_left_for_the_next_run(self) -> None:
        flow = Flow({}, seeds=self.SEEDS, fetch_s=lambda url: 3.0)
        await flow.stop_at(4)

        assert sorted(flow.stored) == sorted(flow.begun) == sorted(self.SEEDS[:8])
        assert sorted(flow.pending) == sorted(self.SEEDS[8:])
        assert (flow.rig.now() < 7, flow.left) == (True, [])

    async def test_a_stopped_crawl_goes_on_where_it_was(self) -> None:
        first = Flow(fan(40), fetch_s=lambda url: 3.0)
        await first.stop_at(10)
        second = Flow(first.web, memory=first.memory)
        await second.run()

        assert len(second.stored) == 41
        assert not set(first.begun) & set(second.begun)

    @pytest.mark.parametrize("grace", [0.0, 0.5, 2.0])
    async def test_workers_that_are_busy_after_the_grace_are_cancelled(self, grace: float) -> None:
        flow = Flow({}, seeds=self.SEEDS, fetch_s=lambda url: 1.0 if url == self.SEEDS[0] else 1_000.0)
        await flow.stop_at(0.9, grace=grace)

        assert flow.stored == [url for url in self.SEEDS[:1] if grace]
        assert flow.rig.now() <= 0.9 + 3 * grace + 0.1
        assert flow.left == []

    @pytest.mark.parametrize("slow", ["parse", "store"])
    async def test_no_stage_can_delay_a_stop_beyond_the_grace(self, slow: str) -> None:
        kwargs: dict[str, Any] = {f"{slow}_s": lambda url: 1_000.0}
        flow = Flow({}, seeds=self.SEEDS, **kwargs)
        await flow.stop_at(5, grace=2)

        assert flow.rig.now() <= 5 + 3 * 2
        assert (flow.stored, flow.left) == ([], [])

    async def test_a_stop_without_grace_is_not_an_error(self) -> None:
        """Also when all that the workers have to do is to take their pill."""
        flow = Flow({}, seeds=["http://h/"], fetch_s=lambda url: 50.0)
        await flow.stop_at(1, grace=0.0)

        assert (flow.pending, flow.left) == (["http://h/"], [])

    async def test_a_stop_reaches_a_feeder_that_waits_for_room_in_an_inbox(self) -> None:
        flow = Flow({}, seeds=self.SEEDS, workers=ONE_OF_EACH, queue_size=1, fetch_s=lambda url: 100.0)
        await flow.stop_at(1, grace=1)

        assert flow.begun == [self.SEEDS[0]]
        assert len(flow.pending) == len(self.SEEDS)
        assert flow.left == []

    async def test_a_stop_reaches_a_frontier_that_waits(self) -> None:
        flow = Flow({}, fetch_s=lambda url: 100.0)
        await flow.stop_at(1, grace=1)

        assert (flow.pending, flow.left) == (["http://h/"], [])

    async def test_a_stop_reaches_a_run_that_is_ending_anyway(self) -> None:
        """The budget is spent, and all still wait for the robots.txt of a host that will not be needed."""
        flow = Flow(
            {},
            seeds=["http://a/", "http://b/"],
            robots=RobotsPolicy(),
            budget=Budget(max_pages=1),
            fetch_s=lambda url: 1_000.0 if url == "http://b" else 0.1,
        )
        await flow.stop_at(5, grace=2)

        assert flow.stored == ["http://a/"]
        assert flow.rig.now() <= 5 + 2

    async def test_a_stop_before_the_start_fetches_nothing(self) -> None:
        flow = Flow({}, seeds=self.SEEDS)
        flow.stopping.request("sigterm")
        await flow.run()

        assert (flow.begun, flow.left) == ([], [])

    async def test_a_second_stop_does_not_wait(self) -> None:
        flow = Flow({}, seeds=self.SEEDS, fetch_s=lambda url: 1_000.0)
        running = asyncio.get_running_loop().create_task(flow.run(grace=500.0))
        await asyncio.sleep(1)
        flow.stopping.request("sigint")
        await all_else()
        assert not running.done()

        flow.stopping.request("sigterm")
        await asyncio.wait([running])

        assert running.cancelled()
        assert (flow.stopping.reason, flow.stopping.aborted) == ("sigint", True)
        assert flow.rig.now() == 1

    async def test_a_stop_after_the_end_only_sets_its_reason(self) -> None:
        """A second Ctrl-C while connections are being closed would end as an unexpected error."""
        flow = Flow({})
        await flow.run()

        flow.stopping.request("sigint")
        flow.stopping.request("sigint")
        await all_else()

        assert (flow.stopping.reason, flow.stopping.aborted) == ("sigint", True)
