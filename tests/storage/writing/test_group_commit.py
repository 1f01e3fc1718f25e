"""Group commit: which verdicts commit together, how long they wait for each other, what a failure does."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

import pytest
from msgspec.structs import replace

from penstock.crawler.errors import StorageFailed
from penstock.crawler.messages import CanonicalUrl, Resource, RobotsTask, Sitemap, Verdict
from penstock.crawler.ports import Saved
from penstock.storage.writing.group_commit import GroupCommit, Waiting, count_targets, take_batch
from tests.support.fakes import all_else, done, in_virtual_time, robots_answer, task

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


class TestTakeBatch:
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
    def test_a_batch_takes_as_many_verdicts_as_its_targets_allow(
        self, given: str, small_first: bool, batch: str, rest: str
    ) -> None:
        taken = take_batch([waits(name) for name in given.split()], small_first=small_first)

        assert [names(part) for part in taken] == [batch, rest]


class TestCountTargets:
    def test_links_resources_and_sitemap_entries_count(self) -> None:
        page, urls = done(task(), "http://h/a"), [CanonicalUrl("http://h/x"), CanonicalUrl("http://h/y")]
        assert page.content is not None
        resources = [Resource(url, "image") for url in urls]

        assert count_targets(page) == 1
        assert count_targets(replace(page, content=replace(page.content, resources=resources))) == 3
        assert count_targets(replace(page, content=None, sitemap=Sitemap(locations=urls))) == 2
        assert count_targets(robots_answer(RobotsTask(origin="http://h", host="h"))) == 0


class Commits:
    """A queue whose commits take a given time. Notes when each began and how many verdicts it had."""

    def __init__(self, *, max_batch: int, seconds: float = 0.0) -> None:
        self.queue = GroupCommit(max_batch=max_batch)
        self.began: list[tuple[float, int]] = []
        self.flushes = 0
        self.error: Exception | None = None
        self._seconds = seconds
        self._start = asyncio.get_running_loop().time()
        self.queue.start(self._commit, self._flush)

    async def _commit(self, verdicts: Sequence[Verdict]) -> Saved:
        self.began.append((round(asyncio.get_running_loop().time() - self._start, 6), len(verdicts)))
        await asyncio.sleep(self._seconds)
        if self.error is not None:
            raise self.error
        return Saved()

    async def _flush(self) -> None:
        self.flushes += 1

    async def save(self, *names: str) -> None:
        """Save verdicts that arrive at the same moment."""
        await asyncio.gather(*(self.queue.save(waits(name)[0]) for name in names))

    async def wait_after(self, first: int) -> float:
        """Seconds that one verdict waits for others if a commit of so many verdicts has just ended."""
        await self.save(*["small"] * first)
        ended = asyncio.get_running_loop().time() - self._start
        await self.save("small")
        return round(self.began[-1][0] - ended, 6)


@in_virtual_time
class TestLinger:
    async def test_the_first_verdict_commits_at_once(self) -> None:
        commits = Commits(max_batch=8, seconds=0.005)
        await commits.save("small")

        assert [at for at, _ in commits.began] == [0]

    @pytest.mark.parametrize(
        ("batch", "seconds"), [(1, 0), (2, 4 * 0.005), (3, 4 * 0.005), (4, 8 * 0.005), (8, 8 * 0.005)]
    )
    async def test_a_verdict_waits_for_others_the_longer_the_fuller_the_last_batch_was(
        self, batch: int, seconds: float
    ) -> None:
        """In multiples of the last commit's duration. After a batch of one nothing else is on its way."""
        assert await Commits(max_batch=8, seconds=0.005).wait_after(batch) == pytest.approx(seconds)

    async def test_a_slow_commit_makes_the_next_verdict_wait_a_tenth_of_a_second_at_most(self) -> None:
        assert await Commits(max_batch=8, seconds=5.0).wait_after(8) == pytest.approx(0.1)

    async def test_a_full_batch_commits_at_once(self) -> None:
        """Every caller waits for a commit then, so no other verdict can come."""
        commits = Commits(max_batch=4, seconds=0.01)
        await commits.save(*["small"] * 4)
        await commits.save(*["small"] * 4)

        assert commits.began == [(0, 4), (0.01, 4)]

    async def test_verdicts_that_were_left_over_commit_as_soon_as_the_commit_before_them_ends(self) -> None:
        """They have waited for a whole commit already."""
        commits = Commits(max_batch=8, seconds=0.01)

        await commits.save("many", "many", "large")

        assert commits.began == [(0, 2), (0.01, 1)]

    async def test_a_large_verdict_waits_for_one_commit_of_small_ones_at_most(self) -> None:
        """Small ones overtake it, but not twice in a row."""
        commits = Commits(max_batch=8, seconds=1.0)
        ended: list[str] = []

        async def save(name: str) -> None:
            await commits.save(name.rstrip("12"))
            ended.append(name)

        saving = [asyncio.create_task(save(name)) for name in ("large", "small1")]
        await all_else()  # the first commit begins
        saving.append(asyncio.create_task(save("small2")))
        await asyncio.gather(*saving)

        assert ended == ["small1", "large", "small2"]


@in_virtual_time
class TestFlush:
    async def test_a_flush_comes_without_a_verdict(self) -> None:
        commits = Commits(max_batch=4)
        commits.queue.request_flush()
        await all_else()

        assert (commits.flushes, commits.began) == (1, [])

    async def test_a_commit_that_comes_first_replaces_the_flush(self) -> None:
        commits = Commits(max_batch=4, seconds=1.0)
        saving = asyncio.create_task(commits.save("small"))
        await all_else()
        commits.queue.request_flush()
        later = asyncio.create_task(commits.save("small"))
        await asyncio.gather(saving, later)
        await all_else()

        assert ([count for _, count in commits.began], commits.flushes) == ([1, 1], 0)

    async def test_closing_commits_what_waits_and_flushes_once(self) -> None:
        commits = Commits(max_batch=4)
        saving = asyncio.create_task(commits.queue.save(waits("small")[0]))
        await asyncio.sleep(0)
        await commits.queue.close()

        assert await saving == Saved()
        assert ([count for _, count in commits.began], commits.flushes) == ([1], 1)

    async def test_after_a_failed_commit_nothing_is_flushed(self) -> None:
        commits = Commits(max_batch=4)
        commits.error = StorageFailed("the disk is full")
        with pytest.raises(StorageFailed):
            await commits.save("small")
        await commits.queue.close()

        assert commits.flushes == 0
