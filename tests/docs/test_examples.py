"""Every example of README.md and docs/ is run, in the order of the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.docs.examples import RUN, Folder, is_run, missing_lines, realigned
from tests.docs.fork_server import serving
from tests.docs.pages import PAGES, Block, blocks
from tests.docs.site import serve

WITH_EXAMPLES = [page for page in PAGES if any(is_run(block) for block in blocks(page))]
MOST_NOT_RUN = 14  # blocks: services, schedules, installations


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[Path, Future[list[str]]]]:
    """All pages, two at a time, because most of an example is the start of a process."""
    server = tmp_path_factory.mktemp("server") / "socket"
    with serve() as sites, serving(server), ThreadPoolExecutor(2) as pool:
        folders = {page: tmp_path_factory.mktemp("page") for page in WITH_EXAMPLES}
        yield {
            page: pool.submit(problems, page, Folder(folders[page], sites, server)) for page in WITH_EXAMPLES
        }


def problems(page: Path, folder: Folder) -> list[str]:
    """What a page says that is not so."""
    found = []
    for block in filter(is_run, blocks(page)):
        for command, printed, shown in folder.run(block):
            numbers = "numbers vary" not in block.directives
            missing = missing_lines(shown, printed.text, numbers=numbers)
            if missing or printed.code != int(block.directives.get("exit", 0)):
                told = f"{where(page, block)}: {command}\nexit {printed.code}\n{printed.text}"
                found.append("\n".join([told, *missing]))
    return found


def where(page: Path, block: Block) -> str:
    return f"{page.name}:{block.start + 1}"


@pytest.mark.parametrize("page", WITH_EXAMPLES, ids=lambda page: page.name)
def test_the_examples_of_a_page_do_what_it_says(page: Path, runs: Mapping[Path, Future[list[str]]]) -> None:
    found = runs[page].result()

    assert found == [], "\n\n".join(["`python -m tests.docs` writes what is true now:", *found])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_block_that_is_not_run_gives_its_reason(page: Path) -> None:
    """A block is run, is a file, gives a reason, or is of no language: a picture, or a message."""
    unclear = [
        where(page, block)
        for block in blocks(page)
        if block.language not in (*RUN, "", "text")
        and "file" not in block.directives
        and not block.directives.get("not run")
    ]

    assert unclear == []


def test_few_blocks_are_not_run() -> None:
    skipped = [where(page, b) for page in PAGES for b in blocks(page) if "not run" in b.directives]

    assert len(skipped) <= MOST_NOT_RUN, skipped


class TestComparison:
    def test_durations_rates_and_times_may_vary(self) -> None:
        shown = ["  elapsed    0.7 s", "12 pages  1,672/s  at 2026-11-21T14:29:17.348Z"]

        printed = "  elapsed  1.31 s\n12 pages 9/s at 2027-01-01T00:00:00.000Z\n"

        assert missing_lines(shown, printed) == []

    def test_other_numbers_and_words_may_not(self) -> None:
        assert missing_lines(["12 pages"], "13 pages\n") != []
        assert missing_lines(["12 pages"], "12 sheets\n") != []

    def test_three_dots_stand_for_any_lines_but_not_for_another_order(self) -> None:
        assert missing_lines(["b", "..."], "a\nb\nc\n") == []
        assert missing_lines(["c", "...", "b"], "a\nb\nc\n") == ["b"]

    def test_a_table_keeps_its_columns_when_a_name_in_it_changes(self) -> None:
        rows = ("url                   n", "--------------------  -", "http://127.0.0.1:1/a  1")

        made = realigned("\n".join(rows), {"http://127.0.0.1:1": "https://a"})

        assert made == "url          n\n-----------  -\nhttps://a/a  1\n"
