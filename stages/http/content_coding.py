"""Content coding: undo the Content-Encoding of a body, within bounds.

May touch: zlib.
Never: hold more than the limit. A few kilobytes can expand to gigabytes, so the output is taken in
pieces of a bounded size and counted piece by piece.

The codings br and zstd are not requested. Brotli made pages 8 to 9 % smaller than gzip when a server
compresses each response, and 29 % smaller when files were compressed beforehand (manuals of Python
and PostgreSQL). Decoding was faster by less than 0.1 ms a page. That does not pay for another
decoder of untrusted bytes. A server that sends them anyway gets `unknown_coding`.

A body that breaks off is an error here, though browsers show what has arrived. A shortened page is
worse than a missing one, since nobody sees that half its links are gone.
"""

from __future__ import annotations

import zlib
from collections.abc import Generator, Iterator

MAX_CODINGS = 3  # on top of one another; two happen by mistake, more only on purpose
MAX_MEMBERS = 1_000  # of one gzip stream; an empty one of 20 bytes costs as much as a large one
PIECE_BYTES = 64 * 1024

# The most bytes that a coding may add to content that it cannot shrink: deflate adds at most 5 bytes
# in 16 KiB, gzip a header and a trailer per member. Far more coded bytes than content means that a
# server sends empty blocks without end.
_SLACK_BYTES = 64 * 1024

_GZIP_MAGIC = b"\x1f\x8b"


class CodingError(Exception):
    """The body cannot be decoded. `reason` is a stable word:

    truncated       the body broke off before its end
    too_large       it is longer than the limit; `decoded` holds the bytes up to the limit that were
                    not returned before
    bad_coding      its bytes are not in the coding that Content-Encoding names
    unknown_coding  Content-Encoding names a coding that we cannot undo, or too many of them
    """

    def __init__(self, reason: str, decoded: bytes = b"") -> None:
        super().__init__(reason)
        self.reason = reason
        self.decoded = decoded


class Decoder:
    """Undo the codings of one body. Raises CodingError, from the constructor on."""

    def __init__(self, coding_header: str | None, limit: int) -> None:
        """`limit`: the most bytes of content, all chunks together."""
        # They were applied in the order of their names (RFC 9110 §8.4), so the last is undone first.
        self._layers = [_InflateLayer(name, limit) for name in reversed(_codings(coding_header))]
        self._left = limit

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """Decode `chunk`; yield pieces of at most 64 KiB, or `chunk` itself if there is no coding, so
        that the caller can reserve memory before each. An empty piece stands for the same amount of
        work without output."""
        for piece in self._through(0, chunk):
            if len(piece) > self._left:
                raise CodingError("too_large", piece[: self._left])
            self._left -= len(piece)
            yield piece

    def feed(self, chunk: bytes) -> bytes:
        """Decode `chunk` at once: never more than the limit."""
        decoded = []
        try:
            for piece in self.pieces(chunk):
                decoded.append(piece)  # noqa: PERF402, the pieces before an error are used
        except CodingError as error:
            raise CodingError(error.reason, b"".join([*decoded, error.decoded])) from None
        return decoded[0] if len(decoded) == 1 else b"".join(decoded)

    def finish(self) -> bytes:
        """Check that the body is complete; return the bytes that were held back."""
        for layer in self._layers:
            layer.finish()
        return b""

    def _through(self, index: int, chunk: bytes) -> Iterator[bytes]:
        if index == len(self._layers):
            yield chunk
            return
        for piece in self._layers[index].pieces(chunk):
            yield from self._through(index + 1, piece)
            if index + 1 < len(self._layers):
                yield b""


def _codings(header: str | None) -> list[str]:
    if not header:
        return []
    names = [name.strip().lower() for name in header.split(",")]
    names = [name for name in names if name not in ("", "identity")]
    if len(names) > MAX_CODINGS or not all(name in ("gzip", "x-gzip", "deflate") for name in names):
        raise CodingError("unknown_coding")
    return names


class _InflateLayer:
    """One coding: gzip with its members, or deflate with a zlib header or without.

    Bytes after the end are dropped, as browsers do, since servers pad. Only another gzip member is
    decoded: RFC 1952 §2.2 makes several members one file.
    """

    def __init__(self, name: str, limit: int) -> None:
        self._is_gzip = name != "deflate"
        self._stream: zlib._Decompress | None = None  # None between members
        self._head = b""  # one byte; the format is known from two
        self._members = 0
        self._ended = False  # all that follows is dropped
        self._may_take = limit + limit // 100 + _SLACK_BYTES

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        self._may_take -= len(chunk)
        if self._may_take < 0:
            raise CodingError("too_large")
        while chunk and not self._ended:
            if self._stream is None:
                chunk, self._head = self._head + chunk, b""
                if len(chunk) < 2:
                    self._head = chunk
                    return
                self._stream = self._begin(chunk)
            else:
                chunk = yield from self._inflate(self._stream, chunk)

    def _inflate(self, stream: zlib._Decompress, chunk: bytes) -> Generator[bytes, None, bytes]:
        """Yield the output of `chunk` in one stream; return the part of `chunk` after its end."""
        full = True
        # After a full piece more may wait inside zlib, though all input is taken.
        while (chunk or full) and not stream.eof:
            try:
                piece = stream.decompress(chunk, PIECE_BYTES)
            except zlib.error as error:
                raise CodingError("bad_coding") from error
            chunk, full = stream.unconsumed_tail, len(piece) == PIECE_BYTES
            if piece:
                yield piece
        if stream.eof:
            self._stream, self._ended = None, not self._is_gzip
        return stream.unused_data

    def _begin(self, data: bytes) -> zlib._Decompress | None:
        """Open the stream that begins with `data`: a gzip member, deflate, or None at the end."""
        if self._is_gzip:
            window = 16 + zlib.MAX_WBITS
            self._ended = self._members > 0 and not data.startswith(_GZIP_MAGIC)
        else:
            window = zlib.MAX_WBITS if _has_zlib_header(data) else -zlib.MAX_WBITS
        if self._ended:
            return None
        self._members += 1
        if self._members > MAX_MEMBERS:
            raise CodingError("bad_coding")
        return zlib.decompressobj(window)

    def finish(self) -> None:
        # No byte at all is an empty body: servers label those "gzip" too.
        if self._stream is not None or (self._head and not self._members):
            raise CodingError("truncated")


def _has_zlib_header(data: bytes) -> bool:
    """RFC 1950 §2.2. "deflate" means zlib, but servers have sent the bare stream for decades."""
    return data[0] & 0x0F == 8 and data[0] >> 4 <= 7 and (data[0] << 8 | data[1]) % 31 == 0
