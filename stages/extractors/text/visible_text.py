"""Visible text: the visible text of a page, fast and approximate, for counting and comparing.

May touch: charset.py. Pure bytes in, text out; does not raise.

No tree is built, so the time is linear in the length of any page, also of one on which the parser
would take seconds. The price: a `>` within an attribute ends its tag early.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

from penstock.stages.extractors.text.charset import sniff, to_utf8

_UNSEEN = frozenset({"script", "style", "title", "template", "textarea", "svg"})
_NAME = re.compile("[a-zA-Z]+")
_END = {name: re.compile(f"</{name}", re.IGNORECASE) for name in _UNSEEN}


def visible_text(body: bytes, charset: str | None) -> str:
    """The text between the tags; `charset` is that of the Content-Type header."""
    html = to_utf8(body, sniff(body, charset)).decode("utf-8", "replace")
    return unescape(" ".join(_between_tags(html)))


def _between_tags(html: str) -> Iterator[str]:
    position = 0
    while (start := html.find("<", position)) >= 0:
        yield html[position:start]
        position = _after(html, start)
    if position < len(html):
        yield html[position:]


def _after(html: str, start: int) -> int:
    """The position of the text after the markup that begins at `start`."""
    if html.startswith("<!--", start):
        return _behind(html, "-->", start + 4)
    name = _NAME.match(html, start + 1)
    if name is None and html[start + 1 : start + 2] not in ("/", "!", "?"):
        return start + 1  # a `<` that is only a character
    end = _behind(html, ">", start)
    if name is not None and (unseen := name[0].lower()) in _UNSEEN:
        closing = _END[unseen].search(html, end)
        return _behind(html, ">", closing.end()) if closing else len(html)
    return end


def _behind(html: str, mark: str, start: int) -> int:
    found = html.find(mark, start)
    return len(html) if found < 0 else found + len(mark)
