"""Outlet: the files that a command was asked to write. They appear whole, or not at all.

May touch: the file system, standard output.

A file is written under another name in the same folder and gets its own at the end, so
that whoever looks sees the old one or the new one. What is no regular file (a pipe, a
device) is written to as it is.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from penstock.crawler.errors import BadQuery, PenstockError

_SQLITE = b"SQLite format 3\0"
MANY_FILES = "this is too much for one file of the format: name a file, and parts go beside it"
_BESIDE_A_DATABASE = ("-wal", "-shm", "-journal", "-lock")


class AtomicOutput:
    """A main file and perhaps parts beside it. Made by `outlet` and `stdout`."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.name = target.name
        self.alone = target.exists() and not target.is_file()  # a pipe or a device: nothing goes beside it
        self._open: list[tuple[BinaryIO, Path, Path]] = []  # the file, its present name, its last one

    def main(self) -> BinaryIO:
        return self._begin(self.target)

    def part(self, name: str) -> BinaryIO:
        """One more file, named from the main one's folder; the folder it is in must be there."""
        if self.alone:
            raise BadQuery(MANY_FILES)
        return self._begin(self.target.parent / name)

    def _begin(self, path: Path) -> BinaryIO:
        check_target(path)
        if self.alone:
            return self._keep(path.open("wb"), path, path)
        beside = path.with_name(f".{path.name}.{os.getpid()}.part")
        # O_EXCL: no link that somebody laid there is followed. 0o666: as the umask has it.
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        return self._keep(os.fdopen(descriptor, "wb"), beside, path)

    def _keep(self, file: BinaryIO, now: Path, then: Path) -> BinaryIO:
        self._open.append((file, now, then))
        return file

    def commit(self) -> int:
        """Give every file its name, the main one last; return their bytes."""
        size = 0
        for file, now, then in self._open:
            file.flush()
            if now != then:
                size += file.tell()
                os.fsync(file.fileno())
            file.close()
        for _, now, then in sorted(self._open, key=lambda item: item[2] == self.target):
            if now != then:
                os.replace(now, then)
        return size

    def discard(self) -> None:
        for file, now, then in self._open:
            with contextlib.suppress(OSError):
                file.close()
            if now != then:
                with contextlib.suppress(OSError):
                    now.unlink()


@contextlib.contextmanager
def open_output(target: Path) -> Iterator[AtomicOutput]:
    """Files for a block; whatever ends it early leaves what was there before."""
    # A link stays what it is, and what it leads to is replaced; the link in /dev/stdout above all.
    files = AtomicOutput(target.resolve() if target.is_file() else target)
    try:
        yield files
    except BaseException as error:
        files.discard()
        if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
            raise PenstockError(f"cannot write {target}: {error.strerror or error}") from error
        raise


def check_target(path: Path) -> None:
    """Raises BadQuery where a result would destroy a crawl, or has no place.

    It opens the file, so ask before the database is opened: closing a descriptor of a
    file drops the locks that SQLite holds on it in this process.
    """
    try:
        if path.is_dir():
            raise BadQuery(f"{path} is a folder: name a file")
        if path.name.endswith(_BESIDE_A_DATABASE):
            raise BadQuery(f"{path} has the name of a file that belongs to a database: name another file")
        if not path.parent.is_dir():
            raise BadQuery(f"the folder of {path} does not exist")
        if path.exists() and stat.S_ISREG(path.stat().st_mode):
            with path.open("rb") as file:
                if file.read(len(_SQLITE)) == _SQLITE:
                    raise BadQuery(f"{path} is a database, and would be overwritten: name another file")
    except (OSError, ValueError) as error:
        raise BadQuery(f"cannot write {path}: {getattr(error, 'strerror', None) or error}") from error


class Stdout:
    """Standard output in the place of a file."""

    name = "-"
    alone = True

    def main(self) -> BinaryIO:
        return sys.stdout.buffer

    def part(self, name: str) -> BinaryIO:
        raise BadQuery(MANY_FILES)
