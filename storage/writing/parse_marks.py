"""Parse marks: which URLs are being parsed at this very moment, readable after a crash.

May touch: a small file beside the database, mapped into memory.

A page can kill the process that parses it (a crash or a memory limit in a library). A
mark costs a memory write and survives the process, though not the machine: a write to a
mapped file belongs to the operating system. So a resumed crawl knows whom to suspect.
"""

from __future__ import annotations

import contextlib
import mmap
from pathlib import Path

from penstock.crawler.errors import BadDatabase
from penstock.crawler.messages import CanonicalUrl
from penstock.crawler.urls import MAX_URL_CHARS

SLOT_BYTES = MAX_URL_CHARS + 1  # canonical URLs are ASCII; one byte ends them


class ParseMarks:
    """Marks in `slots` places. Implements `ParseMarker`."""

    def __init__(self, path: Path, memory: mmap.mmap, slots: int) -> None:
        self._path = path
        self._memory = memory
        self._free = list(range(slots))

    @staticmethod
    def beside(database: Path) -> Path:
        return database.with_name(database.name + "-parsing")

    @staticmethod
    def left_behind(database: Path) -> list[CanonicalUrl]:
        """The URLs that were being parsed when the last process on this database died."""
        try:
            data = ParseMarks.beside(database).read_bytes()
        except OSError:
            return []
        slots = (data[at : at + SLOT_BYTES] for at in range(0, len(data), SLOT_BYTES))
        texts = (slot.split(b"\0", 1)[0].decode("ascii", "replace") for slot in slots)
        return [CanonicalUrl(text) for text in texts if text]

    @staticmethod
    def clear(database: Path) -> None:
        """Remove what a killed process left; for a run that parses nothing."""
        with contextlib.suppress(OSError):
            ParseMarks.beside(database).unlink()

    @classmethod
    def open(cls, database: Path, slots: int) -> ParseMarks:
        path = cls.beside(database)
        try:
            with path.open("w+b") as file:
                # Written, not truncated to this size: a full disk is an error here, but at the
                # first touch of a mapped page without a block it is a SIGBUS, which says nothing.
                file.write(bytes(slots * SLOT_BYTES))
                file.flush()
                return cls(path, mmap.mmap(file.fileno(), slots * SLOT_BYTES), slots)
        except OSError as error:
            raise BadDatabase(f"cannot write beside {database}: {error.strerror}") from error

    def begin(self, url: CanonicalUrl) -> int:
        """Mark a URL; returns what `end` takes. Needs a free slot: no more parses at once than slots."""
        slot = self._free.pop()
        data = url.encode("ascii", "replace")[:MAX_URL_CHARS]
        at = slot * SLOT_BYTES
        # The first byte last: a mark is there entirely or not at all.
        self._memory[at + 1 : at + len(data) + 1] = data[1:] + b"\0"
        self._memory[at : at + 1] = data[:1]
        return slot

    def end(self, slot: int) -> None:
        self._memory[slot * SLOT_BYTES] = 0
        self._free.append(slot)

    def close(self) -> None:
        """A clean end leaves nothing to suspect."""
        self._memory.close()
        with contextlib.suppress(OSError):
            self._path.unlink()
