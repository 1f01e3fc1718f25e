"""Content coding: undo the codings of a body, within bounds.

May touch: zlib; the decoders of br and zstd, when a body needs them.
Never: hold more than the limit. A few kilobytes can expand to gigabytes, so the output is taken in
pieces of a bounded size and counted piece by piece.

Content-Encoding and Transfer-Encoding name codings. A name that is not registered for either
("none", "utf-8", "binary", "aws-chunked" ...) is passed over: servers write what they like there, and
browsers show the bytes. A registered coding that cannot be undone here is an error that names it.

A body that is not in the coding that its header names is an error too: browsers and curl refuse it, and
to guess would store bytes of another coding as a page.

A body that breaks off is an error here, though browsers show what has arrived. A shortened page is
worse than a missing one, since nobody sees that half its links are gone.
"""

from __future__ import annotations

import zlib
from collections.abc import Generator, Iterator
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

MAX_CODINGS = 3  # on top of one another; two happen by mistake, more only on purpose
MAX_MEMBERS = 1_000  # of one gzip stream; an empty one of 20 bytes costs as much as a large one
PIECE_BYTES = 64 * 1024

# The most bytes that a coding may add to content that it cannot shrink: deflate adds at most 5 bytes
# in 16 KiB, gzip a header and a trailer per member. Far more coded bytes than content means that a
# server sends empty blocks without end.
_SLACK_BYTES = 64 * 1024

_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPABLE = b"\x2a\x4d\x18"  # after a byte 0x50 to 0x5f (RFC 8878 section 3.1.2)
_ZSTD_WINDOW_LOG = 23  # 8 MiB, the most that RFC 9659 allows in the content coding

# The registered names (IANA, "HTTP Content Coding Registry" and "HTTP Transfer Coding Registry") that
# say something of the bytes; "identity" and "trailers" do not, "chunked" is a matter of framing.
_ALIASES = {"x-gzip": "gzip", "x-compress": "compress"}
_UNDOES = frozenset({"gzip", "deflate", "br", "zstd"})
_REGISTERED = _UNDOES | {"compress", "aes128gcm", "dcb", "dcz", "exi", "pack200-gzip"}


class CodingError(Exception):
    """The body cannot be decoded. `reason` is a stable word:

    truncated       the body broke off before its end
    too_large       it is longer than the limit; `decoded` holds the bytes up to the limit that were
                    not returned before
    bad_coding      its bytes are not in the coding that its header names
    unknown_coding  its header names too many codings, or one that cannot be undone here; the name
                    follows: unknown_coding:compress
    """

    def __init__(self, reason: str, decoded: bytes = b"") -> None:
        super().__init__(reason)
        self.reason = reason
        self.decoded = decoded


class Decoder:
    """Undo the codings of one body. Raises CodingError, from the constructor on."""

    def __init__(self, header: str | None, limit: int) -> None:
        """`header`: the codings, with commas, as they were applied. `limit`: the most bytes of content,
        all chunks together."""
        # They were applied in the order of their names (RFC 9110 §8.4), so the last is undone first.
        names = codings_of(header) if header else ()
        for name in names:
            if name not in offered_codings():
                raise CodingError(f"unknown_coding:{name}")
        if len(names) > MAX_CODINGS:
            raise CodingError("unknown_coding")
        self._layers = [_layer(name, limit) for name in reversed(names)]
        self._left = limit

    @property
    def changes_nothing(self) -> bool:
        return not self._layers

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


@lru_cache(maxsize=256)  # a server sends the same few values with every answer
def codings_of(header: str) -> tuple[str, ...]:
    """The registered codings that a header names, in their order. Does not raise."""
    names = (name.strip().lower() for name in header.split(","))
    return tuple(name for name in (_ALIASES.get(name, name) for name in names) if name in _REGISTERED)


@lru_cache(maxsize=1)
def offered_codings() -> tuple[str, ...]:
    """The codings that can be undone here, for Accept-Encoding."""
    brotli = ("br",) if find_spec("brotli") is not None else ()
    return ("gzip", "deflate", *brotli, *(("zstd",) if _zstd_module() is not None else ()))


def _zstd_module() -> str | None:
    """The standard library's module since Python 3.14, its backport before."""
    for package, module in (("compression", "compression.zstd"), ("backports", "backports.zstd")):
        if find_spec(package) is not None and find_spec(module) is not None:
            return module
    return None


