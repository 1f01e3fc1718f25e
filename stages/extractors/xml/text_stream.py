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

from penstock.stages.extractors.text.charset import BOMS, FALLBACK, lookup
from penstock.stages.http.content_coding import CodingError, Decoder

_HEAD_BYTES = 1024  # an encoding is declared within these
BLANK = "\ufeff\t\n\f\r "  # what is stripped from the beginning of a file
MAX_PACKED = 3  # times
_SINGLE_BYTE = ("iso-8859-", "windows-", "koi8-", "ibm", "mac", "x-mac-")
_NO_UTF_8 = re.compile("[\udc80-\udcff]+")  # bytes, as surrogateescape writes them
_GZIP_MAGIC = b"\x1f\x8b"
_DECLARED = re.compile(rb"[\t\n\r ]*+<\?xml[^>]*?encoding[\t\n\r ]*+=[\t\n\r ]*+[\"']([A-Za-z0-9._:-]++)")


class TextStream:
    """Decompress and decode one file, without blanks at its beginning.

    A file may be packed more than once: by a program, and again by a server that sends it as it is.
    Raises CodingError, after all text that came before the error.
    """

    def __init__(self, charset: str | None, limit: int) -> None:
        """`charset`: the HTTP header's label. `limit`: the most bytes after decompression."""
        self._charset = charset
        self._limit = limit
        self._layers: list[Decoder] = []  # from the outside in; the last undoes nothing, once it is known
        self._start = b""  # of the innermost layer that is not known yet
        self._is_known = False
        self._head = b""  # collected until it decides on the encoding
        self._decode: codecs.IncrementalDecoder | None = None
        self._instead: codecs.CodecInfo | None = None  # reads the bytes that are no UTF-8
        self._is_declared = False  # as such bytes
        self._has_begun = False
        self.has_bad_bytes = False  # the file is not in UTF-8, though it declares no other encoding

    def feed(self, chunk: bytes) -> Iterator[str]:
        try:
            for piece in self._unpack(0, chunk):
                yield from self._text(piece)
        except CodingError:
            yield from self._text(b"", is_last=True)
            raise

    def finish(self) -> Iterator[str]:
        error = None
        for layer in self._layers:
            try:
                layer.finish()
            except CodingError as truncated:
                error = error or truncated
        yield from self._text(self._start, is_last=True)
        if error is not None:
            raise error

    def _unpack(self, depth: int, chunk: bytes) -> Iterator[bytes]:
        if depth == len(self._layers):
            self._start += chunk
            if len(self._start) < len(_GZIP_MAGIC):
                return
            chunk, self._start = self._start, b""
            self._is_known = depth == MAX_PACKED or not chunk.startswith(_GZIP_MAGIC)
            self._layers.append(Decoder(None if self._is_known else "gzip", self._limit))
        is_innermost = self._is_known and depth == len(self._layers) - 1
        layer = self._layers[depth]
        try:
            for piece in layer.pieces(chunk):
                if is_innermost:
                    yield piece
                else:
                    yield from self._unpack(depth + 1, piece)
        except CodingError as error:
            if is_innermost:
                yield error.decoded
            elif error.decoded:
                yield from self._unpack(depth + 1, error.decoded)
            raise CodingError(error.reason) from None

    def _text(self, piece: bytes, *, is_last: bool = False) -> Iterator[str]:
        if self._decode is None:
            self._head += piece
            if len(self._head) < _HEAD_BYTES and not is_last:
                return
            self._begin()
            piece = self._head
        assert self._decode is not None
        text = self._decode.decode(piece, is_last)
        if self._instead is not None and not text.isascii() and _NO_UTF_8.search(text):
            self.has_bad_bytes = not self._is_declared
            text = _NO_UTF_8.sub(self._read_bytes, text)
        if not self._has_begun:  # nothing may stand before an XML declaration, but a blank line often does
            text = text.lstrip(BLANK)
            self._has_begun = bool(text)
        if text:
            yield text

    def _begin(self) -> None:
        """Choose how to decode a file that begins so, and cut the BOM off.

        Many files are in UTF-8 whatever they or their server declare: single-byte encodings are
        believed only for bytes that are no UTF-8, which such text hardly ever is by accident.
        """
        encoding, mark = _encoding(self._head, self._charset)
        self._head = self._head[len(mark) :]
        errors = "replace"
        if encoding == "utf-8" or encoding.startswith(_SINGLE_BYTE):
            self._is_declared = encoding != "utf-8"
            self._instead = webencodings.lookup(encoding if self._is_declared else FALLBACK).codec_info
            encoding, errors = "utf-8", "surrogateescape"
        codec = webencodings.lookup("gb18030" if encoding == "gbk" else encoding).codec_info
        self._decode = codec.incrementaldecoder(errors)

    def _read_bytes(self, found: re.Match[str]) -> str:
        assert self._instead is not None
        text: str = self._instead.decode(found[0].encode("ascii", "surrogateescape"), "replace")[0]
        return text


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
