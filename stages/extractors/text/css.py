"""CSS: the files that a stylesheet or a style attribute names.

May touch: nothing. Pure text in, plain values out; does not raise. Time is linear in the text.

CSS Syntax 3 decides what a token is, so that a URL in a comment or in a string is none.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator

_W = r"[ \t\n\r\f]"
_COMMENT = r"/\*(?:.*?\*/|.*)"
_HEX = rf"\\[0-9a-f]{{1,6}}(?:\r\n|{_W})?"
_IN_STRING = {quote: rf"(?:[^{quote}\\\n\r\f]|{_HEX}|\\(?:\r\n|.))*+" for quote in "\"'"}
_STRING = "(?:" + "|".join(rf"{quote}{inside}(?:{quote}|\Z)" for quote, inside in _IN_STRING.items()) + ")"
_BAD_STRING = "|".join(quote + inside for quote, inside in _IN_STRING.items())  # ends where its line ends
_PLAIN = rf"(?:[^\"'()\\\x00-\x20\x7f]|{_HEX}|\\[^\n\r\f])++"
_BETWEEN = rf"(?:{_W}|/\*.*?\*/)*+"
_NAME = r"[\w\\-]"  # what makes `url(` the end of another name
# The end of the text closes whatever is open. What else is in parentheses is no URL, and is skipped whole.
_URL = (
    rf"(?<!{_NAME})url\((?:{_W}*+(?:(?P<quoted>{_STRING})|(?P<plain>{_PLAIN}){_W}*+(?:\)|\Z))"
    r"|(?:[^)\\]|\\.)*+)"
)
_FLAGS = re.IGNORECASE | re.DOTALL

_TOKEN = re.compile(
    rf"{_COMMENT}|{_URL}"
    rf"|@import{_BETWEEN}(?:(?P<sheet>{_STRING})|url\({_W}*+(?:(?P<sheet_quoted>{_STRING})"
    rf"|(?P<sheet_plain>{_PLAIN}){_W}*+(?:\)|\Z)))"
    r"|(?P<namespace>@namespace\b[^;]*+)"
    rf"|(?P<font>@font-face{_BETWEEN}\{{)"
    rf"|(?P<set>(?<!{_NAME})(?:-webkit-)?image-set\()"
    rf"|{_STRING}|{_BAD_STRING}|(?P<open>\{{)|(?P<close>\}})",
    _FLAGS,
)
_SET_TOKEN = re.compile(
    rf"{_COMMENT}|{_URL}|(?P<string>{_STRING})|{_BAD_STRING}|(?P<open>\()|(?P<close>\))|(?P<end>[;{{}}])",
    _FLAGS,
)
_ESCAPE = re.compile(rf"\\(?:([0-9a-f]{{1,6}})(?:\r\n|{_W})?|(\r\n|[\n\r\f])|(.)|\Z)", _FLAGS)


def css_references(css: str, *, is_attribute: bool = False) -> Iterator[tuple[str, str]]:
    """The references as (URL, use), in order, with escapes undone; repeats and empty ones included.

    The use is `style` for `@import`, `font` for what `@font-face` names, `image` for any other
    `url()` and the strings of `image-set()`. An `@import` counts before the first rule only (CSS
    Cascade 5, 2), and not in a style attribute.
    """
    lower = css.lower()
    if not any(word in lower for word in ("url(", "@import", "image-set(")):  # most name nothing
        return
    use, may_import, at = "image", not is_attribute, 0
    while (found := _TOKEN.search(css, at)) is not None:
        at = found.end()
        kind = found.lastgroup
        if kind in ("quoted", "plain"):
            yield _value(found[kind]), use
        elif kind in ("sheet", "sheet_quoted", "sheet_plain"):
            if may_import:
                yield _value(found[kind]), "style"
        elif kind == "set":
            at = yield from _image_set(css, at)
        elif kind == "close":
            use = "image"
        elif kind is not None:  # a rule begins
            may_import = False
            if kind == "font":
                use = "font"


def _image_set(css: str, at: int) -> Generator[tuple[str, str], None, int]:
    """The references in an `image-set()` whose arguments begin at `at`; returns where it ends.

    A string is an image there, but not that of `type("image/avif")`.
    """
    depth = 1
    while depth and (found := _SET_TOKEN.search(css, at)) is not None:
        kind = found.lastgroup
        if kind == "end":  # never closed
            return found.start()
        at = found.end()
        if kind in ("quoted", "plain") or (kind == "string" and depth == 1):
            yield _value(found[kind]), "image"
            if kind == "quoted":  # the closing parenthesis of url() is still to come
                depth += 1
        elif kind == "open":
            depth += 1
        elif kind == "close":
            depth -= 1
    return at


def _value(text: str) -> str:
    """The value of a string or of a URL without quotes."""
    if text[0] in "\"'":
        text = text[1:].removesuffix(text[0]) if len(text) > 1 else ""
    return _ESCAPE.sub(_unescaped, text) if "\\" in text else text


def _unescaped(found: re.Match[str]) -> str:
    if found[1] is None:
        return found[3] or ""
    code = int(found[1], 16)
    return chr(code) if 0 < code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF else "\ufffd"
