"""Poison pages: a page that crashes the process is parsed alone, and fails after three such runs in a row."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.crawler.messages import Verdict
from tests.support.fakes import done, task, url
from tests.support.open_store import PAGES, SEED, rows, states, stored

A, B = f"{SEED}a", f"{SEED}b"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "crawl.db"


async def crash(path: Path, *being_parsed: str, settled: Verdict | None = None) -> list[str]:
    """A run that dies while these pages are being parsed. Returns what it was told to parse last."""
    async with stored(path, SEED, A, B, end=None) as file:
        marks = file.run.open_marks(2)
        if settled is not None:
            await file.save(settled)
        for page in being_parsed:
            marks.begin(url(page))
        return list(file.run.poison_pages)


async def parsed_last(path: Path) -> list[str]:
    """What the next run is told to parse last."""
    return await crash(path)


async def test_a_page_fails_after_three_runs_that_crashed_while_it_alone_was_parsed(path: Path) -> None:
    told = [await crash(path, B) for _ in range(3)]
    assert states(path)[B] == ("pending", None)

    told.append(await parsed_last(path))

    assert told == [[], [B], [B], []]
    assert states(path) == {SEED: ("pending", None), A: ("pending", None), B: ("failed", "poison")}
    assert rows(path, PAGES) == [(B, None, None, "poison")]


async def test_two_crashes_are_not_enough(path: Path) -> None:
    for _ in range(2):
        await crash(path, B)

    assert await parsed_last(path) == [B]
    assert states(path)[B] == ("pending", None)


async def test_pages_that_were_parsed_side_by_side_are_parsed_last_and_never_fail_for_it(path: Path) -> None:
    """One of them crashed the process, and nothing tells which."""
    for _ in range(5):
        await crash(path, A, B)

    assert sorted(await parsed_last(path)) == [A, B]
    assert {state for state, _ in states(path).values()} == {"pending"}


async def test_a_crash_of_another_page_starts_the_count_again(path: Path) -> None:
    for page in (B, B, A, B, B):
        await crash(path, page)

    assert await parsed_last(path) == [B]
    assert states(path)[B] == ("pending", None)


async def test_a_run_that_settled_a_page_before_it_crashed_does_not_count(path: Path) -> None:
    """A kill from outside says nothing about the page that was being parsed then."""
    for page in (SEED, A):
        await crash(path, B)
        await crash(path, B, settled=done(task(page)))

    assert await parsed_last(path) == [B]
    assert states(path)[B] == ("pending", None)


async def test_a_run_that_ended_by_itself_clears_the_count_whatever_marks_it_left(path: Path) -> None:
    for _ in range(2):
        await crash(path, B)
    async with stored(path, SEED, A, B) as file:
        file.run.open_marks(2).begin(url(B))

    assert await crash(path, B) == []
    assert await crash(path, B) == [B]
    assert states(path)[B] == ("pending", None)
