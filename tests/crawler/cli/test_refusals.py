"""What cannot be meant: one line, exit code 2, nothing built, nothing fetched, no traceback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.crawler.cli import COMMANDS, main
from penstock.crawler.output import logs
from tests.support.command_line import SEED, Capture, CommandLine


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The working directory, with every kind of file that is no good."""
    monkeypatch.chdir(tmp_path)
    files = {
        "odd-bytes": b"http://a/\nhttp://\xff/\n",
        "random": bytes(range(256)) * 20,
        "empty": b"",
        "unknown.toml": b'depht = 1\n"\\u001b[2J" = 2\n',
        "types.toml": b"seed = [1]\ndepth = [1]\ndb = 7\nheader = 1979-05-27\nproxy = {}\nquiet = 1",
        "broken.toml": b"depth = \n",
        "urls": b"http://a/\nnot a url\n\x00\n",
    }
    for name, data in files.items():
        Path(name).write_bytes(data)
    Path("folder").mkdir()
    Path("loop").symlink_to("loop")


@pytest.fixture
def command_line(folder: None, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> Iterator[CommandLine]:
    yield CommandLine(monkeypatch, capsys)
    logs.reset()


SEEDS = [
    "", " ", "\t\n", "/path", "path", "?q", "#x", "//", "file:///etc/passwd", "ftp://a/",
    "javascript:alert(1)",
    "data:text/html,x", "mailto:a@b", "about:blank", "http://", "http:///", "https://?", "http://exa mple/",
    "http://[::1", "http://[g::]/", "http://256.1.1.1/", "http://1.2.3.4.5/", "http://0x100000000/",
    "http://a:99999/", "http://a:port/", "http://a:-1/", "http://%/", "http://a%00b/", "http://a\0b/",
    "http://a\udcff/", "http://xn--a-ä.example/", "http://\N{SOFT HYPHEN}/", "http://a\u202eb/",
    "http://a..b/",
    "http://.a/", "http://" + "a" * 64 + ".example/", "http://" + "a." * 130 + "example/",
    "http://ü" + "ß" * 200 + "/", "http://a/" + "x" * 5000, "\x1b[2J", "http://u:hunter2@a/",
    "-", "h" * 100_000,
]  # fmt: skip

NUMBERS = {
    "--depth": ["-1", "1.5", "1e3", "nan", "-inf", "two", "", "9" * 5000, "0x10", "1_0", "٣"],
    "--max-pages": ["0", "-5", "1.0", "inf", "9" * 25],
    "--max-time": ["0", "-1", "nan", "inf", "1e999", "soon", "1e9"],
    "--fetchers": ["0", "-1", "1e2", "100000", "many"],
    "--queue-size": ["0", "inf", "9" * 5000],
    "--delay": ["-0.1", "nan", "inf", "1e400"],
    "--timeout": ["0", "-1", "nan", "inf", "-inf", "1e999"],
    "--retries": ["-1", "101", "1.5"],
    "--max-body": ["0", "10MB", "1e9", "9" * 11],
    "--grace": ["-1", "nan"],
}

WORDS: list[tuple[str, ...]] = [
    ("--wibble",),
    ("-x",),
    ("--dept", "3"),
    ("--depth",),
    ("--quiet=yes",),
    ("extra",),
    ("--", "x"),
    ("crawl",),
    ("--include", "("),
    ("--include", "[z-a]"),
    ("--exclude", "(?<=a*)b"),
    ("--exclude", "\\"),
    ("--include", "a{99999999999}"),
    ("--include", "(" * 2000),
    ("--include", ""),
    ("--strip-param", "*"),
    ("--scope", "galaxy"),
    ("--throttle", ""),
    ("--log-level", "loud"),
    ("--log-format", "xml"),
    ("--progress", "\x1b[31m"),
    ("--user-agent", "a\r\nb"),
    ("--user-agent", "ключ"),
    ("--contact", "a b"),
    ("--header", "no colon"),
    ("--header", "Host: x"),
    ("--header", "A: \udcff"),
    ("--sitemap", "map.xml"),
    ("--db", ""),
    ("--db", "a\0b"),
    ("--db", ":memory:"),
    ("--auth", "nobody"),
    ("--cookies", ""),
    ("--proxy", "proxy:3128"),
    ("--proxy", "http://proxy:1", "--public-only"),
    ("--credentials-to", "http://a/b"),
    *(
        ("--config", name)
        for name in ("none", "folder", "loop", "odd-bytes", "random", "", "a\0b", "x" * 5000)
    ),
    *(("--config", name) for name in ("unknown.toml", "types.toml", "broken.toml")),
    *(("--seeds", name) for name in ("none", "folder", "loop", "odd-bytes", "random", "", "a\0b", "urls")),
]


class TestCrawl:
    @pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: ascii(seed)[:40])
    def test_a_seed_that_is_none(self, command_line: CommandLine, seed: str) -> None:
        readable(command_line.refusal(f"--seed={seed}"))

    @pytest.mark.parametrize(
        ("flag", "value"), [(flag, value) for flag, values in NUMBERS.items() for value in values],
        ids=lambda text: ascii(text)[:20],
    )  # fmt: skip
    def test_a_number_that_is_none_is_named_by_its_flag(
        self, command_line: CommandLine, flag: str, value: str
    ) -> None:
        line = command_line.refusal("--seed", SEED, f"{flag}={value}")

        assert line.startswith(f"penstock: error: {flag}: must be ")
        readable(line)

    @pytest.mark.parametrize("words", WORDS, ids=lambda words: ascii(words)[:40])
    def test_words_that_mean_nothing(self, command_line: CommandLine, words: tuple[str, ...]) -> None:
        readable(command_line.refusal("--seed", SEED, *words))

    def test_seeds_alone_may_be_missing_in_a_file(self, command_line: CommandLine) -> None:
        assert "at least one is needed" in command_line.refusal("--seeds", "empty")

    @pytest.mark.parametrize(
        "words",
        [
            ("--header", "Authorization:", "Bearer", "hunter2"),
            ("--header", "Authorization:", "hunter2"),
            ("--header", "Authorization:", "-hunter2"),
            ("--auth", "bob: ", "hunter2"),
            ("--auth", "bob:my", "-hunter2"),
            ("--proxy", "http://bob:my", "hunter2@proxy:1"),
        ],
    )
    def test_a_secret_that_was_not_quoted_is_not_repeated(
        self, command_line: CommandLine, words: tuple[str, ...]
    ) -> None:
        """The shell cut it in pieces, and the pieces are words that mean nothing."""
        line = command_line.refusal("--seed", SEED, *words)

        assert "hunter2" not in line
        assert "Bearer" not in line


