"""Mender: correct the mistakes in XML text whose meaning is plain, one piece at a time.

May touch: nothing.

A bare ampersand (`?a=1&b=2`) is an ampersand, and a bare `<` is one. A character that XML 1.0 does
not allow (section 2.2), written or as a reference, is left out. CDATA sections keep their ampersands.
"""

from __future__ import annotations

import re

MAX_HELD = 16 * 1024  # characters that wait for their end: no URL that we take is longer

_MISTAKES = (
    r"&(?:#([0-9]{1,7});|#[xX]([0-9a-fA-F]{1,6});|([A-Za-z_][\w.-]{0,31}+);)?+"
    r"|<(?![A-Za-z_:/!?\x80-\U0010ffff])"
    r"|[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]"
)
_WITH_SECTIONS = re.compile(rf"<!\[CDATA\[.*?\]\]>|{_MISTAKES}", re.DOTALL)
_WITHOUT_SECTIONS = re.compile(_MISTAKES)
_NOT_XML = re.compile(r"[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_CDATA, _CDATA_END = "<![CDATA[", "]]>"


class Mender:
    """`feed` it text, then `finish`: both return the corrected text as far as it is known."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, text: str) -> str:
        """Keep what follows the last tag: the piece may have divided it."""
        text = self._held + text
        end = text.rfind(">") + 1
        section = text.rfind(_CDATA, 0, end)
        if section >= 0 and text.find(_CDATA_END, section, end) < 0:
            end = section
        if len(text) - end > MAX_HELD:
            end = len(text)
        self._held = text[end:]
        return _mended(text[:end])

    def finish(self) -> str:
        text, self._held = self._held, ""
        return _mended(text)


def _mended(text: str) -> str:
    """Sections end before the last `]]>`. None is looked for behind it: each would search all the rest."""
    end = text.rfind(_CDATA_END) + len(_CDATA_END) if _CDATA_END in text else 0
    return _WITH_SECTIONS.sub(_mend, text[:end]) + _WITHOUT_SECTIONS.sub(_mend, text[end:])


def _mend(found: re.Match[str]) -> str:
    text = found[0]
    if text.startswith(_CDATA):
        return _NOT_XML.sub("", text)
    if text == "<":
        return "&lt;"
    if not text.startswith("&"):
        return ""
    decimal, hexadecimal, name = found.groups()
    if name is not None:
        return text
    if decimal is None and hexadecimal is None:
        return "&amp;"
    code = int(decimal) if decimal is not None else int(hexadecimal, 16)
    is_allowed = code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF and not _NOT_XML.match(chr(code))
    return f"&#{code};" if is_allowed else ""