def _layer(name: str, limit: int) -> _Layer:
    if name == "br":
        return _BrotliLayer(limit)
    return _ZstdLayer(limit) if name == "zstd" else _InflateLayer(name, limit)


class _Layer:
    """One coding of a body."""

    def __init__(self, limit: int) -> None:
        self._may_take = limit + limit // 100 + _SLACK_BYTES

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """Decode `chunk` into pieces of about 64 KiB."""
        self._may_take -= len(chunk)
        if self._may_take < 0:
            raise CodingError("too_large")
        yield from self._decode(chunk)

    def _decode(self, chunk: bytes) -> Iterator[bytes]:
        raise NotImplementedError

    def finish(self) -> None:
        """Raise CodingError if the coding is not at its end."""
        raise NotImplementedError


class _InflateLayer(_Layer):
    """One coding: gzip with its members, or deflate with a zlib header or without.

    Bytes after the end are dropped, as browsers do, since servers pad. Only another gzip member is
    decoded: RFC 1952 §2.2 makes several members one file.
    """

    def __init__(self, name: str, limit: int) -> None:
        super().__init__(limit)
        self._is_gzip = name != "deflate"
        self._stream: zlib._Decompress | None = None  # None between members
        self._head = b""  # one byte; the format is known from two
        self._members = 0
        self._ended = False  # all that follows is dropped

    def _decode(self, chunk: bytes) -> Iterator[bytes]:
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


class _BrotliLayer(_Layer):
    """Brotli (RFC 7932): one stream. Its window of at most 16 MiB is touched as output is written.

    The decoder cannot tell how much of its input it took when bytes follow the end of the stream, so
    such a body is `bad_coding`, however it was divided into chunks.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self._library: Any = import_module("brotli")
        self._stream: Any = self._library.Decompressor()
        self._has_begun = False

    def _decode(self, chunk: bytes) -> Iterator[bytes]:
        stream, full = self._stream, False
        # After a full piece more may wait inside the decoder, though it took all input.
        while chunk or (not stream.is_finished() and (full or not stream.can_accept_more_data())):
            self._has_begun = True
            try:
                piece = stream.process(chunk, output_buffer_limit=PIECE_BYTES)
            except self._library.error as error:
                raise CodingError("bad_coding") from error
            chunk, full = b"", len(piece) >= PIECE_BYTES
            if piece:
                yield piece

    def finish(self) -> None:
        if self._has_begun and not self._stream.is_finished():
            raise CodingError("truncated")


class _ZstdLayer(_Layer):
    """Zstandard (RFC 8878): any number of frames, whose checksums are verified.

    Bytes after the last frame are dropped, as after the last member of gzip.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self._library: Any = import_module(_zstd_module() or "")
        self._stream: Any = None  # None between frames
        self._head = b""  # up to four bytes, which tell whether another frame follows
        self._frames = 0
        self._ended = False

    def _decode(self, chunk: bytes) -> Iterator[bytes]:
        while chunk and not self._ended:
            if self._stream is None:
                chunk, self._head = self._head + chunk, b""
                if len(chunk) < len(_ZSTD_MAGIC):
                    self._head = chunk
                    return
                self._begin(chunk)
                continue
            chunk = yield from self._decompress(self._stream, chunk)

    def _begin(self, data: bytes) -> None:
        is_frame = data.startswith(_ZSTD_MAGIC) or (data[0] >> 4 == 5 and data[1:4] == _ZSTD_SKIPPABLE)
        self._ended = not is_frame and self._frames > 0
        self._frames += 1
        if not self._ended and (not is_frame or self._frames > MAX_MEMBERS):
            raise CodingError("bad_coding")
        options = {self._library.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG}
        self._stream = self._library.ZstdDecompressor(options=options)

    def _decompress(self, stream: Any, chunk: bytes) -> Generator[bytes, None, bytes]:
        while (chunk or not stream.needs_input) and not stream.eof:
            try:
                piece = stream.decompress(chunk, PIECE_BYTES)
            except self._library.ZstdError as error:
                raise CodingError("bad_coding") from error
            chunk = b""
            if piece:
                yield piece
        if not stream.eof:
            return b""
        self._stream = None
        rest: bytes = stream.unused_data
        return rest

    def finish(self) -> None:
        if (self._stream is not None and not self._ended) or (self._head and not self._frames):
            raise CodingError("truncated")
