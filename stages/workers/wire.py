"""Wire: what two processes say to each other, and how what was read in a document travels.

May touch: messages, msgspec, marshal (both ends are the same interpreter). Neither runs what
it reads, as pickle would, and msgspec makes a page's links in a quarter of the time.

A message is four bytes of length (network order), then so many bytes.
"""

from __future__ import annotations

import marshal
import struct
from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct, msgpack
from msgspec.structs import astuple, replace

from penstock.crawler.extraction import ExtractionError, ExtractionResult, Item, PageText, Value
from penstock.crawler.messages import Content, Sitemap

Fields = tuple[Any, ...]
LENGTH = struct.Struct("!I")
_PIECE_BYTES = 256 << 10
_BUFFER_BYTES = 64 << 10


def message_pieces(content: bytes) -> Iterator[bytes]:
    """The pieces in which a message is to be written: a long one as a whole would be copied twice more."""
    yield LENGTH.pack(len(content)) + content[:_PIECE_BYTES]
    for start in range(_PIECE_BYTES, len(content), _PIECE_BYTES):
        yield content[start : start + _PIECE_BYTES]


class WireReader:
    """Frames out of a stream: write to `room`, then ask what it `took`."""

    def __init__(self) -> None:
        self._buffer = bytearray(_BUFFER_BYTES)
        self._filled = 0

    def room(self) -> memoryview:
        return memoryview(self._buffer)[self._filled :]

    def took(self, count: int) -> list[bytes]:
        """The messages that `count` more bytes have completed."""
        self._filled += count
        view = memoryview(self._buffer)[: self._filled]
        messages: list[bytes] = []
        start = wanted = 0
        while len(view) - start >= LENGTH.size:
            end = start + LENGTH.size + LENGTH.unpack_from(view, start)[0]
            if end > len(view):
                wanted = end - start
                break
            messages.append(bytes(view[start + LENGTH.size : end]))
            start = end
        self._keep(view[start:], wanted)
        return messages

    def _keep(self, rest: memoryview, wanted: int) -> None:
        """Begin the buffer with `rest`, and have room for a message of `wanted` bytes."""
        size = max(wanted, _BUFFER_BYTES)
        if len(self._buffer) != size:
            self._buffer = bytearray(size)
        self._buffer[: len(rest)] = bytes(rest)
        self._filled = len(rest)


class _Page(Struct, array_like=True, gc=False):
    content: Content  # without its extraction
    extraction: bytes | None  # marshalled: what a plugin returns need not be Unicode


_encode = msgpack.Encoder().encode
_decode_page = msgpack.Decoder(_Page).decode


def encode_content(content: Content) -> bytes:
    """What `decode_content` reads back."""
    if content.extraction is None:
        return _encode(_Page(content, None))
    extraction = marshal.dumps(_harvest_fields(content.extraction))
    return _encode(_Page(replace(content, extraction=None), extraction))


def decode_content(message: bytes) -> Content:
    page = _decode_page(message)
    if page.extraction is None:
        return page.content
    return replace(page.content, extraction=_harvest_of(marshal.loads(page.extraction)))


def encode_sitemap(sitemap: Sitemap) -> bytes:
    """What `decode_sitemap` reads back."""
    return _encode(sitemap)


decode_sitemap: Callable[[bytes], Sitemap] = msgpack.Decoder(Sitemap).decode


def _harvest_fields(extraction: ExtractionResult) -> Fields:
    return (
        list(map(astuple, extraction.values)),
        list(map(astuple, extraction.items)),
        astuple(extraction.text) if extraction.text is not None else None,
        list(map(astuple, extraction.errors)),
    )


def _harvest_of(fields: Fields) -> ExtractionResult:
    values, items, text, mishaps = fields
    return ExtractionResult(
        values=[Value(*value) for value in values],
        items=[Item(*item) for item in items],
        text=PageText(*text) if text is not None else None,
        errors=[ExtractionError(*mishap) for mishap in mishaps],
    )
