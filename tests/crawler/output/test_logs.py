"""Logs: events on the `logging` tree under `penstock`; the command shows each as one safe line."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from penstock.crawler.config.crawl_config import OutputConfig
from penstock.crawler.errors import BadConfig
from penstock.crawler.output import logs, terminal


@pytest.fixture(autouse=True)
def _fresh_logs() -> Iterator[None]:
    logs.reset()
    yield
    logs.reset()


ROOT = Path(__file__).parents[3]
Capture = pytest.CaptureFixture[str]


class TestLoading:
    def test_a_crawl_that_logs_nothing_loads_neither_structlog_nor_rich(self) -> None:
        """They take as long as all of our own modules together, and most crawls have no use for them."""
        code = "import sys, penstock; penstock.Crawl; sys.exit(bool({'structlog', 'rich'} & {*sys.modules}))"

        assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


class HostProgram:
    """The logging configuration of a program that uses Penstock as a library."""

    def __init__(self, form: str = "%(levelname)s %(name)s %(filename)s: %(message)s") -> None:
        self.stream = io.StringIO()
        self.handler = logging.StreamHandler(self.stream)
        self.handler.setFormatter(logging.Formatter(form))

    @property
    def text(self) -> str:
        return self.stream.getvalue()


@pytest.fixture
def host() -> Iterator[HostProgram]:
    program = HostProgram()
    root = logging.getLogger()
    root.addHandler(program.handler)
    yield program
    root.removeHandler(program.handler)


class TestAsALibrary:
    def test_an_event_without_any_logging_configuration_is_not_shown(self) -> None:
        code = "from penstock.crawler.output import logs; logs.get_logger().error('host_paused')"
        ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)

        assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")

    def test_the_host_program_formats_events_as_it_formats_its_own(self, host: HostProgram) -> None:
        logs.get_logger(stage="fetch").warning("host_paused", host="a.example", seconds=3)

        assert (
            host.text == "WARNING penstock test_logs.py: host_paused stage=fetch host=a.example seconds=3\n"
        )

    def test_the_host_program_chooses_the_level(self, host: HostProgram) -> None:
        logging.getLogger("penstock").setLevel(logging.DEBUG)
        logs.get_logger().debug("page_stored")
        logging.getLogger("penstock").setLevel(logging.ERROR)
        logs.get_logger().warning("host_paused")

        assert host.text == "DEBUG penstock test_logs.py: page_stored\n"

    def test_a_record_carries_the_fields_for_handlers_that_want_them(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        logs.get_logger().warning("host_paused", host="a.example")

        assert caplog.records[0].msg == {"event": "host_paused", "host": "a.example"}

    def test_the_traceback_of_an_exception_reaches_the_host_program(self, host: HostProgram) -> None:
        try:
            raise KeyError("lost")
        except KeyError:
            logs.get_logger().exception("task_failed")

        assert host.text.startswith("ERROR penstock test_logs.py: task_failed\nTraceback")
        assert host.text.endswith("KeyError: 'lost'\n")

    @pytest.mark.parametrize("bad", ["\x1b[2J", "a\nb", "\r", "\u202e"])
    def test_the_text_of_a_record_is_one_line_without_control_characters(
        self, host: HostProgram, bad: str
    ) -> None:
        logs.get_logger().warning("page_failed", title=bad)

        assert host.text.count("\n") == 1
        assert host.text.strip().isprintable()

    def test_the_process_wide_handling_of_warnings_is_not_changed(self) -> None:
        before = warnings.showwarning, list(warnings.filters)

        logs.get_logger().warning("host_paused")

        assert (warnings.showwarning, list(warnings.filters)) == before

    def test_the_configuration_of_structlog_is_not_changed(self) -> None:
        import structlog

        logs.configure()
        logs.get_logger().warning("host_paused")

        assert not structlog.is_configured()


class TestEvents:
    def test_events_go_to_standard_error_and_never_to_standard_output(self, capsys: Capture) -> None:
        """Standard output is for results, which may be piped."""
        logs.configure()
        logs.get_logger().warning("host_paused", host="example.com")

        written = capsys.readouterr()
        assert written.out == ""
        assert written.err.endswith("warning host_paused host=example.com\n")

    def test_times_are_utc_and_iso(self, capsys: Capture) -> None:
        logs.configure()
        logs.get_logger().warning("x")

        written = datetime.fromisoformat(capsys.readouterr().err.split()[0])
        assert written.tzinfo == UTC
        assert abs((datetime.now(UTC) - written).total_seconds()) < 60

    def test_bound_fields_are_in_every_line(self, capsys: Capture) -> None:
        logs.configure()
        log = logs.get_logger(stage="fetch").bind(worker=3)

        log.error("a")

        assert "stage=fetch worker=3" in capsys.readouterr().err

    def test_json_lines_begin_with_time_level_and_name(self, capsys: Capture) -> None:
        logs.configure(form="json")

        logs.get_logger().info("page_stored", url="http://a/\x1b[31m", depth=1)

        line = capsys.readouterr().err
        assert "\x1b" not in line
        event = json.loads(line)
        assert list(event) == ["timestamp", "level", "event", "url", "depth"]
        assert (event["event"], event["url"], event["depth"]) == ("page_stored", "http://a/\x1b[31m", 1)


class TestLevels:
    @pytest.mark.parametrize("level", logs.LEVELS)
    def test_nothing_below_the_level_is_shown(self, capsys: Capture, level: str) -> None:
        logs.configure(level=level)
        log = logs.get_logger()

        for name in logs.LEVELS:
            getattr(log, name)("logged")

        words = [line.split()[1] for line in capsys.readouterr().err.splitlines()]
        assert words == [name for name, number in logs.LEVELS.items() if number >= logs.LEVELS[level]]

    def test_a_logger_made_before_the_configuration_obeys_it(self, capsys: Capture) -> None:
        """Modules make theirs when they are imported, long before the command line is read."""
        log = logs.get_logger()

        logs.configure(level="debug", form="json")
        log.debug("logged")

        assert json.loads(capsys.readouterr().err)["event"] == "logged"

    def test_the_flags_offer_the_levels_and_formats_of_the_logs(self) -> None:
        assert [OutputConfig(log_level=level).level for level in logs.LEVELS] == list(logs.LEVELS)
        assert [OutputConfig(log_format=form).log_format for form in logs.FORMATS] == list(logs.FORMATS)
        with pytest.raises(BadConfig, match="must be one of debug, info, warning, error, not 'all'"):
            OutputConfig(log_level="all")
        with pytest.raises(BadConfig, match="must be one of console, json, not 'xml'"):
            OutputConfig(log_format="xml")


class TestHostileText:
    @pytest.fixture(autouse=True)
    def _configured(self) -> None:
        logs.configure()

    @pytest.mark.parametrize("bad", ["\x1b[2J", "a\nb", "\r", "\u202e", "\x9b", "\u2028", "\x7f", "\ud800"])
    def test_control_characters_do_not_reach_the_terminal(self, capsys: Capture, bad: str) -> None:
        logs.get_logger().warning("x", field=bad, other=[bad], **{"key" + bad: 1})

        line = capsys.readouterr().err
        assert line.count("\n") == 1
        assert line.strip().isprintable()

    def test_control_characters_of_an_exception_do_not_reach_the_terminal(self, capsys: Capture) -> None:
        logs.get_logger().error("x", exc_info=ValueError("\x1b[2J\x07"))

        written = capsys.readouterr().err
        assert "ValueError" in written
        assert written.replace("\n", "").isprintable()

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

        written = capsys.readouterr().err
        assert "KeyError: 7" in written
        assert "hunter2" not in written


class Broken:
    def __repr__(self) -> str:
        raise ValueError


class TestNeverRaises:
    def test_logging_to_a_closed_standard_error_raises_nothing(
        self, monkeypatch: pytest.MonkeyPatch, capsys: Capture
    ) -> None:
        logs.configure()
        monkeypatch.setattr(sys, "stderr", None)

        logs.get_logger().error("x")

        assert capsys.readouterr().out == ""

    def test_logging_to_a_pipe_without_a_reader_raises_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Gone:
            def write(self, text: str) -> int:
                raise BrokenPipeError

        logs.configure()
        monkeypatch.setattr(sys, "stderr", Gone())

        logs.get_logger().error("x")

    @pytest.mark.parametrize("form", logs.FORMATS)
    def test_an_event_with_a_field_that_cannot_be_shown_names_the_error(
        self, capsys: Capture, form: str
    ) -> None:
        logs.configure(form=form)

        logs.get_logger().error("x", field=Broken())

        assert "error x log_failed=ValueError" in capsys.readouterr().err

    def test_a_handler_of_the_host_program_that_fails_does_not_end_the_crawl(self, capsys: Capture) -> None:
        class Failing(logging.Handler):
            def handle(self, record: logging.LogRecord) -> bool:
                raise KeyError("handler")

        handler = Failing()
        logging.getLogger("penstock").addHandler(handler)
        try:
            logs.get_logger().error("x")
        finally:
            logging.getLogger("penstock").removeHandler(handler)

        assert capsys.readouterr().err == "error x log_failed=KeyError\n"


class TestLibraries:
    def test_a_message_of_asyncio_becomes_an_event(self, capsys: Capture) -> None:
        logs.configure()

        logging.getLogger("asyncio").error("Task %s", "\x1b[31m")

        assert r"error   library_logged logger=asyncio text='Task \x1b[31m'" in capsys.readouterr().err

    def test_a_warning_of_a_library_becomes_an_event(self, capsys: Capture) -> None:
        logs.configure()

        with warnings.catch_warnings():
            warnings.simplefilter("default")
            logging.captureWarnings(True)
            warnings.warn("old\x1b", DeprecationWarning, stacklevel=1)

        written = capsys.readouterr().err
        assert "warning library_logged logger=py.warnings" in written
        assert "DeprecationWarning: old" in written
        assert "\x1b" not in written

    def test_debug_lines_of_libraries_are_not_shown_even_at_debug(self, capsys: Capture) -> None:
        """aiosqlite prints every parameter at DEBUG, and a parameter may be a page's body."""
        logs.configure(level="debug")

        logging.getLogger("aiosqlite").debug("executing %s", "body")

        assert capsys.readouterr().err == ""

    def test_arguments_that_do_not_fit_the_message_are_no_error(self, capsys: Capture) -> None:
        record = logging.makeLogRecord(
            {"name": "x", "levelname": "WARNING", "levelno": logging.WARNING, "msg": "%d", "args": ("text",)}
        )

        logs.StderrHandler("console").handle(record)

        assert "logger=x text=%d" in capsys.readouterr().err

    def test_configuring_twice_shows_each_message_once(self, capsys: Capture) -> None:
        logs.configure()
        logs.configure()

        logging.getLogger("x").warning("once")

        assert capsys.readouterr().err.count("once") == 1


class TestTerminal:
    def test_lines_can_be_redirected_to_a_live_view(self, capsys: Capture) -> None:
        lines: list[str] = []

        with terminal.redirect_lines(lines.append):
            terminal.write_stderr("inside")
        terminal.write_stderr("after")

        assert lines == ["inside"]
        assert capsys.readouterr().err == "after\n"

    def test_printable_text_is_not_escaped(self) -> None:
        assert terminal.escape_control_chars("Grüße, 東京: a\\b") == "Grüße, 東京: a\\b"
