"""What commits together: as much as there is memory and a second for, and nobody waits for ever."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest
from msgspec.structs import replace

from penstock.crawler.messages import CanonicalUrl, Resource, RobotsTask, Sitemap
from penstock.crawler.ports import Saved
from penstock.storage.writing.group_commit import Waiting, count_targets, take_batch
from tests.support.fakes import done, robots_answer, task

NOBODY = cast("asyncio.Future[Saved]", None)
SIZES = {"small": 1, "many": 50, "large": 100, "huge": 500}


@pytest.fixture(autouse=True)
def fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock.storage.writing.group_commit.MAX_TARGETS", 100)
    monkeypatch.setattr("penstock.storage.writing.group_commit.SMALL_TARGETS", 10)


def waits(name: str) -> Waiting:
    return done(task(f"http://h/{name}"), *(f"http://h/{n}" for n in range(SIZES[name]))), NOBODY


def names(waiting: list[Waiting]) -> str:
    return " ".join(str(verdict.task).rpartition("h/")[2].partition("'")[0] for verdict, _ in waiting)


class TestTake:
    @pytest.mark.parametrize(
        ("given", "small_first", "batch", "rest"),
        [
            ("", True, "", ""),
            ("small many", True, "small many", ""),
            ("many many", True, "many many", ""),
            ("small large", True, "small", "large"),
            ("large small small", True, "small small", "large"),
            ("large small small", False, "large", "small small"),
            ("large large", True, "large", "large"),
            ("huge small", False, "huge", "small"),
            ("small many many many", False, "small many", "many many"),
            ("many large small many", False, "many small", "large many"),
        ],
    )
    def test_as_many_as_fit(self, given: str, small_first: bool, batch: str, rest: str) -> None:
        taken = take_batch([waits(name) for name in given.split()], small_first=small_first)

        assert [names(part) for part in taken] == [batch, rest]


class TestLeads:
    def test_whatever_becomes_a_row_counts(self) -> None:
        page, urls = done(task(), "http://h/a"), [CanonicalUrl("http://h/x"), CanonicalUrl("http://h/y")]
        assert page.content is not None
        resources = [Resource(url, "image") for url in urls]

        assert count_targets(page) == 1
        assert count_targets(replace(page, content=replace(page.content, resources=resources))) == 3
        assert count_targets(replace(page, content=None, sitemap=Sitemap(locations=urls))) == 2
        assert count_targets(robots_answer(RobotsTask(origin="http://h", host="h"))) == 0
