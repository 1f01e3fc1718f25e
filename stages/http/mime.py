"""MIME: read the Content-Type headers of an answer as browsers do.

May touch: nothing.

The rules are the Fetch standard's "extract a MIME type", over all Content-Type lines of an answer,
and the MIME Sniffing standard's "parse a MIME type" for each value. A value that cannot be parsed,
and `*/*`, is passed over. Where no type is left, `sniffing` looks at the body.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

SNIFF_BYTES = 1_445  # of a body whose type is not declared; MIME Sniffing standard, section 5.2
MAX_CHARS = 1_024  # that are read of the headers; real ones have a tenth of that

_SPACE = " \t\n\r"  # HTTP white space
_TYPE = re.compile(r"[!#$%&'*+.^_`|~\w-]+/[!#$%&'*+.^_`|~\w-]+\Z", re.ASCII)
_QUOTED_TEXT = re.compile(r"[\t\x20-\x7e\x80-\xff]*\Z")  # "HTTP quoted-string token code points"
_QUOTED_PIECE = re.compile(r'[^"\\]*')


class Mime(NamedTuple):
    essence: str | None  # "type/subtype", lower case; None: missing, malformed or "unknown"
    charset: str | None  # the first charset parameter, as sent; not looked up


UNKNOWN = Mime(None, None)

# These say that the server does not know either (MIME Sniffing standard, section 7).
_UNKNOWN_TYPES = frozenset({"unknown/unknown", "application/unknown"})


def is_html(content_type: str | None) -> bool:
    return content_type in ("text/html", "application/xhtml+xml")


def extract_mime(lines: Sequence[str]) -> Mime:
    """Read the values of all Content-Type headers, in their order. Does not raise.

    The last value that can be parsed names the type. It inherits the charset of the values before it
    as long as they name the same type (Fetch standard, "extract a MIME type").
    """
    if len(lines) == 1:  # a server sends the same few values with every answer
        return _extract(lines[0][:MAX_CHARS])
    return _extract(", ".join(lines)[:MAX_CHARS]) if lines else UNKNOWN


@lru_cache(maxsize=512)
def _extract(header: str) -> Mime:
    found = UNKNOWN
    for value in _values(header):
        mime = parse_mime(value)
        if mime.essence is None or mime.essence == "*/*":
            continue
        charset = mime.charset
        if charset is None and mime.essence == found.essence:
            charset = found.charset
        found = Mime(mime.essence, charset)
    return UNKNOWN if found.essence in _UNKNOWN_TYPES else found


def _values(header: str) -> Iterator[str]:
    """Split at the commas that are not in a quoted string (Fetch standard, "get, decode, and split")."""
    start = position = 0
    while position < len(header):
        position = _next(header, '",', position)
        if header.startswith('"', position):
            position = _quoted(header, position + 1)[1]
        else:
            yield header[start:position]
            start = position = position + 1
    yield header[start:]


def parse_mime(value: str) -> Mime:
    """Read one value (MIME Sniffing standard, "parse a MIME type"). Does not raise."""
    essence, _, parameters = value.strip(_SPACE).partition(";")
    essence = essence.rstrip(_SPACE)
    return Mime(essence.lower(), _charset(parameters)) if _TYPE.match(essence) else UNKNOWN


def _charset(parameters: str) -> str | None:
    """Return the first well-formed charset; malformed parameters are skipped."""
    position = 0
    while position < len(parameters):
        end = _next(parameters, ";=", position)
        name = parameters[position:end].lstrip(_SPACE).lower()
        if not parameters.startswith("=", end):  # a name alone, or the end
            position = end + 1
            continue
        if parameters.startswith('"', end + 1):
            value, position = _quoted(parameters, end + 2)
            position = _next(parameters, ";", position) + 1
        else:
            position = _next(parameters, ";", end + 1)
            value = parameters[end + 1 : position].rstrip(_SPACE)
            position += 1
            if not value:
                continue
        if name == "charset" and _QUOTED_TEXT.match(value):
            return value
    return None


def _quoted(text: str, position: int) -> tuple[str, int]:
    """Read a quoted string from after its opening quote; a backslash keeps the next character.
    Return the string and the position after it."""
    value = ""
    while True:
        match = _QUOTED_PIECE.match(text, position)
        piece = match[0] if match else ""
        value += piece
        position += len(piece)
        if not text.startswith("\\", position):
            return value, position + 1
        value += text[position + 1 : position + 2] or "\\"
        position += 2


def _next(text: str, stops: str, position: int) -> int:
    """Return the index of the first of `stops` at or after `position`; without one, the end."""
    found = (text.find(stop, position) for stop in stops)
    return min((at for at in found if at >= 0), default=len(text))
