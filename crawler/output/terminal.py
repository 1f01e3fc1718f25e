"""Terminal: the only way to standard error, for log lines and for the messages of the commands.

May touch: sys.stderr.
Never: standard output (that is for results), or raw text from the web.

Nothing here raises. A closed terminal, or a reader that has left, must not end a crawl that may
have run for days.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator

_writer: Callable[[str], None] | None = None  # the live view, while there is one


def write_stderr(text: str) -> None:
    """Write a line, or several, to standard error; above the live view if there is one."""
    # Not print(): with a closed stderr (2>&-) sys.stderr is None, and print() then writes to stdout.
    with contextlib.suppress(Exception):
        if _writer is not None:
            _writer(text)
        else:
            sys.stderr.write(text + "\n")
            sys.stderr.flush()


@contextlib.contextmanager
def redirect_lines(writer: Callable[[str], None]) -> Iterator[None]:
    """Send every line to `writer` instead, so that lines and a live view do not overwrite each other."""
    global _writer
    before, _writer = _writer, writer
    try:
        yield
    finally:
        _writer = before


def is_terminal() -> bool:
    """True if standard error is a terminal that can move its cursor."""
    try:
        return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    except (AttributeError, ValueError):  # stderr is None, or closed
        return False


def wants_colour() -> bool:
    """True if standard error is such a terminal and NO_COLOR is not set (no-color.org)."""
    return is_terminal() and not os.environ.get("NO_COLOR")


def escape_control_chars(text: str) -> str:
    """Escape the characters that a terminal executes or hides: controls, line breaks, bidi marks."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