class TestDatabases:
    @pytest.mark.parametrize("db", ["none/x.db", "folder", "loop", "random", "urls", "/dev/null", "x" * 300])
    @pytest.mark.parametrize("command", [("crawl", "--seed", "http://127.0.0.1:1/"), ("status",)])
    def test_a_file_that_is_none_of_ours(
        self, folder: None, capsys: Capture, db: str, command: tuple[str, ...]
    ) -> None:
        """The real crawl, for it is the one that opens files."""
        assert main([*command, "--db", db]) == 2

        said = capsys.readouterr()
        assert (said.out, said.err.count("\n")) == ("", 1)
        assert "Traceback" not in said.err

    @pytest.mark.parametrize(
        "words",
        [
            ("query",), ("query", "SELECT 1"), ("query", "\udcff"), ("why",), ("why", "x"), ("report",),
            ("report", "\x1b[2J"), ("report", "failed", "--limit", "-1"),
            ("report", "failed", "--format", "xml"),
            ("status", "extra"), ("status", "--wibble"), ("bogus",), ("\x1b[31m",), ("",), ("-",), ("--",),
        ],
        ids=ascii,
    )  # fmt: skip
    def test_other_commands_refuse_in_one_line_too(
        self, command_line: CommandLine, words: tuple[str, ...]
    ) -> None:
        readable(command_line.refusal(*words))


class TestAnything:
    @settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        st.lists(
            st.one_of(
                st.sampled_from(
                    [*COMMANDS, *NUMBERS, "--seed", SEED, "--seeds", "--config", "--include", "--header",
                     "--db", "--auth", "--cookies", "--proxy", "--quiet", "--no-quiet", "--format", "--", "-"]
                ),
                st.text(max_size=12),
            ),
            max_size=7,
        )
    )  # fmt: skip
    def test_no_command_line_ends_in_a_traceback(self, command_line: CommandLine, words: list[str]) -> None:
        assert command_line.run(*words) in (0, 2)
        assert "--log-level debug shows where" not in command_line.err, "an exception that nobody expected"


def readable(line: str) -> None:
    """One line that a terminal shows as it is, and a person reads to its end."""
    assert line.removesuffix("\n").isprintable()
    assert len(line) < 1000
