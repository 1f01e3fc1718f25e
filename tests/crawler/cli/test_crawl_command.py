"""The command `crawl`: what may be typed, on the command line and in files."""

from __future__ import annotations

import dataclasses
import re
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from penstock.crawler.cli import COMMANDS, EXIT_CODES, build_parsers
from penstock.crawler.cli.arguments import crawl_flags
from penstock.crawler.config.crawl_config import CRAWL_OPTIONS, OUTPUT_OPTIONS, CrawlConfig, OutputConfig
from penstock.crawler.output import logs
from tests.support.command_line import SEED, Capture, CommandLine


@pytest.fixture
def command_line(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> Iterator[CommandLine]:
    yield CommandLine(monkeypatch, capsys)
    logs.reset()


class TestDefaultCommand:
    def test_flags_alone_mean_crawl(self, command_line: CommandLine) -> None:
        assert command_line.config("--seed", SEED) == command_line.config("crawl", "--seed", SEED)

    def test_a_command_line_without_arguments_names_the_missing_seed(self, command_line: CommandLine) -> None:
        assert "--seed" in command_line.refusal()

    def test_a_command_must_come_first(self, command_line: CommandLine) -> None:
        assert "must come first" in command_line.refusal("--db", "x.db", "status")

    def test_a_url_without_its_flag_gets_a_hint(self, command_line: CommandLine) -> None:
        assert "--seed URL?" in command_line.refusal("http://bob:hunter2@example.com/")
        assert "hunter2" not in command_line.err

    def test_a_misspelt_command_gets_a_hint(self, command_line: CommandLine) -> None:
        assert "did you mean status?" in command_line.refusal("staus")


class TestHelp:
    """`penstock --help` leads to every flag: compared are the help, the parser, the options and the table."""

    @staticmethod
    def shown_flags(text: str) -> set[str]:
        return set(re.findall(r"^  (?:-h, )?(--[a-z-]+)", text, re.MULTILINE))

    def test_the_help_of_the_program_shows_every_option_of_the_configuration(
        self, command_line: CommandLine
    ) -> None:
        assert command_line.run("--help") == 0

        options = [*CRAWL_OPTIONS.values(), *OUTPUT_OPTIONS.values()]
        assert {option.name for option in options} == {
            field.name for config in (CrawlConfig, OutputConfig) for field in fields(config)
        }
        assert {option.flag for option in options} <= self.shown_flags(command_line.out)

    def test_the_parser_the_table_and_the_help_have_the_same_flags(self, command_line: CommandLine) -> None:
        """A switch has an opposite too, which the help leaves out."""
        command_line.run("--help")
        _, parser = build_parsers("crawl", ["penstock"])
        switches = [flag for flag in crawl_flags() if flag.kind == "switch" and flag.name != "print_config"]

        shown = self.shown_flags(command_line.out)
        assert shown == {flag.flag for flag in crawl_flags()} | {"--help"}
        accepted = {word for word in parser._option_string_actions if word.startswith("--")}
        assert len(accepted) == len(shown) + len(switches)
        assert shown < accepted

    def test_every_flag_has_a_help_of_one_sentence_and_shows_its_default(self) -> None:
        for flag in crawl_flags():
            assert flag.help
            assert not flag.help.endswith(".")
            if flag.kind == "list":
                assert flag.help.endswith("repeatable"), flag.flag
            if flag.kind == "number":
                assert flag.default, flag.flag

    @pytest.mark.parametrize(
        "flag", ["--delay", "--grace", "--retries", "--retry-delay", "--processes", "--depth"]
    )
    def test_the_help_says_what_0_means_where_0_is_special(self, flag: str) -> None:
        (found,) = [each for each in crawl_flags() if each.flag == flag]

        assert "0 = " in found.help

    @pytest.mark.parametrize("command", COMMANDS)
    def test_the_help_of_each_command_has_an_example(self, command_line: CommandLine, command: str) -> None:
        assert command_line.run(command, "--help") == 0

        assert f"\n  python run_crawl.py {command}" in command_line.out

    def test_the_help_ends_with_the_exit_codes(self, command_line: CommandLine) -> None:
        command_line.run("--help")

        _, codes = command_line.out.split("\nexit codes:\n")
        assert [int(line.split()[0]) for line in codes.splitlines()] == list(EXIT_CODES)

    def test_the_help_lists_every_command(self, command_line: CommandLine) -> None:
        command_line.run("-h")

        assert [
            name for name in COMMANDS if f"\n  {name:<9} {COMMANDS[name]}\n" not in command_line.out
        ] == []


class TestFlags:
    def test_values_of_flags_reach_the_configuration(self, command_line: CommandLine) -> None:
        config = command_line.config(
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

    def test_all_mistakes_are_one_line(self, command_line: CommandLine) -> None:
        line = command_line.refusal(
            *("--seed", "example.com", "--depth", "-1", "--fetchers", "many", "--timeout", "nan"),
            *("--include", "(", "--progress", "loud", "--max-pages", "9" * 5000, "--log-level", "x"),
        )

        flags = ("seed", "depth", "fetchers", "timeout", "include", "progress", "max-pages", "log-level")
        assert [flag for flag in flags if f"--{flag}: " not in line] == []

    def test_a_misspelt_flag_gets_a_hint_and_its_value_is_not_repeated(
        self, command_line: CommandLine
    ) -> None:
        assert "did you mean --header?" in command_line.refusal(
            "--seed", SEED, "--heder", "Authorization: hunter2"
        )
        assert "hunter2" not in command_line.err

    def test_a_flag_without_its_value_is_one_line(self, command_line: CommandLine) -> None:
        assert "--depth" in command_line.refusal("--seed", SEED, "--depth")

    def test_no_flag_may_be_shortened(self, command_line: CommandLine) -> None:
        """What is short and clear today would be ambiguous with the next flag."""
        assert "--dept" in command_line.refusal("--seed", SEED, "--dept", "3")

    def test_control_characters_are_not_echoed(self, command_line: CommandLine) -> None:
        assert command_line.refusal("--seed", "\x1b[2J", "--db", "\x1b]0;x\x07\0").rstrip("\n").isprintable()


class TestSeedFiles:
    def test_a_file_adds_to_the_seeds_given(self, command_line: CommandLine, tmp_path: Path) -> None:
        path = tmp_path / "seeds"
        path.write_text("# two\nhttp://b/\n\nhttp://c/\n")

        config = command_line.config("--seeds", str(path), "--seed", "http://a/")

        assert config.canonical_seeds == ("http://a/", "http://b/", "http://c/")

    def test_a_dash_is_standard_input(
        self, command_line: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / "in").write_text("http://a/\n")
        with (tmp_path / "in").open() as stream:
            monkeypatch.setattr(sys, "stdin", stream)

            assert command_line.config("--seeds", "-").canonical_seeds == ("http://a/",)

    def test_an_unreadable_file_is_one_line(self, command_line: CommandLine, tmp_path: Path) -> None:
        assert "No such file" in command_line.refusal("--seeds", str(tmp_path / "none"))


class TestConfigFile:
    def file(self, folder: Path, text: str) -> str:
        path = folder / "crawl.toml"
        path.write_text(text)
        return str(path)

    def test_a_flag_wins_over_the_file_and_the_file_over_the_default(
        self, command_line: CommandLine, tmp_path: Path
    ) -> None:
        path = self.file(
            tmp_path, 'seeds = ["http://a/"]\ndepth = 5\nfetchers = 3\ndurable = true\nno-robots = true'
        )

        config = command_line.config("--config", path, "--depth", "1", "--no-durable", "--robots")

        assert (config.depth, config.fetchers, config.queue_size) == (1, 3, 512)
        assert (config.durable, config.no_robots) == (False, False)

    def test_seeds_on_the_command_line_replace_those_of_the_file(
        self, command_line: CommandLine, tmp_path: Path
    ) -> None:
        path = self.file(tmp_path, 'seed = "http://a/"')

        assert command_line.config("--config", path, "--seed", "http://b/").canonical_seeds == ("http://b/",)

    def test_output_options_may_be_set_in_the_file(self, command_line: CommandLine, tmp_path: Path) -> None:
        command_line.config("--config", self.file(tmp_path, f'seed = "{SEED}"\nquiet = true'))

        assert command_line.err == ""

    def test_values_of_the_wrong_type_are_refused_by_name(
        self, command_line: CommandLine, tmp_path: Path
    ) -> None:
        path = self.file(
            tmp_path, f'seed = "{SEED}"\ndepth = true\ndelay = nan\nquiet = 1\nheader = {{a = "b"}}'
        )
        line = command_line.refusal("--config", path)

        assert [flag for flag in ("depth", "delay", "quiet", "header") if f"--{flag}: " not in line] == []

    def test_unknown_keys_are_refused_with_a_hint(self, command_line: CommandLine, tmp_path: Path) -> None:
        path = self.file(tmp_path, f'seed = "{SEED}"\nmax-page = 1')

        assert "did you mean max_pages?" in command_line.refusal("--config", path)

    def test_what_print_config_shows_can_be_used_as_the_file(
        self, command_line: CommandLine, tmp_path: Path
    ) -> None:
        words = ("--seed", SEED, "--depth", "inf", "--exclude", r'"\d+\.é', "--delay", "0.5", "--durable")
        config = command_line.config(*words)
        assert command_line.run(*words, "--print-config") == 0

        read = command_line.config("--config", self.file(tmp_path, command_line.out))
        assert read == dataclasses.replace(config, db=tmp_path / "crawl.db")  # from the file's folder

    def test_print_config_crawls_nothing_and_shows_no_secret(self, command_line: CommandLine) -> None:
        secrets = (
            *("--header", "Authorization: hunter2", "--cookies", "my cookies.txt"),
            *("--proxy", "http://bob:hunter2@proxy:1"),
        )
        assert command_line.run("--seed", SEED, *secrets, "--print-config") == 0
        shown = command_line.out
        assert command_line.run("--seed", SEED, "--auth", "bob:hunter2", "--print-config") == 0

        assert command_line.crawls == []
        assert [word for word in ("Authorization", "my cookies.txt", "proxy:1") if word not in shown] == []
        assert "# auth: " in command_line.out
        assert "hunter2" not in shown + command_line.out


class TestEnvironment:
    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.chdir(tmp_path)
        return tmp_path

    def test_a_flag_wins_over_a_variable_that_over_dot_env_and_that_over_the_file(
        self, command_line: CommandLine, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def auth(*words: str) -> str | None:
            return command_line.config("--seed", SEED, "--config", "crawl.toml", *words).auth

        (folder / "crawl.toml").write_text('auth = "file:x"')
        assert auth() == "file:x"
        (folder / ".env").write_text("PENSTOCK_AUTH=dot:x\nPENSTOCK_PROXY=http://proxy:1")
        assert auth() == "dot:x"
        monkeypatch.setenv("PENSTOCK_AUTH", "variable:x")
        assert auth() == "variable:x"
        assert auth("--auth", "flag:x") == "flag:x"
        assert command_line.crawls[-1].config.proxy == "http://proxy:1"

    def test_a_mistake_there_is_one_line_that_names_it(
        self, command_line: CommandLine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PENSTOCK_AUTH", "hunter2")

        assert "PENSTOCK_AUTH" in command_line.refusal("--seed", SEED)
        assert "hunter2" not in command_line.err

    def test_a_library_user_is_not_surprised_by_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A program that builds its own configuration means what it wrote there."""
        monkeypatch.setenv("PENSTOCK_AUTH", "bob:hunter2")

        assert CrawlConfig(seeds=[SEED]).auth is None
