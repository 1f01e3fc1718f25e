"""Atomic output: files that a command writes. They appear completely or not at all.

May touch: the file system, standard output.

A file is written under a temporary name in the same folder and renamed at the end, so that a
reader sees the old file or the new one. A target that is not a regular file (a pipe, a device)
is written directly. A file that exists is replaced only where the person said so.
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
MANY_FILES = "the result needs several files: name a file, and the other parts are written beside it"
_BESIDE_A_DATABASE = ("-wal", "-shm", "-journal", "-lock")


class AtomicOutput:
    """A main file, and perhaps parts beside it. Made by `open_output`."""

    def __init__(self, target: Path, *, replace: bool) -> None:
        self.target = target
        self._replace = replace
        self.name = target.name
        self.alone = target.exists() and not target.is_file()  # a pipe or a device: no parts beside it
        self._open: list[tuple[BinaryIO, Path, Path]] = []  # file, temporary name, final name

    def main(self) -> BinaryIO:
        return self._begin(self.target)

    def part(self, name: str) -> BinaryIO:
        """One more file; the name is relative to the folder of the main file. Its folder must exist."""
        if self.alone:
            raise BadQuery(MANY_FILES)
        return self._begin(self.target.parent / name)

    def _begin(self, path: Path) -> BinaryIO:
        check_target(path, replace=self._replace)
        if self.alone:
            return self._keep(path.open("wb"), path, path)
        beside = path.with_name(f".{path.name}.{os.getpid()}.part")
        # O_EXCL: a link planted under this name is not followed. 0o666: the umask applies.
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        return self._keep(os.fdopen(descriptor, "wb"), beside, path)

    def _keep(self, file: BinaryIO, now: Path, then: Path) -> BinaryIO:
        self._open.append((file, now, then))
        return file

    def commit(self) -> int:
        """Rename every file to its final name, the main file last. Returns their bytes."""
        size = 0
        for file, now, then in self._open:
            file.flush()
            if now != then:
                size += file.tell()
                os.fsync(file.fileno())
            file.close()
        renamed = [
            (now, then)
            for _, now, then in sorted(self._open, key=lambda item: item[2] == self.target)
            if now != then
        ]
        for _, then in renamed:
            check_target(then, replace=self._replace)  # it may have appeared meanwhile
        for now, then in renamed:
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
def open_output(target: Path, *, replace: bool) -> Iterator[AtomicOutput]:
    """Files for a block. An exception in it leaves the old files as they were.

    Raises BadQuery for a file that exists, unless `replace`.
    """
    # A link is kept and its target replaced; this matters most for /dev/stdout.
    files = AtomicOutput(target.resolve() if target.is_file() else target, replace=replace)
    try:
        yield files
    except BaseException as error:
        files.discard()
        if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
            raise PenstockError(f"cannot write {target}: {error.strerror or error}") from error
        raise


def check_target(path: Path, *, replace: bool) -> None:
    """Raise BadQuery if the path cannot be written, if a crawl would be overwritten, or, unless
    `replace`, any file.

    The file is opened here, so call this before the database is opened: closing a descriptor
    of a file drops the locks that SQLite holds on it in this process.
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
                    raise BadQuery(f"{path} is a database and would be overwritten: name another file")
            if not replace:
                raise BadQuery(f"{path} exists: name another file, or replace it with --force")
    except (OSError, ValueError) as error:
        raise BadQuery(f"cannot write {path}: {getattr(error, 'strerror', None) or error}") from error


class Stdout:
    """Standard output in place of a file."""

    name = "-"
    alone = True

    def main(self) -> BinaryIO:
        return sys.stdout.buffer

    def part(self, name: str) -> BinaryIO:
        raise BadQuery(MANY_FILES)
