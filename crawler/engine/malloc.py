"""Malloc: which freed memory the C library keeps, and which goes back to the system.

May touch: the C library's allocator, through ctypes. With another one than glibc's nothing happens.
Never: change the allocator of a program that uses Penstock as a library (see `tune_allocator`).

ctypes takes 3 ms to load, so it is loaded only when the first large block is needed.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

MAPPED_BYTES = 512 << 10  # blocks of this size or more go back to the system as soon as they are freed
KEPT_BYTES = 16 << 20  # free memory at the heap's end that is kept

_REUSED_BYTES = 4 << 20

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # mallopt(3)


_ours = False  # `tune_allocator` was called in this process


def tune_allocator() -> None:
    """Tune the allocator of this process, now and when the first large block is needed.

    The command and the parser processes call this. A library must not: the allocator belongs to
    the program that uses it.

    glibc learns how much freed memory to keep from the largest block that was freed, so one block
    of 4 MiB is enough. A crawl of 1,200 pages then faults 3,500 pages of memory in, not 10,000;
    a parser process spends half the time.
    """
    global _ours
    _ours = True
    bytes(_REUSED_BYTES)


def map_large_blocks() -> None:
    """From now on give every block of 512 KiB or more back to the system when it is freed.

    Does nothing unless `tune_allocator` was called. glibc begins like that, but raises the bound
    to the largest block that it ever freed: after one body of 10 MiB such bodies lie on the heap,
    where anything small behind them keeps them. With 64 of them in flight 207 MiB stayed
    allocated, of which 74 were in use.
    """
    if _ours:
        _set_mmap_threshold()


@cache
def _set_mmap_threshold() -> None:
    if (mallopt := _function("mallopt")) is not None:
        mallopt(_M_MMAP_THRESHOLD, MAPPED_BYTES)
        mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES)


def give_back() -> None:
    """Return all free memory of the heap to the system, in a few milliseconds."""
    if (trim := _function("malloc_trim")) is not None:
        trim(0)


class Excess:
    """Watches for memory beyond what this process has now and `allowed` bytes more."""

    def __init__(self, allowed: int) -> None:
        self._most = _resident() + allowed

    def give_back(self) -> None:
        """Return free memory to the system if the process holds more than it should.

        A call takes 1 us if the process never did, and 10 us if it does not now.
        """
        if _peak() > self._most and _resident() > self._most:
            give_back()


def _resident() -> int:
    """Bytes in memory; 0 if the system has no /proc."""
    try:
        with open("/proc/self/statm", "rb", buffering=0) as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")
    except (OSError, ValueError):
        return 0


def _peak() -> int:
    """The most bytes ever in memory; 0 if Python cannot tell."""
    try:
        import resource
    except ImportError:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10  # Linux: KiB


@cache
def _function(name: str) -> Any:
    try:
        import ctypes

        return getattr(ctypes.CDLL(None), name, None)
    except (ImportError, OSError, TypeError):  # a Python without it, or a system
        return None
