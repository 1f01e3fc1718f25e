"""Text stream: decompress and decode a file, one piece at a time.

May touch: webencodings, the label table of `text/`, the bounded inflater.
Never: hold more than a piece. A file may be compressed whatever its name or headers say: its first
bytes decide.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

import webencodings

from penstock.stages.extractors.text.charset import BOMS, lookup
from penstock.stages.http.content_coding import CodingError, Decoder

_HEAD_BYTES = 1024  # an encoding is declared within these
BLANK = "\ufeff\t\n\f\r "  # what is stripped from the beginning of a file
_GZIP_MAGIC = b"\x1f\x8b"
_DECLARED = re.compile(rb"[\t\n\r ]*+<\?xml[^>]*?encoding[\t\n\r ]*+=[\t\n\r ]*+[\"']([A-Za-z0-9._:-]++)")


class TextStream:
    """Decompress and decode one file, without blanks at its beginning.

    Raises CodingError, after all text that came before the error.
    """

    def __init__(self, charset: str | None, limit: int) -> None:
        """`charset`: the HTTP header's label. `limit`: the most bytes after decompression."""
        self._charset = charset
        self._limit = limit
        self._head = b""  # collected until it decides: first on the compression, then on the encoding
        self._decompress: Decoder | None = None
        self._decode: codecs.IncrementalDecoder | None = None
        self._has_begun = False

    def feed(self, chunk: bytes) -> Iterator[str]:
        if self._decompress is None:
            self._head += chunk
            if len(self._head) < len(_GZIP_MAGIC):
                return
            chunk, self._head = self._head, b""
            self._decompress = Decoder("gzip" if chunk.startswith(_GZIP_MAGIC) else None, self._limit)
        try:
            for piece in self._decompress.pieces(chunk):
                yield from self._text(piece)
        except CodingError as error:
            yield from self._text(error.decoded)
            yield from self._text(b"", is_last=True)
            raise

    def finish(self) -> Iterator[str]:
        error = None
        if self._decompress is not None:
            try:
                self._decompress.finish()
            except CodingError as truncated:
                error = truncated
        yield from self._text(b"", is_last=True)
        if error is not None:
            raise error

    def _text(self, piece: bytes, *, is_last: bool = False) -> Iterator[str]:
        if self._decode is None:
            self._head += piece
            if len(self._head) < _HEAD_BYTES and not is_last:
                return
            self._decode, piece = _begin(self._head, self._charset)
        text = self._decode.decode(piece, is_last)
        if not self._has_begun:  # nothing may stand before an XML declaration, but a blank line often does
            text = text.lstrip(BLANK)
            self._has_begun = bool(text)
        if text:
            yield text


def _begin(head: bytes, charset: str | None) -> tuple[codecs.IncrementalDecoder, bytes]:
    """Choose how to decode a file that begins so; return also the beginning without its BOM."""
    encoding, mark = _encoding(head, charset)
    codec = webencodings.lookup("gb18030" if encoding == "gbk" else encoding).codec_info
    decoder: codecs.IncrementalDecoder = codec.incrementaldecoder("replace")
    return decoder, head[len(mark) :]


def _encoding(head: bytes, charset: str | None) -> tuple[str, bytes]:
    """Name the encoding, and the byte order mark that says so.

    RFC 7303 section 3: the mark, then the header, then the XML declaration; sitemaps.org
    makes UTF-8 of all else. Whoever says UTF-16 of a text without a zero byte is wrong.
    """
    for mark, name in BOMS:
        if head.startswith(mark):
            return name, mark
    if head.startswith((b"<\0", b"\0<")):
        return ("utf-16le" if head[1] == 0 else "utf-16be"), b""
    declared = _DECLARED.match(head)
    label = (charset and lookup(charset)) or (declared and lookup(declared[1].decode("ascii")))
    if not label or label == "replacement" or (label.startswith("utf-16") and b"\0" not in head):
        label = "utf-8"
    return label, b""
