"""Shared buffers: memory that this process shares with a parser process, for the bodies it is to read.

May touch: memory that has no name, so that it goes with the last process that has it.

A body is copied here once and read there. Through a socket it would go in pieces, each of
them copied twice by the system, with both processes woken in between: 0.1 ms for 100 kB.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable

BUFFER_BYTES = 256 << 10  # a longer body goes through the socket


class SharedBuffers:
    """`count` places for one body each. Raises OSError. Takes memory only where a body has been."""

    def __init__(self, count: int) -> None:
        self.fd = os.memfd_create("penstock-bodies")
        os.ftruncate(self.fd, count * BUFFER_BYTES)
        self._memory = mmap.mmap(self.fd, count * BUFFER_BYTES)
        self._free = list(range(count))

    @classmethod
    def open(cls, count: int) -> SharedBuffers | None:
        """None where the system has no memory to share that is without a name."""
        return cls(count) if hasattr(os, "memfd_create") else None

    def put(self, body: bytes) -> int | None:
        """Copy a body to a free place, and say where; None if there is none for it."""
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


def buffer_reader(fd: int) -> Callable[[int, int], bytes]:
    """The other end: a function of a buffer and a length that copies a body from there."""
    memory = mmap.mmap(fd, 0, access=mmap.ACCESS_READ)
    return lambda buffer, count: memory[buffer * BUFFER_BYTES : buffer * BUFFER_BYTES + count]
