"""Sniffing: the MIME type of a body that was sent without one.

May touch: nothing. Pure bytes in, a type out.

The rules are the MIME Sniffing standard's sections 6 and 7, "identifying a resource with an unknown
MIME type". They apply only where an answer names no type that can be parsed: a type that is named is
believed, as browsers do (section 7, "MIME type sniffing algorithm").

Two refinements, for documents that are read here and that the standard would leave to an XML viewer or
call text: XML whose root element is `html` is XHTML, and a feed without an XML declaration is a feed.
"""

from __future__ import annotations

import re

from penstock.stages.http.mime import SNIFF_BYTES

TEXT, BINARY = "text/plain", "application/octet-stream"

# Section 7.1, the patterns that could run scripts: white space, a tag, and a "tag-terminating byte".
_HTML = re.compile(
    rb"[\t\n\x0c\r ]*<(?:!doctype html|html|head|script|iframe|h1|div|font|table|a|style|title|b|body"
    rb"|br|p|!--)[ >]",
    re.IGNORECASE,
)
_XML = re.compile(rb"[\t\n\x0c\r ]*<\?xml")
_PDF = b"%PDF-"

_PLAIN = (
    (b"%!PS-Adobe-", "application/postscript"),
    (b"\xfe\xff", TEXT),  # a byte order mark
    (b"\xff\xfe", TEXT),
    (b"\xef\xbb\xbf", TEXT),
)
_PLAIN_LENGTH = 4  # a mark counts only with a byte or two behind it

# Section 6.1 to 6.4: images, audio and video, archives. `.` stands for any byte.
_SIGNATURES = tuple(
    (re.compile(pattern, re.DOTALL), essence)
    for pattern, essence in (
        (rb"\0\0[\x01\x02]\0", "image/x-icon"),
        (rb"BM", "image/bmp"),
        (rb"GIF8[79]a", "image/gif"),
        (rb"RIFF.{4}WEBPVP", "image/webp"),
        (rb"\x89PNG\r\n\x1a\n", "image/png"),
        (rb"\xff\xd8\xff", "image/jpeg"),
        (rb"FORM.{4}AIFF", "audio/aiff"),
        (rb"ID3", "audio/mpeg"),
        (rb"OggS\0", "application/ogg"),
        (rb"MThd\0\0\0\x06", "audio/midi"),
        (rb"RIFF.{4}AVI ", "video/avi"),
        (rb"RIFF.{4}WAVE", "audio/wave"),
    )
)
_ARCHIVES = (
    (b"\x1f\x8b\x08", "application/x-gzip"),
    (b"PK\x03\x04", "application/zip"),
    (b"Rar!\x1a\x07\0", "application/x-rar-compressed"),
)
_BINARY = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")  # section 4, "binary data byte"

_PROLOG = re.compile(rb"[\t\n\x0c\r ]*(?:<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^>\[]*>)", re.DOTALL)
_ROOT = re.compile(rb"[\t\n\x0c\r ]*<(html|rss|feed)(?=[\t\n\x0c\r >])")
_ROOT_TYPES = {
    b"html": "application/xhtml+xml",
    b"rss": "application/rss+xml",
    b"feed": "application/atom+xml",
}

_MP3_RATES = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)  # kbit/s, by index
_MP25_RATES = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_SAMPLE_RATES = (44_100, 48_000, 32_000)


def sniff_mime(body: bytes, *, is_scriptable: bool = True) -> str:
    """The essence of a body's type, from its beginning after content-coding. Does not raise.

    `is_scriptable`: false if the answer has `X-Content-Type-Options: nosniff`; nothing that could run
    a script is then found (section 7.1).
    """
    head = body[:SNIFF_BYTES]
    if is_scriptable:
        if _HTML.match(head):
            return "text/html"
        if _XML.match(head):
            return "application/xhtml+xml" if _root_type(head) == "application/xhtml+xml" else "text/xml"
        if head.startswith(_PDF):
            return "application/pdf"
    for mark, essence in _PLAIN:
        if head.startswith(mark) and len(head) >= _PLAIN_LENGTH:
            return essence
    for pattern, essence in _SIGNATURES:
        if pattern.match(head):
            return essence
    if _is_mp4(head):
        return "video/mp4"
    if _is_webm(head):
        return "video/webm"
    if _is_mp3(head):
        return "audio/mpeg"
    for mark, essence in _ARCHIVES:
        if head.startswith(mark):
            return essence
    if _BINARY.search(head):
        return BINARY
    return (is_scriptable and _root_type(head)) or TEXT


def _root_type(head: bytes) -> str | None:
    """The type by the root element of XML, if that is within reach and known."""
    position = 0
    while prolog := _PROLOG.match(head, position):
        position = prolog.end()
    root = _ROOT.match(head, position)
    return None if root is None else _ROOT_TYPES[root[1]]


def _is_mp4(head: bytes) -> bool:
    """Section 6.2.1: the file type box names a brand that begins with "mp4"."""
    size = int.from_bytes(head[:4], "big")
    if len(head) < 12 or len(head) < size or size % 4 or head[4:8] != b"ftyp":
        return False
    return head[8:11] == b"mp4" or any(head[at : at + 3] == b"mp4" for at in range(16, size, 4))


def _is_webm(head: bytes) -> bool:
    """Section 6.2.2: the EBML header has a DocType of "webm"."""
    if not head.startswith(b"\x1a\x45\xdf\xa3"):
        return False
    at = head.find(b"\x42\x82", 4, 38)
    if at < 0 or at + 2 >= len(head) or not head[at + 2]:
        return False
    at += 2
    at += 9 - head[at].bit_length()  # the length of the variable-size integer
    return head[at:].lstrip(b"\0").startswith(b"webm")


def _is_mp3(head: bytes) -> bool:
    """Section 6.2.3: two MP3 frame headers, the second where the first frame ends."""
    if not _is_mp3_header(head):
        return False
    is_version_1 = bool(head[1] & 0x08)
    rate = (_MP3_RATES if is_version_1 else _MP25_RATES)[head[2] >> 4] * 1_000
    scale = 144 if is_version_1 else 72
    size = rate * scale // _SAMPLE_RATES[head[2] >> 2 & 3] + (head[2] >> 1 & 1)
    return 4 <= size <= len(head) and _is_mp3_header(head[size:])


def _is_mp3_header(data: bytes) -> bool:
    """A frame of layer 3 with a valid bit rate and sample rate."""
    if len(data) < 4 or data[0] != 0xFF or data[1] & 0xE0 != 0xE0:
        return False
    return data[1] >> 1 & 3 == 1 and data[2] >> 4 != 15 and data[2] >> 2 & 3 != 3
