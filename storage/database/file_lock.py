"""File lock: one crawl per database file, and none after a kill.

May touch: fcntl or msvcrt, the file system.

A file beside the database is locked, not the database itself: closing any descriptor of
a file drops the process's POSIX locks on it, and those are what SQLite relies on. The
operating system drops our lock with the process, so a kill leaves nothing stale.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
from pathlib import Path

from penstock.crawler.errors import BadDatabase, DatabaseInUse

# Errors that mean another process holds the lock; any other is the file system's own.
_HELD = (errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK)


# A look at the lock (`is_held`) holds it for microseconds, which must not refuse a crawl.
_LOOKS, _PAUSE = 3, 0.02  # tries, and seconds between them


class FileLock:
    """An exclusive lock, held until `release` or the end of the process."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor

    @classmethod
    def acquire(cls, database: Path) -> FileLock:
        """Raises BadDatabase if another process holds it, or if the folder permits no files or no locks."""
        path = database.with_name(database.name + "-lock")
        while True:
            try:
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
            except OSError as error:
                raise BadDatabase(f"cannot write beside {database}: {error.strerror}") from error
            try:
                _lock_patiently(descriptor)
            except OSError as error:
                os.close(descriptor)
                if error.errno in _HELD:
                    raise DatabaseInUse(f"another crawl is running on {database}") from error
                with contextlib.suppress(OSError):
                    path.unlink()  # no process can hold it here
                raise BadDatabase(
                    f"cannot lock {path}: {error.strerror}; choose a --db on a disk of this machine"
                ) from error
            # The holder before us may have removed the name between our open and our lock.
            if _same_file(path, descriptor):
                return cls(path, descriptor)
            os.close(descriptor)

    def release(self) -> None:
        """Remove the file while the lock is held, then release it."""
        if self._descriptor < 0:
            return
        with contextlib.suppress(OSError):
            if sys.platform != "win32":
                self._path.unlink()
        os.close(self._descriptor)
        self._descriptor = -1


def is_held(database: Path) -> bool | None:
    """True while a process crawls into `database`, False if none does; None: the system does not say."""
    path = database.with_name(database.name + "-lock")
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    except OSError:
        try:  # of another user; a lock does not need the right to write
            descriptor = os.open(path, os.O_RDONLY)
        except OSError:
            return None
    try:
        _lock(descriptor)
    except OSError as error:
        return True if error.errno in _HELD else None
    finally:
        os.close(descriptor)
    return False


def _lock_patiently(descriptor: int) -> None:
    for _ in range(_LOOKS - 1):
        try:
            return _lock(descriptor)
        except OSError as error:
            if error.errno not in _HELD:
                raise
        time.sleep(_PAUSE)
    return _lock(descriptor)


def _same_file(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
