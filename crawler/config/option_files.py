"""Option files: options in TOML, and seeds in a text file.

May touch: the file that was named, standard input.

A problem with a file is one line of `BadConfig`. Values are not checked here but by `CrawlConfig`,
so that the same rules hold for a file and for a flag.
"""

from __future__ import annotations

import codecs
import json
import os
import sys
from collections.abc import Collection, Mapping
from pathlib import Path

from penstock.crawler.config.option_checks import quote_value
from penstock.crawler.config.seeds import parse_seed_lines
from penstock.crawler.errors import BadConfig, close_match
from penstock.crawler.output.terminal import escape_control_chars

_MOST_PATH = 200  # characters of a path in a message


def read_options(path: str, known: Collection[str], *, paths: Collection[str] = ()) -> dict[str, object]:
    """Read a TOML file of options into names with underscores.

    A relative path in the file is taken from the file's folder, so that the file means the same wherever
    the command is called: the value of an option in `paths`, and the module of a plugin.

    Keys are the flags' names, with - or _; `seed` and `seeds` are the same, and so are `plugin` and
    `plugins`. Raises BadConfig for a file that cannot be read, and for all keys that are unknown or
    given twice, together.
    """
    values: dict[str, object] = {}
    problems: list[str] = []
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
    if path != "-":
        folder = Path(path).parent
        for name in values.keys() & set(paths):
            values[name] = _beside(folder, values[name])
        if "plugins" in values:
            _import_from(os.path.abspath(folder))
    return values


def _beside(folder: Path, value: object) -> object:
    """A path from `folder`; what is no path stays, for the option's check to refuse."""
    if isinstance(value, list):
        return [_beside(folder, each) for each in value]
    return str(folder / value) if isinstance(value, str) and value not in ("", "-", ":memory:") else value


def _import_from(folder: str) -> None:
    """Look for modules in `folder`: before the working directory, and behind all installed packages."""
    if folder in sys.path:
        return
    here = [at for at, entry in enumerate(sys.path) if entry in ("", os.getcwd())]
    sys.path.insert(here[0] if here else len(sys.path), folder)


def read_seeds(path: str) -> list[str]:
    """Read the seeds of a text file, one URL a line; `-` is standard input."""
    return parse_seed_lines(read_text("--seeds", path).splitlines())


def as_toml(values: Mapping[str, object]) -> str:
    """Write options as a file that `read_options` reads back; None has no line."""
    return "".join(
        f"{name.replace('_', '-')} = {_toml_value(value)}\n"
        for name, value in values.items()
        if value is not None
    )


def _toml(path: str) -> dict[str, object]:
    import tomllib  # most command lines need no file

    try:
        return tomllib.loads(read_text("--config", path))
    except (ValueError, RecursionError) as error:  # also for integers too long for Python
        raise BadConfig(
            f"--config {escape_control_chars(path)}: not valid TOML: {escape_control_chars(str(error))}"
        ) from None


def read_text(flag: str, path: str) -> str:
    """Read a whole file, `-` being standard input, or raise BadConfig with the reason in one line."""
    named = quote_value(path) if len(path) > _MOST_PATH or not path else escape_control_chars(path)
    try:
        data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        # A mark of UTF-16 is what PowerShell and Notepad write; UTF-8 text cannot begin with it.
        is_utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        return data.decode("utf-16" if is_utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadConfig(f"{flag} {named}: not UTF-8 text (byte {error.start}): save it as UTF-8") from None
    except (OSError, ValueError, AttributeError) as error:  # a NUL in the path; a closed standard input
        reason = getattr(error, "strerror", None) or str(error)
        hint = " (a URL is given with --seed)" if flag == "--seeds" and "://" in path else ""
        raise BadConfig(f"{flag} {named}: cannot be read: {escape_control_chars(reason)}{hint}") from None


def _toml_value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_toml_value(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml_value, value)) + "]"
    if isinstance(value, int | float):
        return repr(value)
    # TOML has JSON's escapes, and also forbids the one control character that JSON allows.
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
