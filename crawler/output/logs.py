"""Logs: events with keys, on standard error, for a person or for a program.

May touch: structlog, the standard library's logging, terminal.
Never: raise. A log line is worth less than the crawl it tells of.

An event's name is ours; what came from the web stands in a field, quoted and escaped.
Nothing global in structlog is configured, so a program that uses Penstock as a library
keeps its own settings; until `configure` is called only warnings and errors are shown.
structlog is loaded with the first line: most crawls say nothing, and it takes 40 ms.
"""

from __future__ import annotations

import logging
import os
import traceback
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from penstock.crawler.output import terminal

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
FORMATS = ("console", "json")

_COLOURS = {"debug": "\x1b[2m", "info": "\x1b[32m", "warning": "\x1b[33m", "error": "\x1b[31m"}
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:-+%?&~@,;()*#")


Fields = dict[str, Any]
Processor = Callable[[Any, str, Any], Any]  # structlog's: (logger, level, event with its fields)


class Logger:
    """What `get_logger` returns. A call below the threshold costs one comparison."""

    def __init__(self, fields: Fields) -> None:
        self._fields = fields

    def bind(self, **fields: Any) -> Logger:
        """A logger with more fields in every line."""
        return Logger({**self._fields, **fields})

    def debug(self, event: str, **fields: Any) -> None:
        if _threshold <= 10:
            self._emit("debug", event, fields)

    def info(self, event: str, **fields: Any) -> None:
        if _threshold <= 20:
            self._emit("info", event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        if _threshold <= 30:
            self._emit("warning", event, fields)

    def error(self, event: str, **fields: Any) -> None:
        self._emit("error", event, fields)

    def exception(self, event: str, **fields: Any) -> None:
        self._emit("error", event, {"exc_info": True, **fields})

    def _emit(self, level: str, event: str, fields: Fields) -> None:
        try:
            line: Any = {**self._fields, **fields, "event": event}
            for process in (*_processors(), _renderer):
                line = process(None, level, line)
        except Exception as error:  # a field whose repr() fails
            line = f"{level} {terminal.escape_control_chars(event)} log_failed={type(error).__name__}"
        terminal.write_stderr(line)


def get_logger(**fields: Any) -> Logger:
    """A logger with `fields` bound; it obeys `configure`, also when that is called later."""
    return Logger(fields)


def configure(*, level: str = "info", form: str = "console") -> None:
    """Set level and format for this process, and take in what libraries log.

    debug is for single URLs, info for the run as a whole. Libraries are never asked for
    more than INFO: aiosqlite's DEBUG prints every parameter, page bodies too.
    """
    global _threshold, _renderer
    _threshold = LEVELS[level]
    _renderer = _json if form == "json" else _Console(coloured=_wants_colour())
    root = logging.getLogger()
    root.handlers[:] = [h for h in root.handlers if not isinstance(h, FromLibraries)] + [FromLibraries()]
    root.setLevel(max(_threshold, logging.INFO))
    logging.captureWarnings(True)


def reset() -> None:
    """Undo `configure`."""
    global _threshold, _renderer
    _threshold = LEVELS["warning"]
    _renderer = _Console()
    root = logging.getLogger()
    root.handlers[:] = [h for h in root.handlers if not isinstance(h, FromLibraries)]
    root.setLevel(logging.WARNING)
    logging.captureWarnings(False)


class FromLibraries(logging.Handler):
    """Make an event of what asyncio, aiohttp and aiosqlite say through `logging`."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()
        except Exception:  # arguments that do not fit the message
            text = str(record.msg)
        level = next((name for name, number in LEVELS.items() if record.levelno <= number), "error")
        get_logger()._emit(
            level, "library_logged", {"logger": record.name, "text": text, "exc_info": record.exc_info}
        )


class _Console:
    """One line for a person: time, level, event, key=value, and a traceback beneath."""

    def __init__(self, *, coloured: bool = False) -> None:
        self.coloured = coloured

    def __call__(self, logger: Any, method: str, event: Fields) -> str:
        head = f"{event.pop('timestamp')} {self._level(event.pop('level'))} {_quoted(event.pop('event'))}"
        trace = event.pop("exception", "")
        line = " ".join([head, *(f"{_quoted(key)}={_quoted(value)}" for key, value in event.items())])
        return "\n    ".join([line, *map(terminal.escape_control_chars, trace.splitlines())])

    def _level(self, level: str) -> str:
        return f"{_COLOURS[level]}{level:<7}\x1b[0m" if self.coloured else f"{level:<7}"


def _json(logger: Any, method: str, event: Fields) -> str:
    """One object per line, beginning with what every event has."""
    head = {key: event.pop(key) for key in ("timestamp", "level", "event")}
    return str(_dumps()(logger, method, {**head, **event}))


def _quoted(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    if text and _PLAIN.issuperset(text):
        return text
    return repr(text) if isinstance(value, str) else terminal.escape_control_chars(text)


def _traceback(logger: Any, method: str, event: Fields) -> Fields:
    """Turn exc_info (an exception, True, or a tuple) into text: plain, without local variables,
    for those hold headers and bodies."""
    found = event.pop("exc_info", None)
    if found is True:
        event["exception"] = traceback.format_exc().rstrip()
    elif found:
        error = found[1] if isinstance(found, tuple) else found
        event["exception"] = "".join(traceback.format_exception(error)).rstrip()
    return event


def _wants_colour() -> bool:
    return terminal.is_terminal() and not os.environ.get("NO_COLOR")


@cache
def _processors() -> Sequence[Processor]:
    """What every event passes before it is written."""
    from structlog.processors import TimeStamper, add_log_level

    return add_log_level, TimeStamper(fmt="iso", utc=True), _traceback


@cache
def _dumps() -> Processor:
    from structlog.processors import JSONRenderer

    return JSONRenderer(default=repr)  # escapes all but ASCII: harmless as it is


_threshold = LEVELS["warning"]
_renderer: Processor = _Console()
