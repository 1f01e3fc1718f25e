"""The command `crawl`: what may be typed, what is answered, and how it ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

import pytest

from crawler import logs
from crawler.app import Report
from crawler.cli import main
from crawler.config import CrawlConfig, flag_of
from crawler.errors import BadDatabase, StorageFailed
from crawler.ports import Totals
from crawler.stats import Snapshot

ROOT = Path(__file__).resolve().parent.parent
SEED = "http://example.com/"
Capture = pytest.CaptureFixture[str]

TOTALS = Totals(
    states={"pending": 5, "done": 1000, "failed": 34, "skipped": 200},
    requests=1050,
    pages=990,
    bytes=12_897_485,
    retries=12,
    robots_requests=3,
)
REPORT = Report(
    exit_code=0,
    stop_reason="finished",
    run_id=1,
    totals=TOTALS,
    elapsed_s=10.0,
    resumed=False,
    nothing_to_do=False,
    this_run=Snapshot(elapsed_s=10.0, pages=990),
)


@dataclass
class FakeCrawl:
    """Stands where `crawler.app.Crawl` stands; `act` is its whole run."""

    config: CrawlConfig
    act: Callable[[FakeCrawl], Report] = lambda crawl: REPORT
    signals: tuple[signal.Signals, ...] = ()

    def __post_init__(self) -> None:
        self.stops: list[str] = []
        self.asked = asyncio.Event()

    async def run(self) -> Report:
        for number in self.signals:
            self.asked.clear()
            os.kill(os.getpid(), number)
            async with asyncio.timeout(5):
                await self.asked.wait()
        return self.act(self)

    def stop(self, reason: str) -> None:
        self.stops.append(reason)
        self.asked.set()

    def snapshot(self) -> Snapshot:
        return REPORT.this_run


class Desk:
    """A command line with a fake crawl behind it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
        self._capsys = capsys
        self.crawls: list[FakeCrawl] = []
        self.act: Callable[[FakeCrawl], Report] = lambda crawl: REPORT
        self.signals: tuple[signal.Signals, ...] = ()
        monkeypatch.setattr("crawler.app.Crawl", self._made)

    def _made(self, config: CrawlConfig) -> FakeCrawl:
        self.crawls.append(FakeCrawl(config, self.act, self.signals))
        return self.crawls[-1]

    def types(self, *words: str) -> int:
        code = main(words)
        said = self._capsys.readouterr()
        self.out, self.err = said.out, said.err
        assert "Traceback" not in self.err
        return code

    def config(self, *words: str) -> CrawlConfig:
        assert self.types(*words) == 0, self.err
        return self.crawls[-1].config

    def refusal(self, *words: str) -> str:
        """The one line with which a command is refused before anything is built."""
        assert self.types(*words) == 2
        assert self.crawls == []
        assert self.out == ""
        assert self.err.startswith("penstock: error: ")
        assert self.err.count("\n") == 1
        return self.err


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> Iterator[Desk]:
    yield Desk(monkeypatch, capsys)
    logs.reset()


class TestDefaultCommand:
    def test_flags_alone_mean_crawl(self, desk: Desk) -> None:
        assert desk.config("--seed", SEED) == desk.config("crawl", "--seed", SEED)

    def test_no_words_at_all_say_what_is_missing(self, desk: Desk) -> None:
        assert "--seed" in desk.refusal()

    def test_a_command_must_come_first(self, desk: Desk) -> None:
        assert "must come first" in desk.refusal("--db", "x.db", "status")

    def test_a_url_without_its_flag_gets_a_hint(self, desk: Desk) -> None:
        assert "--seed URL?" in desk.refusal("http://bob:hunter2@example.com/")
        assert "hunter2" not in desk.err

    def test_a_misspelt_command_gets_a_hint(self, desk: Desk) -> None:
        assert "did you mean status?" in desk.refusal("staus")


class TestFlags:
    def test_every_field_of_the_configuration_has_its_flag(self, desk: Desk) -> None:
        desk.types("crawl", "--help")

        assert [
            field.name for field in fields(CrawlConfig) if f"{flag_of(field.name)} " not in desk.out
        ] == []

    def test_values_arrive(self, desk: Desk) -> None:
        config = desk.config(
            *(
                "--seed",
                "http://a/",
                "--seed",
                "http://b/",
                "--depth",
                "inf",
                "--include",
                "x",
                "--include",
                "y",
            ),
            *(
                "--max-pages",
                "7",
                "--max-time",
                "1.5",
                "--no-robots",
                "--header",
                "A: b",
                "--max-body",
                "1000",
            ),
        )

        assert config.canonical_seeds == ("http://a/", "http://b/")
        assert (config.depth, config.include, config.max_pages) == (None, ("x", "y"), 7)
        assert (config.max_time, config.no_robots, config.max_body) == (1.5, True, 1000)
        assert config.headers == (("A", "b"),)

    def test_all_mistakes_are_one_line(self, desk: Desk) -> None:
        line = desk.refusal(
            *("--seed", "example.com", "--depth", "-1", "--fetchers", "many", "--timeout", "nan"),
            *("--include", "(", "--progress", "loud", "--max-pages", "9" * 5000, "--log-level", "x"),
        )

        flags = ("seed", "depth", "fetchers", "timeout", "include", "progress", "max-pages", "log-level")
        assert [flag for flag in flags if f"--{flag}: " not in line] == []

    def test_a_misspelt_flag_gets_a_hint_and_its_value_is_not_repeated(self, desk: Desk) -> None:
        assert "did you mean --header?" in desk.refusal("--seed", SEED, "--heder", "Authorization: hunter2")
        assert "hunter2" not in desk.err

    def test_a_flag_without_its_value_is_one_line(self, desk: Desk) -> None:
        assert "--depth" in desk.refusal("--seed", SEED, "--depth")

    def test_no_flag_may_be_shortened(self, desk: Desk) -> None:
        """What is short and clear today would be ambiguous with the next flag."""
        assert "--dept" in desk.refusal("--seed", SEED, "--dept", "3")

    def test_control_characters_are_not_echoed(self, desk: Desk) -> None:
        assert desk.refusal("--seed", "\x1b[2J", "--db", "\x1b]0;x\x07\0").rstrip("\n").isprintable()


