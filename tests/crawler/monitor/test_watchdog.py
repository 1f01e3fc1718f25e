"""The watch: what a crawl is doing, in lines a person can read, and unasked when nothing moves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from penstock.crawler.engine.pool import Pool
from penstock.crawler.messages import FetchTask, Message
from penstock.crawler.monitor.watchdog import pool_lines, watch
from tests.support.fakes import task


@dataclass(frozen=True)
class Named:
    """A stage that nobody lets work."""

    name: str
    is_last: bool = False

    async def handle(self, message: Message) -> Sequence[Message]:
        raise AssertionError


def pools(*, full: str = "", busy: Sequence[str] = ()) -> list[Pool]:
    """The three stages, each with two workers and room for one message."""
    made = []
    for name in ("fetch", "parse", "store"):
        pool = Pool(stage=Named(name), workers=2, inbox=asyncio.Queue(1))
        if name == full:
            pool.inbox.put_nowait(task())
        pool.at_work[0] = (work(3), time.monotonic() - 2) if name in busy else None
        pool.at_work[1] = (work(9), time.monotonic() - 61) if name in busy else None
        made.append(pool)
    return made


def work(number: int) -> FetchTask:
    return task(f"http://h/{number}")


class TestLines:
    def test_a_stage_without_work_waits_for_the_one_before_it(self) -> None:
        assert pool_lines(pools()) == [
            "fetch: waits for the frontier, inbox 0/1, busy 0/2",
            "parse: waits for fetch, inbox 0/1, busy 0/2",
            "store: waits for parse, inbox 0/1, busy 0/2",
        ]

    def test_a_busy_one_names_what_it_has_had_for_the_longest(self) -> None:
        lines = pool_lines(pools(busy=["fetch", "store"]))

        assert lines[0].startswith("fetch: waits for answers, inbox 0/1, busy 2/2, oldest http://h/9 for 6")
        assert lines[2].startswith("store: waits for a commit, inbox 0/1, busy 2/2, oldest http://h/9 for 6")

    def test_a_full_queue_is_what_the_stage_before_it_waits_for(self) -> None:
        lines = pool_lines(pools(full="parse", busy=["fetch", "parse"]))

        assert lines[0].startswith("fetch: waits for room in parse, ")
        assert lines[1].startswith("parse: waits for a parser, inbox 1/1, ")

    def test_before_the_first_stage_is_there_nothing_is_said(self) -> None:
        assert pool_lines([]) == []


class TestWatch:
    async def test_it_speaks_when_nothing_was_settled_and_not_while_something_is(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        looks = iter(range(3))  # at three of them something has moved, then nothing
        told: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

        def warning(event: str, **facts: Any) -> None:
            assert next(looks, None) is None, "something was still moving"
            if not told.done():
                told.set_result({"event": event, **facts})

        monkeypatch.setattr("penstock.crawler.monitor.watchdog.log.warning", warning)
        watching = asyncio.create_task(
            watch(pools(busy=["fetch"]), "idle", lambda: next(looks, 3), stuck_after=0.01)
        )
        async with asyncio.timeout(5):
            facts = await told
        watching.cancel()

        assert facts["event"] == "nothing_settled"
        assert "waits for answers" in facts["stages"][0]
        assert "waits for fetch" in facts["stages"][1]
