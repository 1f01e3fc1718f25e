"""MIME: read a Content-Type header as browsers do.

May touch: nothing.

The rules are the MIME Sniffing standard's, "parse a MIME type". A value that it rejects is no type
at all, and a page without a type is no HTML page: we do not guess from the bytes.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

MAX_CHARS = 1_024  # of the header; real ones have a tenth of that

_SPACE = " \t\n\r"  # HTTP white space
_TYPE = re.compile(r"[!#$%&'*+.^_`|~\w-]+/[!#$%&'*+.^_`|~\w-]+\Z", re.ASCII)
_QUOTED_TEXT = re.compile(r"[\t\x20-\x7e\x80-\xff]*\Z")  # "HTTP quoted-string token code points"
_QUOTED_PIECE = re.compile(r'[^"\\]*')


class Mime(NamedTuple):
    essence: str | None  # "type/subtype", lower case; None: missing or malformed
    charset: str | None  # the first charset parameter, as sent; not looked up


UNKNOWN = Mime(None, None)


def is_html(content_type: str | None) -> bool:
    return content_type in ("text/html", "application/xhtml+xml")


def parse_mime(header: str | None) -> Mime:
    """Read the value of one Content-Type header. Does not raise."""
    if not header or len(header) > MAX_CHARS:
        return UNKNOWN
    return _parse(header)


@lru_cache(maxsize=512)  # a server sends the same few values with every answer
def _parse(header: str) -> Mime:
    essence, _, parameters = header.strip(_SPACE).partition(";")
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