class TestSeedFiles:
    def test_a_file_adds_to_the_seeds_given(self, desk: Desk, tmp_path: Path) -> None:
        path = tmp_path / "seeds"
        path.write_text("# two\nhttp://b/\n\nhttp://c/\n")

        config = desk.config("--seeds", str(path), "--seed", "http://a/")

        assert config.canonical_seeds == ("http://a/", "http://b/", "http://c/")

    def test_a_dash_is_standard_input(
        self, desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / "in").write_text("http://a/\n")
        with (tmp_path / "in").open() as stream:
            monkeypatch.setattr(sys, "stdin", stream)

            assert desk.config("--seeds", "-").canonical_seeds == ("http://a/",)

    def test_an_unreadable_file_is_one_line(self, desk: Desk, tmp_path: Path) -> None:
        assert "No such file" in desk.refusal("--seeds", str(tmp_path / "none"))


class TestConfigFile:
    def file(self, folder: Path, text: str) -> str:
        path = folder / "crawl.toml"
        path.write_text(text)
        return str(path)

    def test_a_flag_wins_over_the_file_and_the_file_over_the_default(
        self, desk: Desk, tmp_path: Path
    ) -> None:
        path = self.file(
            tmp_path, 'seeds = ["http://a/"]\ndepth = 5\nfetchers = 3\ndurable = true\nno-robots = true'
        )

        config = desk.config("--config", path, "--depth", "1", "--no-durable", "--robots")

        assert (config.depth, config.fetchers, config.queue_size) == (1, 3, 64)
        assert (config.durable, config.no_robots) == (False, False)

    def test_seeds_on_the_command_line_replace_those_of_the_file(self, desk: Desk, tmp_path: Path) -> None:
        path = self.file(tmp_path, 'seed = "http://a/"')

        assert desk.config("--config", path, "--seed", "http://b/").canonical_seeds == ("http://b/",)

    def test_what_is_shown_may_be_set_there_too(self, desk: Desk, tmp_path: Path) -> None:
        desk.config("--config", self.file(tmp_path, f'seed = "{SEED}"\nquiet = true'))

        assert desk.err == ""

    def test_values_of_the_wrong_type_are_refused_by_name(self, desk: Desk, tmp_path: Path) -> None:
        path = self.file(
            tmp_path, f'seed = "{SEED}"\ndepth = true\ndelay = nan\nquiet = 1\nheader = {{a = "b"}}'
        )
        line = desk.refusal("--config", path)

        assert [flag for flag in ("depth", "delay", "quiet", "header") if f"--{flag}: " not in line] == []

    def test_unknown_keys_are_refused_with_a_hint(self, desk: Desk, tmp_path: Path) -> None:
        path = self.file(tmp_path, f'seed = "{SEED}"\nmax-page = 1')

        assert "did you mean max_pages?" in desk.refusal("--config", path)

    def test_what_print_config_shows_can_be_used_as_the_file(self, desk: Desk, tmp_path: Path) -> None:
        words = ("--seed", SEED, "--depth", "inf", "--exclude", r'"\d+\.é', "--delay", "0.5", "--durable")
        config = desk.config(*words)
        assert desk.types(*words, "--print-config") == 0

        assert desk.config("--config", self.file(tmp_path, desk.out)) == config

    def test_print_config_crawls_nothing_and_shows_no_secret(self, desk: Desk) -> None:
        assert desk.types("--seed", SEED, "--header", "Authorization: hunter2", "--print-config") == 0

        assert desk.crawls == []
        assert "Authorization" in desk.out
        assert "hunter2" not in desk.out


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
        ],
    )
    def test_secrets_are_left_out_of_it(self, desk: Desk, words: tuple[str, ...]) -> None:
        """The line stays in the logs of CI, where the command itself may be masked."""
        line = self.stopped(desk, "sigint", *words)

        assert "hunter2" not in line
        assert "put the header's value back in" in line

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

        monkeypatch.setattr("crawler.options.read_seeds", interrupted)

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
            "protego",
        }

        loaded = self.python(
            f"import sys; from crawler.cli import main; main([{word!r}]); print(); print(*sys.modules)"
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
        assert self.python("from crawler import Crawl, CrawlConfig; print(Crawl.__name__)") == "Crawl\n"
