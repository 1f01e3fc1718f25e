"""The command `crawl`: how it ends, and what it says then."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from penstock.crawler.cli import main, signals
from penstock.crawler.errors import BadDatabase, StorageFailed
from penstock.crawler.output import logs
from penstock.crawler.run_result import Report
from tests.support.command_line import REPORT, SEED, TOTALS, Capture, Desk, FakeCrawl

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> Iterator[Desk]:
    yield Desk(monkeypatch, capsys)
    logs.reset()


class TestSummary:
    def test_its_numbers_are_those_of_the_database_and_add_up(self, desk: Desk) -> None:
        desk.config("--seed", SEED, "--db", "some where.db")

        assert "1,239 = 1,000 done, 34 failed, 200 skipped, 5 pending" in desk.err
        assert "990 of status 200, 99.0/s" in desk.err
        assert "1,050, 12 retries among them; robots.txt apart: 3" in desk.err
        assert "12.3 MiB" in desk.err
        assert "query 'SELECT url, status, title FROM pages LIMIT 10' --db 'some where.db'" in desk.err

    def test_standard_output_stays_empty(self, desk: Desk) -> None:
        desk.config("--seed", SEED)

        assert desk.out == ""

    def test_a_complete_crawl_says_that_nothing_was_fetched(self, desk: Desk) -> None:
        desk.act = lambda crawl: replace(REPORT, nothing_to_do=True, resumed=True)
        desk.config("--seed", SEED)

        assert desk.err.startswith("nothing to do: this crawl is complete already")

    def test_quiet_says_nothing(self, desk: Desk) -> None:
        desk.config("--seed", SEED, "--quiet")

        assert desk.err == ""

    def test_every_line_is_an_event_where_the_logs_are(self, desk: Desk) -> None:
        desk.signals = (signal.SIGTERM,)
        desk.act = lambda crawl: replace(REPORT, exit_code=143, stop_reason="sigterm")
        desk.types("--seed", SEED, "--log-format", "json")

        events = [json.loads(line) for line in desk.err.splitlines()]
        assert [event["event"] for event in events] == ["stop_requested", "crawl_summed_up"]
        assert events[-1]["urls"] == TOTALS.states

    @pytest.mark.parametrize("code", [0, 1, 3, 4, 130, 143])
    def test_the_exit_code_is_the_reports(self, desk: Desk, code: int) -> None:
        desk.act = lambda crawl: replace(REPORT, exit_code=code)

        assert desk.types("--seed", SEED) == code


class TestGoingOn:
    def stopped(self, desk: Desk, reason: str, *words: str) -> str:
        desk.act = lambda crawl: replace(REPORT, exit_code=3, stop_reason=reason)
        desk.types("--seed", SEED, *words)
        return desk.err.splitlines()[-1]

    def test_an_interrupted_run_shows_the_command_that_resumes_it(self, desk: Desk) -> None:
        line = self.stopped(desk, "sigint", "--db", "some where.db", "--exclude", "a|b")

        assert line == (f"to go on: python run_crawl.py --seed {SEED} --db 'some where.db' --exclude 'a|b'")

    def test_a_spent_budget_has_to_be_raised_first(self, desk: Desk) -> None:
        assert self.stopped(desk, "max_pages").startswith("raise --max-pages to go on: ")

    def test_a_budget_of_this_run_only_has_not(self, desk: Desk) -> None:
        assert self.stopped(desk, "max_time").startswith("to go on: ")

    @pytest.mark.parametrize(
        "words",
        [
            ("--header", "Authorization: hunter2"),
            ("--header=X-Api-Key:hunter2",),
            ("--header", "cookie:hunter2"),
            ("--header", "X-Mine: hunter2"),
            ("--auth", "hunter2:hunter2"),
            ("--auth=hunter2:hunter2",),
            ("--proxy", "http://bob:hunter2@proxy:1"),
            ("--proxy=http://hunter2@proxy:1",),
        ],
    )
    def test_secrets_are_left_out_of_it(self, desk: Desk, words: tuple[str, ...]) -> None:
        """The line stays in the logs of CI, where the command itself may be masked."""
        line = self.stopped(desk, "sigint", *words)

        assert "hunter2" not in line
        assert f"put the value of {words[0].partition('=')[0]} back in" in line

    def test_a_header_that_is_none_is_shown(self, desk: Desk) -> None:
        assert self.stopped(desk, "sigint", "--header", "Accept-Language: de").endswith(
            "'Accept-Language: de'"
        )

    def test_a_finished_crawl_has_none(self, desk: Desk) -> None:
        assert "look at it" in self.stopped(desk, "finished")

    def test_seeds_from_standard_input_are_needed_again(
        self, desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / "in").write_text("http://a/\n")
        with (tmp_path / "in").open() as stream:
            monkeypatch.setattr(sys, "stdin", stream)

            assert "same seeds on standard input" in self.stopped(desk, "sigint", "--seeds", "-")


class TestSignals:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_the_first_one_asks_the_crawl_to_stop_by_its_name(
        self, desk: Desk, number: signal.Signals
    ) -> None:
        desk.signals = (number,)
        desk.config("--seed", SEED)

        assert desk.crawls[0].stops == [number.name.lower()]
        assert desk.err.startswith("stopping: ")

    def test_a_second_ctrl_c_asks_again_and_raises_nothing(self, desk: Desk) -> None:
        """asyncio's own handler would throw a KeyboardInterrupt into the middle of a commit."""
        desk.signals = (signal.SIGINT, signal.SIGINT)
        desk.config("--seed", SEED)

        assert desk.crawls[0].stops == ["sigint", "sigint"]
        assert "Ctrl-C again" in desk.err.splitlines()[0]
        assert desk.err.splitlines()[1].startswith("aborting")

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
    def test_one_that_comes_after_the_crawl_cuts_nothing_through(self, number: signal.Signals) -> None:
        """asyncio has its loop to close then, and an interrupt leaves that half-done, with a warning."""
        heard: list[str] = []

        async def crawl() -> None:
            with signals.caught(heard.append, lambda: heard.append("sigusr1")):
                os.kill(os.getpid(), number)
                await asyncio.sleep(0.01)
            signal.raise_signal(number)

        before = signal.getsignal(number)
        with signals.restored():
            asyncio.run(crawl())

        assert heard == [number.name.lower()]
        assert signal.getsignal(number) == before

    def test_nohup_is_respected(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        desk.signals = (signal.SIGHUP, signal.SIGTERM)

        async def run(crawl: FakeCrawl) -> Report:
            os.kill(os.getpid(), signal.SIGHUP)
            crawl.signals = (signal.SIGTERM,)
            return await original(crawl)

        original = FakeCrawl.run
        monkeypatch.setattr(FakeCrawl, "run", run)
        try:
            desk.config("--seed", SEED)
        finally:
            signal.signal(signal.SIGHUP, before)

        assert desk.crawls[0].stops == ["sigterm"]

    def test_the_process_has_its_own_handlers_back_afterwards(self, desk: Desk) -> None:
        before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        desk.config("--seed", SEED)

        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


class TestErrors:
    def raising(self, desk: Desk, error: BaseException) -> None:
        def act(crawl: FakeCrawl) -> Report:
            raise error

        desk.act = act

    def test_a_refusal_is_one_line_and_exit_2(self, desk: Desk) -> None:
        self.raising(desk, BadDatabase("x.db: of another crawl"))

        assert desk.types("--seed", SEED) == 2
        assert desk.err == "penstock: error: x.db: of another crawl\n"

    def test_a_failure_while_running_is_exit_1_and_can_be_resumed(self, desk: Desk) -> None:
        self.raising(desk, StorageFailed("disk full"))

        assert desk.types("--seed", SEED) == 1
        assert desk.err == f"penstock: error: disk full\nto go on: python run_crawl.py --seed {SEED}\n"

    def test_a_bug_is_one_line_with_its_type(self, desk: Desk) -> None:
        self.raising(desk, ExceptionGroup("tasks", [ValueError("\x1b[2J")]))

        assert desk.types("--seed", SEED) == 1
        assert desk.err.startswith(r"penstock: error: unexpected ValueError: \x1b[2J (--log-level debug")

    def test_its_traceback_is_there_for_who_asks(self, desk: Desk, capsys: Capture) -> None:
        self.raising(desk, ValueError("x"))

        assert main(["--seed", SEED, "--log-level", "debug"]) == 1
        assert "Traceback" in capsys.readouterr().err

    def test_a_broken_pipe_inside_the_crawl_is_not_taken_for_a_reader_that_left(self, desk: Desk) -> None:
        self.raising(desk, BrokenPipeError("socket"))

        assert desk.types("--seed", SEED) == 1
        assert "BrokenPipeError: socket" in desk.err

    def test_our_own_error_inside_a_group_keeps_its_exit_code(self, desk: Desk) -> None:
        self.raising(desk, ExceptionGroup("tasks", [BadDatabase("x")]))

        assert desk.types("--seed", SEED) == 2

    def test_an_interrupt_before_the_loop_is_130(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        def interrupted(path: str) -> list[str]:
            raise KeyboardInterrupt

        monkeypatch.setattr("penstock.crawler.config.option_files.read_seeds", interrupted)

        assert desk.types("--seeds", "-") == 130
        assert desk.err == ""


class TestProcess:
    """What only a process of its own can show."""

    def python(self, code: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
        )
        return done.stdout

    @pytest.mark.parametrize("word", ["--help", "--version"])
    def test_help_loads_nothing_slow(self, word: str) -> None:
        """A person waits for it; aiohttp alone takes longer than all the rest."""
        slow = {
            "aiohttp",
            "asyncio",
            "aiosqlite",
            "selectolax",
            "structlog",
            "rich",
            "pybloom_live",
        }

        loaded = self.python(
            f"import sys; from penstock.crawler.cli import main; main([{word!r}]); "
            "print(); print(*sys.modules)"
        )

        assert slow & set(loaded.splitlines()[-1].split()) == set()

    def test_a_reader_that_left_is_no_error_to_tell(self) -> None:
        reading, writing = os.pipe()
        os.close(reading)
        done = subprocess.run(
            [sys.executable, "run_crawl.py", "--help"],
            cwd=ROOT,
            stdout=writing,
            stderr=subprocess.PIPE,
            timeout=60,
        )
        os.close(writing)

        assert done.stderr == b""
        assert done.returncode == 141

    def test_a_refusal_keeps_its_exit_code_when_nobody_can_read_it(self) -> None:
        """Python's last flush would make it 120."""
        reading, writing = os.pipe()
        os.close(reading)
        done = subprocess.run(
            [sys.executable, "run_crawl.py", "--seed", "x"], cwd=ROOT, stderr=writing, timeout=60
        )
        os.close(writing)

        assert done.returncode == 2

    def test_closed_streams_are_replaced_by_ones_that_lead_nowhere(self) -> None:
        """Else the database could become file number 2, where libraries print their complaints."""
        shell = f"exec {sys.executable} run_crawl.py --version >&- 2>&- <&-"

        assert subprocess.run(["sh", "-c", shell], cwd=ROOT, timeout=60).returncode == 0

    def test_the_package_offers_the_library(self) -> None:
        assert self.python("from penstock import Crawl, CrawlConfig; print(Crawl.__name__)") == "Crawl\n"
