"""Parse marks: which URLs are being parsed right now, readable after a crash; and poison pages.

May touch: a small file beside the database, mapped into memory; the database's statements.

A page can kill the process that parses it (a crash or a memory limit in a library). A mark costs a
memory write and survives the process, though not the machine: a write to a mapped file belongs to the
operating system. So a resumed crawl knows which pages may have killed the last run.

A kill from outside says nothing about a page. So such a page is only moved to the end of the queue and
parsed alone. It fails for good, as a poison page, after three runs in a row that crashed while it,
alone, was being parsed and nothing else had been settled.
"""

from __future__ import annotations

import contextlib
import json
import mmap
from collections.abc import Sequence
from pathlib import Path

from penstock.crawler.errors import BadDatabase
from penstock.crawler.messages import CanonicalUrl
from penstock.crawler.urls import MAX_URL_CHARS, split, unsplit
from penstock.storage.database.database import Database
from penstock.storage.database.digests import digest_of_path
from penstock.storage.writing import statements as sql
from penstock.storage.writing.rows import key_of

SLOT_BYTES = MAX_URL_CHARS + 1  # canonical URLs are ASCII; one byte ends them
MAX_CRASHES = 3  # runs in a row


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
        """Remove the marks of a killed process; for a run that parses nothing."""
        with contextlib.suppress(OSError):
            ParseMarks.beside(database).unlink()

    @classmethod
    def open(cls, database: Path, slots: int) -> ParseMarks:
        path = cls.beside(database)
        try:
            with path.open("w+b") as file:
                # Written, not truncated to this size: a full disk is an error here. At the first touch
                # of a mapped page without a block it would be a SIGBUS without a message.
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
        """Remove the marks: the run did not crash."""
        self._memory.close()
        with contextlib.suppress(OSError):
            self._path.unlink()


async def judge_last_run(
    database: Database, marked: Sequence[CanonicalUrl], *, generation: int
) -> list[CanonicalUrl]:
    """Update the crash count, inside the opening transaction. Returns the pages to parse last, alone.

    `marked` are the URLs whose parse mark survived the last run. A page that reaches MAX_CRASHES is
    failed with the reason `poison` and is not returned.
    """
    last = await database.row(sql.LAST_RUN)
    if last is None or last[0] or not marked:
        await database.run(sql.SET_CRASH_COUNT, {"url": None, "crashes": 0})
        return []
    crashes = 0
    if len(marked) == 1 and not last[1]:
        url, before = await database.row(sql.FIND_CRASH_COUNT)
        crashes = before + 1 if url == marked[0] else 1
    await database.run(sql.SET_CRASH_COUNT, {"url": marked[0], "crashes": crashes})
    if crashes < MAX_CRASHES:
        return list(marked)
    await _fail(database, marked[0], generation)
    return []


async def _fail(database: Database, url: CanonicalUrl, generation: int) -> None:
    _, host, path = split(url)
    places = json.dumps([(host, digest_of_path(path))])
    for number, *_, name, secure, path, kind in await database.rows(sql.FIND_URLS, {"places": places}):
        if key_of(unsplit(secure, name, path), kind) == url:
            await database.run(sql.FAIL_POISON_URL, {"id": number})
            await database.run(sql.ADD_POISON_PAGE, {"id": number, "generation": generation})
