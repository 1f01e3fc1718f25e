"""Small disks, and files and folders that may not be written to, also for root."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.fault import CannotTry


@contextmanager
def small_disk(folder: Path, size_kib: int) -> Iterator[Path]:
    """A file system in memory of so many KiB, mounted on a new folder within `folder`."""
    disk = folder / "disk"
    disk.mkdir()
    _do("mount", "-t", "tmpfs", "-o", f"size={size_kib}k", "penstock-faults", disk)
    try:
        yield disk
    finally:
        _do("umount", "-l", disk)


def enlarge(disk: Path, size_kib: int) -> None:
    _do("mount", "-o", f"remount,size={size_kib}k", disk)


@contextmanager
def sealed(path: Path) -> Iterator[None]:
    """Nobody may write to a file, or create and remove in a folder."""
    if os.geteuid() == 0:  # permission bits do not bind root
        _do("chattr", "+i", path)
        try:
            yield
        finally:
            _do("chattr", "-i", path)
        return
    mode = path.stat().st_mode
    path.chmod(mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
    try:
        yield
    finally:
        path.chmod(mode)


@contextmanager
def read_only_disk(folder: Path) -> Iterator[None]:
    """The folder as part of a file system that is mounted read-only."""
    _do("mount", "--bind", folder, folder)
    try:
        _do("mount", "-o", "remount,ro,bind", folder)
        yield
    finally:
        _do("umount", "-l", folder)


def _do(*words: str | Path) -> None:
    if shutil.which(str(words[0])) is None:
        raise CannotTry(f"{words[0]} is not installed")
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=30)
    if done.returncode:
        why = done.stderr.strip().partition("\n")[0].rpartition(": ")[2].partition(" while ")[0]
        raise CannotTry(f"{words[0]} is not permitted here: {why}")
