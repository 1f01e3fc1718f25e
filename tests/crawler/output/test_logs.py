"""Logs: one line per event on standard error, and nothing in it that a terminal obeys."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from penstock.crawler.cli.live import view_options as view
from penstock.crawler.output import logs, terminal


@pytest.fixture(autouse=True)
def _fresh_logs() -> Iterator[None]:
    logs.reset()
    yield
    logs.reset()


ROOT = Path(__file__).parents[3]
Capture = pytest.CaptureFixture[str]


class TestLoading:
    def test_a_crawl_that_says_nothing_loads_neither_structlog_nor_rich(self) -> None:
        """They take as long as all of our own modules together, and most crawls have no use for them."""
        code = (
            "import sys\nfrom penstock import Crawl\nsys.exit(bool({'structlog', 'rich'} & {*sys.modules}))"
        )

        assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


class TestEvents:
    def test_they_go_to_standard_error_alone(self, capsys: Capture) -> None:
        """Standard output is for results, which may be piped."""
        logs.get_logger().warning("host_paused", host="example.com")

        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.endswith("warning host_paused host=example.com\n")

    def test_times_are_utc_and_iso(self, capsys: Capture) -> None:
        logs.get_logger().warning("x")

        written = datetime.fromisoformat(capsys.readouterr().err.split()[0])
        assert written.tzinfo == UTC
        assert abs((datetime.now(UTC) - written).total_seconds()) < 60

    def test_bound_fields_are_in_every_line(self, capsys: Capture) -> None:
        log = logs.get_logger(stage="fetch").bind(worker=3)

        log.error("a")

        assert "stage=fetch worker=3" in capsys.readouterr().err

    def test_a_program_can_read_them_as_json(self, capsys: Capture) -> None:
        logs.configure(form="json")

        logs.get_logger().info("page_stored", url="http://a/\x1b[31m", depth=1)

        line = capsys.readouterr().err
        assert "\x1b" not in line
        event = json.loads(line)
        assert list(event)[:3] == ["timestamp", "level", "event"]
        assert (event["event"], event["url"], event["depth"]) == ("page_stored", "http://a/\x1b[31m", 1)


class TestLevels:
    @pytest.mark.parametrize("level", logs.LEVELS)
    def test_nothing_below_the_level_is_shown(self, capsys: Capture, level: str) -> None:
        logs.configure(level=level)
        log = logs.get_logger()

        for name in logs.LEVELS:
            getattr(log, name)("said")

        words = [line.split()[1] for line in capsys.readouterr().err.splitlines()]
        assert words == [name for name, number in logs.LEVELS.items() if number >= logs.LEVELS[level]]

    def test_a_logger_made_earlier_obeys_too(self, capsys: Capture) -> None:
        """Modules make theirs when they are imported, long before the command line is read."""
        log = logs.get_logger()

        logs.configure(level="debug", form="json")
        log.debug("said")

        assert json.loads(capsys.readouterr().err)["event"] == "said"

    def test_a_library_user_sees_warnings_only(self, capsys: Capture) -> None:
        logs.get_logger().info("said")

        assert capsys.readouterr().err == ""

    def test_the_command_knows_the_same_words(self) -> None:
        assert tuple(logs.LEVELS) == view.LEVELS
        assert logs.FORMATS == view.FORMATS


class TestHostileText:
    @pytest.mark.parametrize("bad", ["\x1b[2J", "a\nb", "\r", "\u202e", "\x9b", "\u2028", "\x7f", "\ud800"])
    def test_control_characters_do_not_reach_the_terminal(self, capsys: Capture, bad: str) -> None:
        logs.get_logger().warning("x", field=bad, other=[bad], **{"key" + bad: 1})

        line = capsys.readouterr().err
        assert line.count("\n") == 1
        assert line.strip().isprintable()

    def test_nor_do_those_in_an_exception(self, capsys: Capture) -> None:
        logs.get_logger().error("x", exc_info=ValueError("\x1b[2J\x07"))

        said = capsys.readouterr().err
        assert "ValueError" in said
        assert said.replace("\n", "").isprintable()

    def test_a_value_cannot_pass_for_another_field(self, capsys: Capture) -> None:
        logs.get_logger().warning("x", title="a level=error")

        assert "title='a level=error'" in capsys.readouterr().err

    def test_a_traceback_shows_no_variables(self, capsys: Capture) -> None:
        """Locals of the fetcher hold headers and bodies."""
        password = "hunter" + "2"
        try:
            raise KeyError(len(password))
        except KeyError:
            logs.get_logger().exception("x")

        said = capsys.readouterr().err
        assert "KeyError: 7" in said
        assert "hunter2" not in said


class Broken:
    def __repr__(self) -> str:
        raise ValueError


class TestNeverRaises:
    def test_when_standard_error_is_closed(self, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
        monkeypatch.setattr(sys, "stderr", None)

        logs.get_logger().error("x")

        assert capsys.readouterr().out == ""

    def test_when_its_reader_has_gone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Gone:
            def write(self, text: str) -> int:
                raise BrokenPipeError

        monkeypatch.setattr(sys, "stderr", Gone())

        logs.get_logger().error("x")

    @pytest.mark.parametrize("form", logs.FORMATS)
    def test_when_a_field_cannot_be_shown(self, capsys: Capture, form: str) -> None:
        logs.configure(form=form)

        logs.get_logger().error("x", field=Broken())

        assert "log_failed=ValueError" in capsys.readouterr().err


class TestLibraries:
    def test_what_asyncio_says_becomes_an_event(self, capsys: Capture) -> None:
        logs.configure()

        logging.getLogger("asyncio").error("Task %s", "\x1b[31m")

        assert r"library_logged logger=asyncio text='Task \x1b[31m'" in capsys.readouterr().err

    def test_their_debug_lines_stay_out_even_at_debug(self, capsys: Capture) -> None:
        """aiosqlite prints every parameter at DEBUG, and a parameter may be a page's body."""
        logs.configure(level="debug")

        logging.getLogger("aiosqlite").debug("executing %s", "body")

        assert capsys.readouterr().err == ""

    def test_arguments_that_do_not_fit_are_no_error(self, capsys: Capture) -> None:
        record = logging.makeLogRecord(
            {"name": "x", "levelno": logging.WARNING, "msg": "%d", "args": ("text",)}
        )

        logs.FromLibraries().handle(record)

        assert "logger=x text=%d" in capsys.readouterr().err

    def test_configuring_twice_says_nothing_twice(self, capsys: Capture) -> None:
        logs.configure()
        logs.configure()

        logging.getLogger("x").warning("once")

        assert capsys.readouterr().err.count("once") == 1


class TestTerminal:
    def test_lines_can_be_sent_through_a_live_view(self, capsys: Capture) -> None:
        lines: list[str] = []

        with terminal.redirect_lines(lines.append):
            terminal.write_stderr("inside")
        terminal.write_stderr("after")

        assert lines == ["inside"]
        assert capsys.readouterr().err == "after\n"

    def test_plain_text_is_left_alone(self) -> None:
        assert terminal.escape_control_chars("Grüße, 東京: a\\b") == "Grüße, 東京: a\\b"
