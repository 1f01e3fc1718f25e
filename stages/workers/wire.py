"""Wire: what two processes send to each other: messages through a socket, bodies through shared memory.

May touch: msgspec, anonymous memory. Nothing that is read here is executed, as pickle would do.

A message is four bytes of length (network order), then as many bytes of msgpack. Beside marshal,
msgpack takes half the time to encode what was read in a page, and no more to decode it. It takes
only Unicode, so texts are cleaned where they come from: in `fields/`.

A body is copied to shared memory once and read from there. Through the socket it would travel in
pieces, each copied twice by the system, with both processes woken in between: 0.1 ms for 100 kB.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Callable, Iterator

from msgspec import Struct, msgpack
from msgspec.structs import replace

from penstock.crawler.messages import Content, Document, Sitemap

LENGTH = struct.Struct("!I")
BUFFER_BYTES = 256 << 10  # a longer body is a part of its message
_PIECE_BYTES = 256 << 10
_STREAM_BYTES = 64 << 10

SITEMAP = "sitemap"  # in the place of a kind of document

encode = msgpack.Encoder().encode


class Request(Struct, frozen=True, array_like=True, gc=False):
    """One document to read."""

    where: str  # import path of the kind of document, or SITEMAP
    document: Document  # without its body, if that is in a shared buffer
    buffer: int | None = None
    body_bytes: int = 0  # in the buffer


class Failure(Struct, frozen=True, gc=False):
    """An exception while a document was read: a bug in its reader."""

    error: str  # the name of its class
    traceback: str


class ContentAnswer(Struct, frozen=True, array_like=True, gc=False):
    content: Content | None
    failure: Failure | None = None


class SitemapAnswer(Struct, frozen=True, array_like=True, gc=False):
    sitemap: Sitemap | None
    failure: Failure | None = None


decode_request = msgpack.Decoder(Request).decode
decode_content = msgpack.Decoder(ContentAnswer).decode
decode_sitemap = msgpack.Decoder(SitemapAnswer).decode


def message_pieces(content: bytes) -> Iterator[bytes]:
    """The pieces in which to write a message: one large write would be copied twice more."""
    yield LENGTH.pack(len(content)) + content[:_PIECE_BYTES]
    for start in range(_PIECE_BYTES, len(content), _PIECE_BYTES):
        yield content[start : start + _PIECE_BYTES]


class WireReader:
    """Put messages together from a stream: write to `room()`, then call `take` with the count."""

    def __init__(self) -> None:
        self._buffer = bytearray(_STREAM_BYTES)
        self._filled = 0

    def room(self) -> memoryview:
        return memoryview(self._buffer)[self._filled :]

    def take(self, count: int) -> list[bytes]:
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
        rest = view[start:]
        size = max(wanted, _STREAM_BYTES)  # room for the whole message whose beginning is there
        if len(self._buffer) != size:
            self._buffer = bytearray(size)
        self._buffer[: len(rest)] = bytes(rest)
        self._filled = len(rest)
        return messages


class SharedBuffers:
    """`count` buffers for one body each. Raises OSError. Takes memory only where a body has been."""

    def __init__(self, count: int) -> None:
        self.fd = os.memfd_create("penstock-bodies")  # without a name: it goes with the last process
        os.ftruncate(self.fd, count * BUFFER_BYTES)
        self._memory = mmap.mmap(self.fd, count * BUFFER_BYTES)
        self._free = list(range(count))

    @classmethod
    def open(cls, count: int) -> SharedBuffers | None:
        """None where the system has no anonymous shared memory."""
        return cls(count) if hasattr(os, "memfd_create") else None

    def put(self, body: bytes) -> int | None:
        """Copy a body to a free buffer and return its number; None if there is none for it."""
        if not self._free or len(body) > BUFFER_BYTES:
            return None
        buffer = self._free.pop()
        at = buffer * BUFFER_BYTES
        self._memory[at : at + len(body)] = body
        return buffer

    def free(self, buffer: int) -> None:
        self._free.append(buffer)

    def close(self) -> None:
        self._memory.close()
        os.close(self.fd)


def request_reader(fd: int | None) -> Callable[[bytes], Request]:
    """How a parser process decodes requests. `fd`: the shared buffers' descriptor, if there are any."""
    if fd is None:
        return decode_request
    memory = mmap.mmap(fd, 0, access=mmap.ACCESS_READ)

    def read(message: bytes) -> Request:
        request = decode_request(message)
        if request.buffer is None:
            return request
        at = request.buffer * BUFFER_BYTES
        body = memory[at : at + request.body_bytes]
        return replace(request, document=replace(request.document, body=body))

    return read
