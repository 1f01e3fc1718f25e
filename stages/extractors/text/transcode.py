"""Transcode: encoding labels, conversion to UTF-8, and the percent-encoding of queries.

May touch: webencodings; nobody else imports it.
Never: Python's codec registry with a name that a page chose. A label becomes an encoding
through the table of the WHATWG Encoding standard alone, so that `base64`, `utf-7` or
`rot13` on a page is no encoding at all.

Names are the standard's own, lower case: "utf-8", "windows-1252", "shift_jis".
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache

import webencodings

FALLBACK = "windows-1252"  # the standard's default for most locales

BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_BE, "utf-16be"), (codecs.BOM_UTF16_LE, "utf-16le"))

# URL standard, "special-query percent-encode set": what escape_query writes as %XX.
_QUERY_SET = frozenset(b"\"#<>'") | frozenset(range(0x21)) | frozenset(range(0x7F, 0x100))
_CHARACTER_REFERENCE = re.compile(rb"&#(\d+);")
_C0_AND_SPACE = "".join(map(chr, range(0x21)))
_NO_TAB_OR_NEWLINE = str.maketrans("", "", "\t\n\r")


@lru_cache(maxsize=256)  # a site repeats its label; a hostile one may not fill the memory
def lookup(label: str) -> str | None:
    """Return the name of the encoding that `label` stands for, or None."""
    if not label.isascii():  # no label is; and lone surrogates would raise in there
        return None
    encoding = webencodings.lookup(label)
    return encoding.name if encoding else None


def to_utf8(body: bytes, encoding: str) -> bytes:
    """Return `body` as UTF-8 without its byte order mark; invalid bytes become U+FFFD.

    UTF-8 is returned as it is: the parser replaces invalid bytes itself.
    """
    for mark, name in BOMS:
        if name == encoding and body.startswith(mark):
            body = body[len(mark) :]
    if encoding == "utf-8" or (encoding == FALLBACK and body.isascii()):
        return body
    # The standard decodes GBK with gb18030's decoder; Python's gbk knows only a part of it.
    codec = webencodings.lookup("gb18030" if encoding == "gbk" else encoding).codec_info
    text: str = codec.decode(body, "replace")[0]
    return text.encode("utf-8", "replace")


def escape_query(href: str, encoding: str) -> str:
    """Write the query of `href`, which has no fragment, in the encoding of its page.

    URL standard, "percent-encode after encoding": a link `?q=é` on a windows-1252 page
    asks for `?q=%E9`. Our URL parser knows UTF-8 only, so the bytes are escaped before it
    sees them. What the encoding lacks becomes a character reference, `&#8224;`, escaped.
    """
    before, mark, query = href.partition("?")
    if query.isascii() or encoding.startswith("utf-") or encoding == "replacement":
        return href
    query = query.rstrip(_C0_AND_SPACE).translate(_NO_TAB_OR_NEWLINE)
    encode = webencodings.lookup(encoding).codec_info.encode
    # Between two "&" of the link's own, any other "&" begins a character reference of ours.
    parts = (encode(part, "xmlcharrefreplace")[0] for part in query.split("&"))
    encoded = b"&".join(_CHARACTER_REFERENCE.sub(rb"%26%23\1%3B", part) for part in parts)
    return before + mark + "".join(f"%{byte:02X}" if byte in _QUERY_SET else chr(byte) for byte in encoded)
