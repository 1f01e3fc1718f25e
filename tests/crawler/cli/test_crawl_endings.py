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
from tests.support.command_line import REPORT, SEED, TOTALS, Capture, CommandLine, FakeCrawl

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def command_line(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> Iterator[CommandLine]:
    yield CommandLine(monkeypatch, capsys)
    logs.reset()


class TestSummary:
    def test_the_numbers_of_the_summary_are_those_of_the_database(self, command_line: CommandLine) -> None:
        command_line.config("--seed", SEED, "--db", "some where.db")

        assert "1,239 = 1,000 done, 34 failed, 200 skipped, 5 pending" in command_line.err
        assert "990 of status 200, 99.0/s" in command_line.err
        assert "1,050, including 12 retries; 3 more for robots.txt" in command_line.err
        assert "12.3 MiB" in command_line.err
        assert (
            "query 'SELECT url, status, title FROM pages LIMIT 10' --db 'some where.db'" in command_line.err
        )

    def test_standard_output_stays_empty(self, command_line: CommandLine) -> None:
        command_line.config("--seed", SEED)

        assert command_line.out == ""

    def test_a_second_run_of_a_complete_crawl_says_that_there_is_nothing_to_do(
        self, command_line: CommandLine
    ) -> None:
        command_line.act = lambda crawl: replace(REPORT, nothing_to_do=True, resumed=True)
        command_line.config("--seed", SEED)

        assert command_line.err.startswith("nothing to do: this crawl was complete already")

    def test_quiet_says_nothing(self, command_line: CommandLine) -> None:
        command_line.config("--seed", SEED, "--quiet")

        assert command_line.err == ""

    def test_every_line_is_an_event_where_the_logs_are(self, command_line: CommandLine) -> None:
        command_line.signals = (signal.SIGTERM,)
        command_line.act = lambda crawl: replace(REPORT, exit_code=143, stop_reason="sigterm")
        command_line.run("--seed", SEED, "--log-format", "json")

        events = [json.loads(line) for line in command_line.err.splitlines()]
        assert [event["event"] for event in events] == ["stop_requested", "crawl_summed_up"]
        assert events[-1]["urls"] == TOTALS.states

    @pytest.mark.parametrize("code", [0, 1, 3, 4, 130, 143])
    def test_the_exit_code_is_the_reports(self, command_line: CommandLine, code: int) -> None:
        command_line.act = lambda crawl: replace(REPORT, exit_code=code)

        assert command_line.run("--seed", SEED) == code


class TestResumeCommand:
    def stopped(self, command_line: CommandLine, reason: str, *words: str) -> list[str]:
        command_line.act = lambda crawl: replace(REPORT, exit_code=3, stop_reason=reason)
        command_line.run("--seed", SEED, *words)
        return command_line.err.splitlines()[-2:]

    def test_an_interrupted_run_shows_the_command_that_resumes_it(self, command_line: CommandLine) -> None:
        *_, line = self.stopped(command_line, "sigint", "--db", "some where.db", "--exclude", "a|b")

        assert line == (
            f"resume with: python run_crawl.py --seed {SEED} --db 'some where.db' --exclude 'a|b'"
        )

    def test_a_spent_budget_has_to_be_raised_first(self, command_line: CommandLine) -> None:
        hint, line = self.stopped(command_line, "max_pages")

        assert hint == "before you resume: raise --max-pages"
        assert line == f"resume with: python run_crawl.py --seed {SEED}"

    def test_a_budget_of_one_run_need_not_be_raised(self, command_line: CommandLine) -> None:
        hint, line = self.stopped(command_line, "max_time")

        assert "before you resume" not in hint
        assert line.startswith("resume with: ")

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
    def test_secrets_are_left_out_of_it(self, command_line: CommandLine, words: tuple[str, ...]) -> None:
        """The line stays in the logs of CI, where the command itself may be masked."""
        hint, line = self.stopped(command_line, "sigint", *words)

        assert "hunter2" not in command_line.err
        assert hint == f"before you resume: put back the value of {words[0].partition('=')[0]}"
        assert line.startswith("resume with: ")

    def test_a_header_that_is_no_secret_is_shown(self, command_line: CommandLine) -> None:
        *_, line = self.stopped(command_line, "sigint", "--header", "Accept-Language: de")

        assert line.endswith("'Accept-Language: de'")

    def test_a_finished_crawl_shows_no_command_that_resumes_it(self, command_line: CommandLine) -> None:
        assert "inspect" in self.stopped(command_line, "finished")[-1]

    def test_seeds_from_standard_input_are_needed_again(
        self, command_line: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / "in").write_text("http://a/\n")
        with (tmp_path / "in").open() as stream:
            monkeypatch.setattr(sys, "stdin", stream)

            hint, _ = self.stopped(command_line, "sigint", "--seeds", "-")

        assert hint == "before you resume: give the same seeds on standard input"


class TestSignals:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_the_first_one_asks_the_crawl_to_stop_by_its_name(
        self, command_line: CommandLine, number: signal.Signals
    ) -> None:
        command_line.signals = (number,)
        command_line.config("--seed", SEED)

        assert command_line.crawls[0].stops == [number.name.lower()]
        assert command_line.err.startswith("stopping: ")

    def test_a_second_ctrl_c_asks_again_and_raises_nothing(self, command_line: CommandLine) -> None:
        """asyncio's own handler would throw a KeyboardInterrupt into the middle of a commit."""
        command_line.signals = (signal.SIGINT, signal.SIGINT)
        command_line.config("--seed", SEED)

        assert command_line.crawls[0].stops == ["sigint", "sigint"]
        assert "Ctrl-C again" in command_line.err.splitlines()[0]
        assert command_line.err.splitlines()[1].startswith("aborting")

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
    def test_one_that_comes_after_the_crawl_cuts_nothing_through(self, number: signal.Signals) -> None:
        """asyncio has its loop to close then, and an interrupt leaves that half-done, with a warning."""
        heard: list[str] = []

        async def crawl() -> None:
            with signals.handle_signals(heard.append, lambda: heard.append("sigusr1")):
                os.kill(os.getpid(), number)
                await asyncio.sleep(0.01)
            signal.raise_signal(number)

        before = signal.getsignal(number)
        with signals.restore_handlers():
            asyncio.run(crawl())

        assert heard == [number.name.lower()]
        assert signal.getsignal(number) == before

    def test_nohup_is_respected(self, command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
        before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        command_line.signals = (signal.SIGHUP, signal.SIGTERM)

        async def run(crawl: FakeCrawl) -> Report:
            os.kill(os.getpid(), signal.SIGHUP)
            crawl.signals = (signal.SIGTERM,)
            return await original(crawl)

        original = FakeCrawl.run
        monkeypatch.setattr(FakeCrawl, "run", run)
        try:
            command_line.config("--seed", SEED)
        finally:
            signal.signal(signal.SIGHUP, before)

        assert command_line.crawls[0].stops == ["sigterm"]

    def test_the_process_has_its_own_handlers_back_afterwards(self, command_line: CommandLine) -> None:
        before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        command_line.config("--seed", SEED)

        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


class TestErrors:
    def raising(self, command_line: CommandLine, error: BaseException) -> None:
        def act(crawl: FakeCrawl) -> Report:
            raise error

        command_line.act = act

    def test_a_refusal_is_one_line_and_exit_2(self, command_line: CommandLine) -> None:
        self.raising(command_line, BadDatabase("x.db: of another crawl"))

        assert command_line.run("--seed", SEED) == 2
        assert command_line.err == "penstock: error: x.db: of another crawl\n"

    def test_a_failure_while_running_is_exit_1_and_can_be_resumed(self, command_line: CommandLine) -> None:
        self.raising(command_line, StorageFailed("disk full"))

        assert command_line.run("--seed", SEED) == 1
        assert (
            command_line.err
            == f"penstock: error: disk full\nresume with: python run_crawl.py --seed {SEED}\n"
        )

    def test_a_bug_is_one_line_with_its_type(self, command_line: CommandLine) -> None:
        self.raising(command_line, ExceptionGroup("tasks", [ValueError("\x1b[2J")]))

        assert command_line.run("--seed", SEED) == 1
        assert command_line.err.startswith(
            r"penstock: error: unexpected ValueError: \x1b[2J (--log-level debug"
        )

    def test_the_traceback_of_a_bug_is_shown_at_log_level_debug(
        self, command_line: CommandLine, capsys: Capture
    ) -> None:
        self.raising(command_line, ValueError("x"))

        assert main(["--seed", SEED, "--log-level", "debug"]) == 1
        assert "Traceback" in capsys.readouterr().err

    def test_a_broken_pipe_inside_the_crawl_is_not_taken_for_a_reader_that_left(
        self, command_line: CommandLine
    ) -> None:
        self.raising(command_line, BrokenPipeError("socket"))

        assert command_line.run("--seed", SEED) == 1
        assert "BrokenPipeError: socket" in command_line.err

    def test_our_own_error_inside_a_group_keeps_its_exit_code(self, command_line: CommandLine) -> None:
        self.raising(command_line, ExceptionGroup("tasks", [BadDatabase("x")]))

        assert command_line.run("--seed", SEED) == 2

    def test_an_interrupt_before_the_loop_is_130(
        self, command_line: CommandLine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def interrupted(path: str) -> list[str]:
            raise KeyboardInterrupt

        monkeypatch.setattr("penstock.crawler.cli.crawl.read_seeds", interrupted)

        assert command_line.run("--seeds", "-") == 130
        assert command_line.err == ""


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
