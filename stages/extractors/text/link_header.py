"""Link header: the links that an answer names in its headers (RFC 8288 section 3).

May touch: nothing. Pure text in, plain values out; does not raise.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote

# Appendix B.2 of the RFC; but a target without its end costs itself, not the link after it. No piece
# can backtrack into another.
_SEPARATORS = re.compile(r"[\s,]*+")
_TARGET = re.compile(r"<([^<>]*+)>")
_PARAMETER = re.compile(
    r"[ \t]*+;[ \t]*+([^\s=;,<>\"]*+)"
    r"(?:[ \t]*+=[ \t]*+(?:\"((?:[^\"\\]|\\.)*+)(?:\"|\Z)|([^\s;,\"]*+)))?+",
    re.DOTALL,
)
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
_REST = re.compile(r"[^,\"<]*+(?:\"(?:[^\"\\]|\\.)*+(?:\"|\Z)[^,\"<]*+)*+", re.DOTALL)
MAX_LINKS = 1_000  # of one answer


def read_link_header(header: str) -> Iterator[dict[str, str | None]]:
    """The links of a Link header, each as the attributes of a `link` element: `href`, `rel`, `type` ...

    The first of several parameters of one name counts. A link with an `anchor` is not about this
    document, and is left out (section 3.2). What is no link is passed over.
    """
    at, count = 0, 0
    end = header.rfind(">")  # behind it no target ends, and each "<" would search all that follows
    while at < end and count < MAX_LINKS:
        separators = _SEPARATORS.match(header, at)
        at = separators.end() if separators is not None else at
        target = _TARGET.match(header, at)
        if target is None:
            rest = _REST.match(header, at)
            at = max(rest.end() if rest is not None else at, at + 1)
            continue
        at = target.end()
        attributes: dict[str, str | None] = {"href": target[1].strip()}
        while (parameter := _PARAMETER.match(header, at)) is not None:
            at = parameter.end()
            name, quoted, token = parameter.groups()
            value = _QUOTED_PAIR.sub(r"\1", quoted) if quoted is not None else token or ""
            if name:
                attributes.setdefault(name.lower(), value)
        if extended := attributes.get("title*"):
            _take_extended_title(attributes, extended)
        rest = _REST.match(header, at)  # up to the comma
        at = max(rest.end() if rest is not None else at, target.end())
        count += 1
        if "anchor" not in attributes:
            yield attributes


def _take_extended_title(attributes: dict[str, str | None], value: str) -> None:
    """The title with its encoding and language (RFC 8187) wins over the plain one, if it can be read."""
    charset, _, text = value.partition("'")
    if charset.lower() in ("utf-8", "iso-8859-1") and "'" in text:
        attributes["title"] = unquote(text.partition("'")[2], charset, "replace")
