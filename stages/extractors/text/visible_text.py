"""Visible text: the visible text of a page, fast and approximate, for counting and comparing.

May touch: charset.py, page_text.py. Pure bytes in, text out; does not raise.

No tree is built, so the time is linear in the length of any page, also of one on which the parser
would take seconds. The price: a `>` within an attribute ends its tag early.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from penstock.stages.extractors.text.charset import sniff, to_utf8
from penstock.stages.extractors.text.page_text import text_of_tokens

_RAW = frozenset({"script", "style", "title", "textarea", "iframe", "noembed", "noframes"})
_NAME = re.compile("[a-zA-Z][a-zA-Z0-9]*")
_END = {name: re.compile(f"</{name}", re.IGNORECASE) for name in _RAW}


def visible_text(body: bytes, charset: str | None) -> str:
    """The text between the tags; `charset` is that of the Content-Type header."""
    html = to_utf8(body, sniff(body, charset)).decode("utf-8", "replace")
    return text_of_tokens(_split(html))


def _split(html: str) -> Iterator[str]:
    """Text and tag in turn. The tag of a comment is empty, and so is that of raw text with its content."""
    position = 0
    while (start := html.find("<", position)) >= 0:
        yield html[position:start]
        name = _NAME.match(html, start + 1)
        is_end = html.startswith("</", start)
        if html.startswith("<!--", start):
            position = _behind(html, "-->", start + 4)
            yield ""
        elif name is None and not is_end and html[start + 1 : start + 2] not in ("!", "?"):
            position = start + 1
            yield ""
            yield "<"  # only a character
            yield ""
        else:
            position = _behind(html, ">", start)
            if name is not None and (raw := name[0].lower()) in _RAW:
                closing = _END[raw].search(html, position)
                position = _behind(html, ">", closing.end()) if closing else len(html)
                yield ""
            else:
                is_tag = name is not None or (is_end and _NAME.match(html, start + 2) is not None)
                yield html[start + 1 : position - 1][:MAX_TAG] if is_tag else ""
    yield html[position:]


def _behind(html: str, mark: str, start: int) -> int:
    found = html.find(mark, start)
    return len(html) if found < 0 else found + len(mark)


MAX_TAG = 1000  # characters of a tag that are looked at
