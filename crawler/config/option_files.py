"""Options: the same settings written in a file, or as text on a command line.

May touch: a file of options, a list of seeds, standard input.

Whatever is wrong with a file is one line of `BadConfig`. What a value may be is not
decided here but by `CrawlConfig`, so a file and a flag are held to the same rules.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path

from penstock.crawler.config import option_checks as checks
from penstock.crawler.config.crawl_config import CrawlConfig
from penstock.crawler.config.seeds import from_lines
from penstock.crawler.errors import BadConfig
from penstock.crawler.output.terminal import escape_control_chars

_WHOLE = re.compile(r"[+-]?\d{1,30}\Z", re.ASCII)
_REAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\Z", re.ASCII | re.IGNORECASE)

_MOST_PATH = 200  # characters of a path in a message

CONFIG_NAMES = tuple(field.name for field in fields(CrawlConfig))


def number(text: str) -> int | float | str:
    """Read a number as typed. What is none stays text, for the configuration to refuse by name."""
    if _WHOLE.match(text):
        return int(text)
    if _REAL.match(text):
        value = float(text)
        return value if abs(value) != float("inf") else text  # 1e999 was not meant as "inf"
    return text


def read_file(path: str, *, also: Iterable[str] = ()) -> dict[str, object]:
    """Read a TOML file of options into names with underscores.

    Keys are the flags' names, with - or _; `seed` and `seeds` both list URLs, and so with `plugins`. `also`
    names options that are not the crawl's own. Raises BadConfig for a file that cannot
    be read, and for all keys that are unknown or given twice, together.
    """
    values: dict[str, object] = {}
    problems: list[str] = []
    known = [*CONFIG_NAMES, *also]
    for key, value in _toml(path).items():
        name = key.replace("-", "_")
        name = {"seed": "seeds", "plugin": "plugins"}.get(name, name)
        if name not in known:
            problems.append(f"unknown option {escape_control_chars(key)!r}{close_match(name, known)}")
        elif name in values:
            problems.append(f"option {escape_control_chars(key)!r} is given twice")
        values[name] = value
    if problems:
        raise BadConfig(f"--config {escape_control_chars(path)}: " + "; ".join(problems))
    return values


def read_seeds(path: str) -> list[str]:
    """Read the seeds of a text file, one URL a line; `-` is standard input."""
    return from_lines(read_text("--seeds", path).splitlines())


def close_match(word: str, known: Iterable[str]) -> str:
    """A hint for a word that is nearly a known one, or ''."""
    import difflib  # here and below: most command lines need neither

    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean {found[0]}?)" if found else ""


def as_toml(values: Mapping[str, object]) -> str:
    """Write options as a file that `read_file` reads back; what is None has no line."""
    return "".join(
        f"{name.replace('_', '-')} = {_toml_value(value)}\n"
        for name, value in values.items()
        if value is not None
    )


def _toml(path: str) -> dict[str, object]:
    import tomllib

    try:
        return tomllib.loads(read_text("--config", path))
    except (ValueError, RecursionError) as error:  # also for integers too long for Python
        raise BadConfig(
            f"--config {escape_control_chars(path)}: no valid TOML: {escape_control_chars(str(error))}"
        ) from None


def read_text(flag: str, path: str) -> str:
    """Read a whole file, `-` being standard input, or say in one line why it cannot be read."""
    named = checks.quote_value(path) if len(path) > _MOST_PATH or not path else escape_control_chars(path)
    try:
        data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadConfig(f"{flag} {named}: no UTF-8 text (byte {error.start})") from None
    except (OSError, ValueError, AttributeError) as error:  # a NUL in the path; a closed standard input
        reason = getattr(error, "strerror", None) or str(error)
        raise BadConfig(f"{flag} {named}: cannot be read: {escape_control_chars(reason)}") from None


def _toml_value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_toml_value(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml_value, value)) + "]"
    if isinstance(value, int | float):
        return repr(value)
    # JSON's escapes are TOML's, but for the one control character that JSON lets pass.
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
