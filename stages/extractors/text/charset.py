"""Charset: the encoding of a page, detected as a browser does, and what is converted by it.

May touch: webencodings; nobody else imports it.
Never: Python's codec registry with a name that a page chose. A label becomes an encoding
through the table of the WHATWG Encoding standard alone, so that `base64`, `utf-7` or
`rot13` on a page is no encoding at all.

Names are the standard's own, lower case: "utf-8", "windows-1252", "shift_jis".
A page that declares its encoding in the headers or early on costs almost nothing.
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache

import webencodings

PRESCAN_BYTES = 1024  # HTML standard, 13.2.3.2: authors must declare within these
LATE_BYTES = 64 * 1024  # those who do not, usually put a script or a comment before

# The prescan's "get an attribute", a piece at a time. No piece can backtrack into another.
_BLANKS = re.compile(rb"[\t\n\f\r ]*")
_BEFORE_NAME = re.compile(rb"[\t\n\f\r /]*")
_NAME = re.compile(rb"[^\t\n\f\r />][^\t\n\f\r />=]*")  # a leading "=" belongs to the name
_UNQUOTED = re.compile(rb"[^\t\n\f\r >]*")

_META_ENDS = frozenset({b"\t", b"\n", b"\f", b"\r", b" ", b"/"})  # "<metadata" is no meta
_END_OF_TAG_NAME = re.compile(rb"[\t\n\f\r >]")
_CHARSET_IN_CONTENT = re.compile(rb"charset[\t\n\f\r ]*=[\t\n\f\r ]*(.*)", re.DOTALL)
_UNQUOTED_LABEL = re.compile(rb"[^\t\n\f\r ;]*")
_XML_ENCODING = re.compile(rb"[\x00-\x20]*=[\x00-\x20]*([\"'])")


class _OutOfBytes(Exception):
    """The prescan reached the end of the bytes that it may read."""


def sniff(body: bytes, header_label: str | None = None) -> str:
    """Name the encoding of `body`; `header_label` is the charset of the Content-Type header.

    The order of the HTML standard, 13.2.3.2: byte order mark, HTTP header, the prescan
    for a meta element. A browser that meets the meta element only later starts again with
    its encoding. Without any declaration the standard leaves room for detection, which is used here
    for UTF-8 alone: text in another encoding is hardly ever valid UTF-8 by accident. Does not raise.
    """
    for mark, name in BOMS:
        if body.startswith(mark):
            return name
    declared = (header_label and lookup(header_label)) or prescan(body) or _declared_late(body)
    if declared:
        return declared
    return FALLBACK if body.isascii() or not _is_utf8(body) else "utf-8"


def prescan(body: bytes, end: int = PRESCAN_BYTES) -> str | None:
    """Return the encoding a page declares in its first `end` bytes, or None.

    HTML standard, "prescan a byte stream to determine its encoding".
    """
    data = body[:end]
    if data.startswith(b"<\0?\0x\0"):
        return "utf-16le"
    if data.startswith(b"\0<\0?\0x"):
        return "utf-16be"
    try:
        return _scan_tags(data.lower())
    except _OutOfBytes:
        return _xml_encoding(data)


def _declared_late(body: bytes) -> str | None:
    # Most pages without an early declaration have no late one; this is cheaper than to scan.
    return prescan(body, LATE_BYTES) if b"charset" in body[PRESCAN_BYTES:LATE_BYTES].lower() else None


# The pages of a site begin alike: the beginning of the last one, up to its declaration, and the result.
_latest = (b"<meta charset=utf-8>", "utf-8")


def _scan_tags(data: bytes) -> str | None:
    """Scan bytes in lower case."""
    global _latest
    if data.startswith(_latest[0]):
        return _latest[1]
    position = 0
    while True:
        position = _find(data, b"<", position)
        if data.startswith(b"<!--", position):
            # The dashes may be those of the opening: "<!-->" is a whole comment.
            position = _find(data, b"-->", position + 2) + 2
        elif data.startswith(b"<meta", position) and data[position + 5 : position + 6] in _META_ENDS:
            position, found = _read_meta(data, position + 5)
            if found:
                _latest = data[: position + 1], found  # what comes later was not looked at
                return found
        elif data[position + 1 : position + 2].isalpha() or (
            data.startswith(b"</", position) and data[position + 2 : position + 3].isalpha()
        ):
            position = _skip_tag(data, position)
        elif data.startswith((b"<!", b"</", b"<?"), position):
            position = _find(data, b">", position)
        position += 1


def _read_meta(data: bytes, position: int) -> tuple[int, str | None]:
    attributes: dict[bytes, bytes] = {}
    while True:
        position, name, value = _attribute(data, position)
        if not name:
            break
        attributes.setdefault(name, value)
    if b"charset" in attributes:
        found = lookup(attributes[b"charset"].decode("latin-1"))
    elif attributes.get(b"http-equiv") == b"content-type":
        found = _label_in_content(attributes.get(b"content", b""))
    else:
        found = None
    return position, _as_declared(found)


def _as_declared(found: str | None) -> str | None:
    """A page that declares UTF-16 in ASCII is not in UTF-16."""
    if found in ("utf-16be", "utf-16le"):
        return "utf-8"
    return FALLBACK if found == "x-user-defined" else found


def _label_in_content(content: bytes) -> str | None:
    """HTML standard, "extracting a character encoding from a meta element"; lower case already."""
    match = _CHARSET_IN_CONTENT.search(content)
    if not match:
        return None
    rest = match[1]
    if rest[:1] in (b'"', b"'"):
        label, quote, _ = rest[1:].partition(rest[:1])
        if not quote:
            return None
    else:
        label = _span(_UNQUOTED_LABEL, rest, 0)
    return lookup(label.decode("latin-1"))


def _skip_tag(data: bytes, position: int) -> int:
    match = _END_OF_TAG_NAME.search(data, position)
    if not match:
        raise _OutOfBytes
    position, name = match.start(), b"-"
    while name:
        position, name, _ = _attribute(data, position)
    return position


def _attribute(data: bytes, position: int) -> tuple[int, bytes, bytes]:
    """Read one attribute: where it ended, its name ('' at the tag's end), its value."""
    position = _past(_BEFORE_NAME, data, position)
    if data[position] == 0x3E:
        return position, b"", b""
    start, position = position, _past(_NAME, data, position)
    name = data[start:position]
    position = _past(_BLANKS, data, position)
    if data[position] != 0x3D:
        return position, name, b""
    position = _past(_BLANKS, data, position + 1)
    quote = data[position : position + 1]
    if quote in (b'"', b"'"):
        end = _find(data, quote, position + 1)
        return end + 1, name, data[position + 1 : end]
    end = _past(_UNQUOTED, data, position)
    return end, name, data[position:end]


def _past(pattern: re.Pattern[bytes], data: bytes, position: int) -> int:
    """The position after what `pattern` matches (perhaps nothing). Raises _OutOfBytes at the end."""
    position += len(_span(pattern, data, position))
    if position >= len(data):
        raise _OutOfBytes
    return position


def _span(pattern: re.Pattern[bytes], data: bytes, position: int) -> bytes:
    match = pattern.match(data, position)
    return match[0] if match else b""


def _find(data: bytes, wanted: bytes, position: int) -> int:
    found = data.find(wanted, position)
    if found < 0:
        raise _OutOfBytes
    return found


def _xml_encoding(data: bytes) -> str | None:
    """HTML standard, "get an XML encoding": what `<?xml encoding="...">` says."""
    end = data.find(b">")
    start = data.find(b"encoding", 0, end)
    if end < 0 or start < 0 or not data.startswith(b"<?xml"):
        return None
    opening = _XML_ENCODING.match(data, start + 8)
    if not opening:
        return None
    label, quote, _ = data[opening.end() :].partition(opening[1])
    if not quote or any(byte <= 0x20 for byte in label):
        return None
    return _as_declared(lookup(label.decode("latin-1")))


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


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
