"""Environment: the two options that should not be typed on a command line.

    PENSTOCK_AUTH   --auth      PENSTOCK_PROXY   --proxy

and the password of the key of --client-cert: PENSTOCK_CLIENT_KEY_PASSWORD, which is no option.

May touch: the environment, a file `.env` in the working directory.
Never: HTTP_PROXY, HTTPS_PROXY and ALL_PROXY. They are meant for other programs, and a crawl that
silently used another network path than the one asked for would be a surprise.

Other users of the machine can see the arguments of a process, but not its environment. The file
`.env` sets variables that are not set yet; its lines about other variables are ignored.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from penstock.crawler.errors import BadConfig

VARIABLES = {"PENSTOCK_AUTH": "auth", "PENSTOCK_PROXY": "proxy"}
KEY_PASSWORD = "PENSTOCK_CLIENT_KEY_PASSWORD"
_SECRETS = frozenset({*VARIABLES, KEY_PASSWORD})

_LINE = re.compile(rb"[ \t]*(?:export[ \t]+)?(PENSTOCK_\w+)[ \t]*=[ \t]*(.*?)[ \t\r]*\Z", re.DOTALL)
_QUOTED = re.compile(r"""'([^']*)'|"((?:[^"\\]|\\.)*)\"""")
_COMMENT = re.compile(r"(?:^|[ \t])#.*", re.DOTALL)
_ESCAPE = re.compile(r'\\(["\\$`])')


def options(environ: Mapping[str, str] = os.environ, file: Path = Path(".env")) -> dict[str, object]:
    """Read options by name, from variables and `.env`; an empty one counts as not set.

    Raises BadConfig, which shows no value.
    """
    found = _read(file) | {name: environ[name] for name in VARIABLES if environ.get(name)}
    return {VARIABLES[name]: value for name, value in found.items() if value and name in VARIABLES}


def key_password(environ: Mapping[str, str] = os.environ, file: Path = Path(".env")) -> str | None:
    """The password of the key of --client-cert. Raises BadConfig, which shows no value."""
    return environ.get(KEY_PASSWORD) or _read(file).get(KEY_PASSWORD) or None


def remove_secrets(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment for processes that parse untrusted pages."""
    return {name: value for name, value in environ.items() if name not in _SECRETS}


def _read(file: Path) -> dict[str, str]:
    if file.is_dir():  # a common name for a virtual environment
        return {}
    try:
        lines = file.read_bytes().split(b"\n")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise BadConfig(f".env: cannot be read: {error.strerror or error}") from None
    values = {}
    for number, line in enumerate(lines, start=1):
        match = _LINE.match(line)
        if match is None or (name := match[1].decode()) not in _SECRETS:
            continue
        try:
            values[name] = _unquoted(match[2].decode())
        except ValueError:
            raise BadConfig(f".env: line {number}: the value of {name} cannot be read") from None
    return values


def _unquoted(text: str) -> str:
    """A value as a shell reads it, but without substitutions. Raises ValueError."""
    if not text.startswith(("'", '"')):
        return _COMMENT.sub("", text)
    match = _QUOTED.match(text)
    if match is None or _COMMENT.sub("", text[match.end() :]).strip():
        raise ValueError
    return match[1] if match[1] is not None else _ESCAPE.sub(r"\1", match[2])
