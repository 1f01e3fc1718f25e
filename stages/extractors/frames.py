"""Frames: what two processes say to each other, and what was read in a document as plain values.

May touch: messages, msgspec, marshal (both ends are the same interpreter, and it is ten times as
fast as pickle, which would also run what it reads).

A frame is four bytes of length (network order), then so many bytes.
"""

from __future__ import annotations

import marshal
import struct
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec.structs import astuple

from crawler.messages import Content, Harvest, Item, Link, Mishap, PageText, Resource, Sitemap, Value

Fields = tuple[Any, ...]
LENGTH = struct.Struct("!I")
_PIECE_BYTES = 256 << 10
_BUFFER_BYTES = 64 << 10


def framed(content: bytes) -> Iterator[bytes]:
    """The pieces in which a frame is to be written: a long one as a whole would be copied twice more."""
    yield LENGTH.pack(len(content)) + content[:_PIECE_BYTES]
    for start in range(_PIECE_BYTES, len(content), _PIECE_BYTES):
        yield content[start : start + _PIECE_BYTES]


class FrameReader:
    """Frames out of a stream: write to `room`, then ask what it `took`."""

    def __init__(self) -> None:
        self._buffer = bytearray(_BUFFER_BYTES)
        self._filled = 0

    def room(self) -> memoryview:
        return memoryview(self._buffer)[self._filled :]

    def took(self, count: int) -> list[bytes]:
        """The frames that `count` more bytes have completed."""
        self._filled += count
        view = memoryview(self._buffer)[: self._filled]
        frames: list[bytes] = []
        start = wanted = 0
        while len(view) - start >= LENGTH.size:
            end = start + LENGTH.size + LENGTH.unpack_from(view, start)[0]
            if end > len(view):
                wanted = end - start
                break
            frames.append(bytes(view[start + LENGTH.size : end]))
            start = end
        self._keep(view[start:], wanted)
        return frames

    def _keep(self, rest: memoryview, wanted: int) -> None:
        """Begin the buffer with `rest`, and have room for a frame of `wanted` bytes."""
        size = max(wanted, _BUFFER_BYTES)
        if len(self._buffer) != size:
            self._buffer = bytearray(size)
        self._buffer[: len(rest)] = bytes(rest)
        self._filled = len(rest)


def content_fields(content: Content) -> Fields:
    """What `content_of` reads back."""
    return (
        list(map(astuple, content.links)),
        content.title,
        content.canonical,
        content.language,
        content.robots,
        content.other_links,
        content.long_links,
        content.dropped_links,
        _harvest_fields(content.harvest),
        list(map(astuple, content.resources)),
    )


def content_of(frame: bytes) -> Content:
    links, *plain, dropped_links, harvest, resources = marshal.loads(frame)
    title, canonical, language, robots, other_links, long_links = plain
    return Content(
        links=[Link(*link) for link in links],
        title=title,
        canonical=canonical,
        language=language,
        robots=robots,
        other_links=other_links,
        long_links=long_links,
        dropped_links=dropped_links,
        harvest=_harvest_of(harvest),
        resources=tuple(Resource(*resource) for resource in resources),
    )


def sitemap_fields(sitemap: Sitemap) -> Fields:
    """What `sitemap_of` reads back."""
    return (
        sitemap.kind,
        list(sitemap.locations),
        list(sitemap.lastmods),
        sitemap.error,
        sitemap.too_long,
        sitemap.other,
    )


def sitemap_of(frame: bytes) -> Sitemap:
    kind, locations, lastmods, error, too_long, other = marshal.loads(frame)
    return Sitemap(
        kind=kind,
        locations=locations,
        lastmods=lastmods,
        error=error,
        too_long=too_long,
        other=other,
    )


def _harvest_fields(harvest: Harvest | None) -> Fields | None:
    if harvest is None:
        return None
    return (
        list(map(astuple, harvest.values)),
        list(map(astuple, harvest.items)),
        astuple(harvest.text) if harvest.text is not None else None,
        list(map(astuple, harvest.mishaps)),
    )


def _harvest_of(fields: Sequence[Any] | None) -> Harvest | None:
    if fields is None:
        return None
    values, items, text, mishaps = fields
    return Harvest(
        values=[Value(*value) for value in values],
        items=[Item(*item) for item in items],
        text=PageText(*text) if text is not None else None,
        mishaps=[Mishap(*mishap) for mishap in mishaps],
    )
