"""A frontier over a crawl in memory, and what the workers do for it. For virtual time."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from penstock.crawler.messages import (
    CanonicalUrl,
    Dead,
    Failed,
    Fetched,
    FetchTask,
    ParsedPage,
    Rejected,
    RetryAt,
    RobotsAnswer,
    RobotsTask,
    Skipped,
    Verdict,
)
from penstock.crawler.policies.breaker import Breaker
from penstock.crawler.policies.politeness import Budget, Politeness
from penstock.crawler.policies.retry import Retry
from penstock.crawler.policies.robots_txt import RobotsPolicy
from penstock.crawler.policies.sessions import Sessions, fingerprint
from penstock.crawler.ports import Totals
from penstock.crawler.scheduler.frontier import Frontier
from tests.support.fakes import START, LoopClock, MemoryCrawl, answer, done

Web = Mapping[str, Sequence[str]]  # each page's links


class Leased(NamedTuple):
    at: float  # seconds since the start
    url: str


class Rig:
    """`lease` a task, `finish` it; or let `crawl` do both until nothing is left."""

    def __init__(
        self,
        memory: MemoryCrawl,
        *,
        politeness: Politeness | None = None,
        budget: Budget | None = None,
        breaker: Breaker | None = None,
        robots: RobotsPolicy | None = None,
        retries: int = 3,
        totals: Totals | None = None,
        poison_pages: Collection[CanonicalUrl] = (),
        fetchers: int = 64,
        sessions: Sessions | None = None,
    ) -> None:
        self.memory = memory
        self.frontier = Frontier(
            memory,
            politeness=politeness or Politeness(adaptive=False),
            budget=budget or Budget(),
            retry=Retry(retries=retries),
            breaker=breaker or Breaker(),
            robots=robots,
            clock=LoopClock(),
            totals=totals or Totals(),
            poison_pages=poison_pages,
            fetchers=fetchers,
            sessions=sessions,
        )
        memory.clocks = self.frontier
        self.most_leased = 0

    def now(self) -> float:
        """Seconds since the start."""
        return asyncio.get_running_loop().time() - START

    async def lease(self) -> FetchTask:
        message = await self.frontier.next()
        assert isinstance(message, FetchTask), message
        return message

    async def ask_robots(self) -> RobotsTask:
        message = await self.frontier.next()
        assert isinstance(message, RobotsTask), message
        return message

    async def settle(self, verdict: Verdict) -> None:
        self.frontier.settled(verdict, await self.memory.save(verdict))

    def answered(
        self, task: FetchTask, *, failure: str | None = None, retry_after: float | None = None
    ) -> None:
        said = answer(503 if retry_after is not None else 200, retry_after=retry_after)
        result: Fetched | Failed = Fetched(task=task, answer=said)
        if failure is not None:
            result = Failed(task=task, stage="fetch", reason=failure)
        self.frontier.answered(task, result)

    async def finish(self, task: FetchTask, *links: str, status: int = 200, body: str | None = None) -> None:
        """The page arrived and is stored; with a `body`, as one that may be compared with others."""
        mark = fingerprint(task.url, body.encode()) if body is not None else None
        self.answered(task)
        await self.settle(done(task, *links, status=status, fingerprint=mark))

    async def fail(self, task: FetchTask, *, again_in: float | None = None) -> None:
        """No answer; to be tried again, or given up."""
        self.answered(task, failure="refused")
        if again_in is None:
            await self.settle(Dead(task=task, reason="refused"))
        else:
            at = asyncio.get_running_loop().time() + again_in
            await self.settle(RetryAt(task=task, at=at, reason="refused"))

    async def answer_robots(self, task: RobotsTask, body: str = "", *, status: int | None = 200) -> None:
        self.frontier.robots_answered(task.host)
        at = asyncio.get_running_loop().time()
        await self.settle(RobotsAnswer(task=task, fetched_at=at, status=status, body=body.encode()))

    async def reject(self, rejected: Rejected) -> None:
        if rejected.state == "pending":
            await self.settle(
                RetryAt(task=rejected.task, at=math.inf, reason=rejected.reason, requested=False)
            )
        elif rejected.state == "skipped":
            await self.settle(Skipped(task=rejected.task, reason=rejected.reason))
        else:
            await self.settle(Dead(task=rejected.task, reason=rejected.reason, requested=False))

    async def crawl(
        self,
        web: Web,
        *,
        latency: Callable[[str], float] = lambda url: 0.1,
        robots: Callable[[RobotsTask], tuple[int | None, str]] = lambda task: (404, ""),
        fails: Callable[[FetchTask], bool] = lambda task: False,
        page: Callable[[str], str | None] = lambda url: None,
    ) -> list[Leased]:
        """Work until nothing is left to do; every page takes its latency, and what fails is tried
        again at once. What was leased, and when."""
        leased: list[Leased] = []

        async def work(message: FetchTask | RobotsTask | Rejected) -> None:
            match message:
                case Rejected():
                    await self.reject(message)
                case RobotsTask():
                    status, body = robots(message)
                    await self.answer_robots(message, body, status=status)
                case FetchTask(url=url):
                    await asyncio.sleep(latency(url))
                    if fails(message):
                        self.answered(message)
                        await self.settle(RetryAt(task=message, at=START + self.now(), reason="http_503"))
                    else:
                        await self.finish(message, *web.get(url, ()), body=page(url))

        async with asyncio.TaskGroup() as group:
            while (message := await self.frontier.next()) is not None:
                if isinstance(message, FetchTask):
                    leased.append(Leased(self.now(), message.url))
                self.most_leased = max(self.most_leased, self.frontier.leased)
                group.create_task(work(message))
        return leased


def page(task: FetchTask, status: int = 200) -> ParsedPage:
    return ParsedPage(task=task, answer=answer(status))
