"""JSON-LD: the JSON of a script as sites write it, and what had to be repaired.

May touch: json. Pure text in, plain values out; does not raise.

JSON-LD 1.1 §7 asks for JSON, and for no comments. Sites write more, and other extractors (extruct with
jstyleson, the search engines) read it: a comment, a trailing comma, a semicolon. Such a script is read too,
and its items say so. HTML entities in a string stay as they are: a browser does not decode them in a
script, so they are the value. A script without one quotation mark whose quotation marks are all `&quot;`
was encoded as a whole, and is decoded.

Every pattern below matches to the end of what it began, so that the time is linear in the length.
"""

from __future__ import annotations

import html
import json
import re
from typing import Any, NamedTuple

MAX_VALUES = 501  # one behind another in a script; a page keeps 500 items and says that there are more

# In the order in which they are listed in `error`.
_REPAIRS = ("bom", "wrapper", "entities", "comment", "trailing_comma", "escape", "control_character", "nan")
_REPAIRS_OF_MANY = ("semicolon", "several_values")
_STRING = r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)'
_TOKENS = re.compile(
    rf"(?P<string>{_STRING})|(?P<comment>//[^\n\r]*|/\*.*?(?:\*/|\Z)|<!--.*?(?:-->|\Z)|-->)", re.DOTALL
)
_COMMAS = re.compile(rf"(?P<string>{_STRING})|(?P<comma>,)(?=[ \t\r\n]*+[}}\]])", re.DOTALL)
_BAD_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_BETWEEN = re.compile(r"[ \t\r\n;,]*")
_WRAPPERS = (("<!--", "-->"), ("<![CDATA[", "]]>"), ("//<![CDATA[", "//]]>"), ("// <![CDATA[", "// ]]>"))


class Script(NamedTuple):
    """The values of a script, one behind another; or why there are none."""

    values: list[Any]
    repairs: str = ""  # what was repaired, separated by commas; "": it was JSON
    error: str | None = None  # empty, bad_json or too_deep


def read_json_ld(text: str) -> Script:
    """Read the text of a script."""
    try:
        return _read(text)
    except RecursionError:
        return Script([], error="too_deep")
    except ValueError:  # JSONDecodeError, or an integer of more digits than Python reads
        return Script([], error="bad_json")


def _read(text: str) -> Script:
    try:
        return Script([json.loads(text, parse_constant=_no_number)])
    except ValueError:
        pass
    done: set[str] = set()
    text = _without_wrapper(text, done)
    if not text:
        return Script([], error="empty")
    text = _without_comments(text, done)
    text = _COMMAS.sub(lambda match: _comma_or_string(match, done), text)
    return _values(text, done)


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _without_wrapper(text: str, done: set[str]) -> str:
    if "\ufeff" in text[:10]:
        done.add("bom")
    text = text.strip("\ufeff \t\r\n\f\u00a0")
    for start, end in _WRAPPERS:
        if text.startswith(start) and text.endswith(end) and text.find(end) == len(text) - len(end):
            done.add("wrapper")
            text = text[len(start) : -len(end)].strip()
    if text.startswith("<!--") and "-->" not in text:
        done.add("wrapper")
        text = text.removeprefix("<!--").strip()
    if '"' not in text and "&quot;" in text:
        done.add("entities")
        text = html.unescape(text)
    return text


def _without_comments(text: str, done: set[str]) -> str:
    def without(match: re.Match[str]) -> str:
        if (string := match["string"]) is not None:
            return string
        done.add("comment")
        return " "

    if "//" in text or "/*" in text or "<!--" in text or "-->" in text:
        return _TOKENS.sub(without, text)
    return text


def _comma_or_string(match: re.Match[str], done: set[str]) -> str:
    string: str | None = match["string"]
    if string is None:
        done.add("trailing_comma")
        return ""
    if "\\" not in string:
        return string

    def escape(found: re.Match[str]) -> str:
        if found[1][0] in '"\\/bfnrt' or len(found[1]) == 5:
            return found[0]
        done.add("escape")  # as JavaScript reads it: \' is '
        return found[1] if found[1] != "u" else "\\\\u"

    return _BAD_ESCAPE.sub(escape, string)


def _values(text: str, done: set[str]) -> Script:
    """All values of a text, which may be one behind another, with commas or semicolons between."""

    def nothing(name: str) -> None:
        done.add("nan")

    decoder = json.JSONDecoder(strict=False, parse_constant=nothing)
    values: list[Any] = []
    at = _end(text, 0)
    while at < len(text) and len(values) < MAX_VALUES:
        value, end = decoder.raw_decode(text, at)
        if not isinstance(value, dict | list) and (values or text[end:].strip(" \t\r\n;")):
            raise ValueError("text behind a value that is no object")
        values.append(value)
        at = _end(text, end)
        if ";" in text[end:at] and "semicolon" not in done:
            done.add("semicolon")
    if not values:
        return Script([], error="empty")
    if len(values) > 1:
        done.add("several_values")
    if not done:
        done.add("control_character")  # nothing else was wrong
    elif _has_control(text):
        done.add("control_character")
    return Script(values, ",".join(word for word in (*_REPAIRS, *_REPAIRS_OF_MANY) if word in done))


def _end(text: str, at: int) -> int:
    found = _BETWEEN.match(text, at)
    return at if found is None else found.end()


def _has_control(text: str) -> bool:
    """True if a string of the text has a character that JSON asks to escape."""
    return any(
        string is not None and not string.isprintable() and min(string) < " "
        for match in _COMMAS.finditer(text)
        if (string := match["string"]) is not None
    )
