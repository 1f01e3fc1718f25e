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
    """A stage that does nothing."""

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
    def test_an_idle_stage_waits_for_the_stage_before_it(self) -> None:
        assert pool_lines(pools()) == [
            "fetch: waits for the frontier, inbox 0/1, busy 0/2",
            "parse: waits for fetch, inbox 0/1, busy 0/2",
            "store: waits for parse, inbox 0/1, busy 0/2",
        ]

    def test_a_busy_stage_names_its_oldest_message(self) -> None:
        lines = pool_lines(pools(busy=["fetch", "store"]))

        assert lines[0].startswith("fetch: waits for answers, inbox 0/1, busy 2/2, oldest http://h/9 for 6")
        assert lines[2].startswith("store: waits for a commit, inbox 0/1, busy 2/2, oldest http://h/9 for 6")

    def test_a_stage_before_a_full_inbox_waits_for_room_in_it(self) -> None:
        lines = pool_lines(pools(full="parse", busy=["fetch", "parse"]))

        assert lines[0].startswith("fetch: waits for room in parse, ")
        assert lines[1].startswith("parse: waits for a parser, inbox 1/1, ")

    def test_without_stages_there_are_no_lines(self) -> None:
        assert pool_lines([]) == []


class TestWatch:
    async def test_a_warning_comes_when_nothing_is_settled_and_not_before(
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

    async def test_no_warning_comes_while_the_crawl_waits_for_its_program(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A program may take minutes for a page: that is no sign of a stuck crawl."""
        warnings: list[str] = []
        checks = 0
        checked = asyncio.Event()

        def paused() -> bool:
            nonlocal checks
            checks += 1
            if checks == 3:
                checked.set()
            return True

        monkeypatch.setattr(
            "penstock.crawler.monitor.watchdog.log.warning", lambda event, **facts: warnings.append(event)
        )
        watching = asyncio.create_task(watch(pools(), "idle", lambda: 0, paused=paused, stuck_after=0.01))
        async with asyncio.timeout(5):
            await checked.wait()
        watching.cancel()

        assert warnings == []
