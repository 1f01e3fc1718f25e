"""Logs: structlog events on the standard `logging` tree, under the logger `penstock`.

May touch: structlog, the standard library's logging, terminal.
Never: raise. A log line is worth less than the crawl.

An event has a name of ours and fields. Text from the web is always in a field, never in the name.

A program that uses Penstock as a library decides what happens to the events, as with any other
logger: `logging.basicConfig()` shows them, `getLogger("penstock").setLevel(...)` filters them.
Without any configuration nothing is shown, and nothing global is changed, in logging or in structlog.

The command line calls `configure`: one line per event on standard error, for a person or as JSON.
structlog is loaded with the first event that passes the level: most crawls log none, and loading
takes 40 ms.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import traceback
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

from penstock.crawler.output import terminal

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
FORMATS = ("console", "json")

_COLOURS = {"debug": "\x1b[2m", "info": "\x1b[32m", "warning": "\x1b[33m", "error": "\x1b[31m"}
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:-+%?&~@,;()*#")
_FRAMES_BELOW_CALLER = 6  # from logging up to the caller of Logger.info(): ours, and structlog's

_root = logging.getLogger()
_penstock = logging.getLogger("penstock")
_penstock.addHandler(logging.NullHandler())  # else logging itself would print warnings to standard error


class Logger:
    """What `get_logger` returns. A call below the level costs one look into a dictionary."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._fields = fields
        self._bound: Any = None  # structlog's logger, made with the first event

    def bind(self, **fields: Any) -> Logger:
        """A logger with more fields in every event."""
        return Logger({**self._fields, **fields})

    def debug(self, event: str, **fields: Any) -> None:
        if _penstock.isEnabledFor(10):
            self._emit("debug", event, fields)

    def info(self, event: str, **fields: Any) -> None:
        if _penstock.isEnabledFor(20):
            self._emit("info", event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        if _penstock.isEnabledFor(30):
            self._emit("warning", event, fields)

    def error(self, event: str, **fields: Any) -> None:
        if _penstock.isEnabledFor(40):
            self._emit("error", event, fields)

    def exception(self, event: str, **fields: Any) -> None:
        """An error with the traceback of the exception that is being handled."""
        if _penstock.isEnabledFor(40):
            self._emit("error", event, {"exc_info": True, **fields})

    def _emit(self, level: str, event: str, fields: dict[str, Any]) -> None:
        try:
            if self._bound is None:
                self._bound = _make_structlog_logger(self._fields)
            getattr(self._bound, level)(event, **fields)
        except Exception as error:  # a filter or handler of the host program
            _report_failure(_penstock, level, event, error)


def get_logger(**fields: Any) -> Logger:
    """A logger with `fields` bound. It obeys the configuration, also when that comes later."""
    return Logger(fields)


def is_enabled(level: str) -> bool:
    """True if events of this level are shown; for a caller whose fields cost something to collect."""
    return _penstock.isEnabledFor(LEVELS[level])


def configure(*, level: str = "info", form: str = "console") -> None:
    """Send events and the messages of libraries to standard error. For the command line only.

    debug is for single URLs, info for the run as a whole. Libraries are never asked for
    more than INFO: aiosqlite's DEBUG prints every parameter, page bodies too.
    """
    _remove_handler()
    _root.addHandler(StderrHandler(form))
    _root.setLevel(max(LEVELS[level], logging.INFO))
    _penstock.setLevel(LEVELS[level])
    logging.captureWarnings(True)


def reset() -> None:
    """Undo `configure`."""
    _remove_handler()
    _root.setLevel(logging.WARNING)
    _penstock.setLevel(logging.NOTSET)
    logging.captureWarnings(False)


def _remove_handler() -> None:
    _root.handlers[:] = [each for each in _root.handlers if not isinstance(each, StderrHandler)]


# -- from an event to a record


class Event(dict[str, Any]):
    """The message of a log record: a dict for structlog and JSON formatters, a line of text for others."""

    def __str__(self) -> str:
        fields = (item for item in self.items() if item[0] not in ("event", "exc_info"))
        return " ".join([_quote(self["event"]), *(f"{_quote(key)}={_quote(value)}" for key, value in fields)])

    def copy(self) -> Event:
        return Event(self)


def _make_structlog_logger(fields: Mapping[str, Any]) -> Any:
    """structlog's configuration is passed here and not set globally: the host program has its own."""
    import structlog

    return structlog.wrap_logger(
        _penstock,
        processors=[_to_record],
        wrapper_class=structlog.stdlib.BoundLogger,
        context_class=dict,
        cache_logger_on_first_use=True,
    ).bind(**fields)


def _to_record(logger: Any, method: str, event: MutableMapping[str, Any]) -> Any:
    """structlog's last step: the arguments of the `logging` method, as its ProcessorFormatter reads them."""
    error = event.get("exc_info")
    if error is True:
        error = event["exc_info"] = sys.exc_info()[1]
    keywords = {
        "exc_info": error or None,
        "extra": {"_logger": logger, "_name": method},
        "stacklevel": _FRAMES_BELOW_CALLER,
    }
    return (Event(event),), keywords


def _report_failure(logger: Any, level: str, event: object, error: Exception) -> None:
    terminal.write_stderr(
        f"{level} {terminal.escape_control_chars(str(event))} log_failed={type(error).__name__}"
    )


# -- from a record to a line


class StderrHandler(logging.Handler):
    """One line per record on standard error; above the live view if there is one."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self._form = form

    def emit(self, record: logging.LogRecord) -> None:
        try:
            if self.formatter is None:
                self.formatter = _make_formatter(self._form)
            line = self.format(record)
        except Exception as error:  # a field whose repr() fails
            event = record.msg.get("event") if isinstance(record.msg, Event) else record.msg
            _report_failure(None, record.levelname.lower(), event, error)
        else:
            terminal.write_stderr(line)


def _make_formatter(form: str) -> logging.Formatter:
    from structlog.processors import JSONRenderer, TimeStamper
    from structlog.stdlib import ProcessorFormatter

    # JSONRenderer escapes all but ASCII, so its lines need no further escaping.
    render = JSONRenderer(default=repr) if form == "json" else ConsoleRenderer(terminal.wants_colour())
    return ProcessorFormatter(
        foreign_pre_chain=[_name_library],
        processors=[
            ProcessorFormatter.remove_processors_meta,
            _format_traceback,
            _Head(TimeStamper(fmt="iso", utc=True)),
            render,
        ],
        use_get_message=False,
        pass_foreign_args=True,
    )


def _name_library(logger: Any, method: str, event: Any) -> Any:
    """Make an event of a message of asyncio, aiohttp, aiosqlite or the warnings module."""
    text, arguments = event["event"], event.pop("positional_args", None)
    with contextlib.suppress(Exception):  # arguments that do not fit the message
        text = text % arguments if arguments else text
    return {**event, "event": "library_logged", "logger": event["_record"].name, "text": text}


def _format_traceback(logger: Any, method: str, event: Any) -> Any:
    """Turn exc_info (an exception, or logging's triple) into text, without local variables:
    those hold headers and bodies."""
    found = event.pop("exc_info", None)
    error = found[1] if isinstance(found, tuple) else found
    if isinstance(error, BaseException):
        event["exception"] = "".join(traceback.format_exception(error)).rstrip()
    return event


class _Head:
    """Put time, level and name first: every event has them."""

    def __init__(self, stamp: Callable[[Any, str, Any], Any]) -> None:
        self._stamp = stamp

    def __call__(self, logger: Any, method: str, event: Any) -> Any:
        name = event.pop("event")
        level = method if method in LEVELS else "error"
        return {**self._stamp(logger, method, {}), "level": level, "event": name, **event}


class ConsoleRenderer:
    """One line for a person: time, level, event, key=value, and a traceback beneath."""

    def __init__(self, coloured: bool = False) -> None:
        self.coloured = coloured

    def __call__(self, logger: Any, method: str, event: Any) -> str:
        level = event.pop("level")
        shown = f"{_COLOURS[level]}{level:<7}\x1b[0m" if self.coloured else f"{level:<7}"
        head = f"{event.pop('timestamp')} {shown} {_quote(event.pop('event'))}"
        trace = event.pop("exception", "")
        line = " ".join([head, *(f"{_quote(key)}={_quote(value)}" for key, value in event.items())])
        return "\n    ".join([line, *map(terminal.escape_control_chars, trace.splitlines())])


def _quote(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    if text and _PLAIN.issuperset(text):
        return text
    return repr(text) if isinstance(value, str) else terminal.escape_control_chars(text)
