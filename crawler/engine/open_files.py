"""Open files: how many sockets this process may have, by the system's limit of open files.

May touch: the process's limit (`raise_limit`), the list of its open files.
Never: raise the limit of a program that uses Penstock as a library; the command alone does that.

Most shells allow 1,024 open files. A crawl of many hosts keeps an idle connection to each of them,
so it reaches that limit long before it reaches one of memory.
"""

from __future__ import annotations

import contextlib
import os

try:
    import resource
except ImportError:  # Windows, which has no such limit
    resource = None  # type: ignore[assignment]

WANTED_FILES = 65_536  # idle connections to as many hosts; a file more costs the kernel some 300 bytes
RESERVED_FILES = 64  # for the database, the log, name look-ups and new connections' second addresses
FILES_OF_A_PROCESS = 8  # pipes and shared memory between this process and a parser process
MIN_SOCKETS = 8

_MACOS_MAX_FILES = 10_240  # OPEN_MAX: a higher soft limit is refused even if the hard one is infinite


def raise_limit() -> None:
    """Raise the soft limit of open files towards the hard one, up to `WANTED_FILES`."""
    if resource is None:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= WANTED_FILES:
        return
    for wanted in (WANTED_FILES, _MACOS_MAX_FILES):
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with contextlib.suppress(OSError, ValueError):
            if limit > soft:
                resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
            return


def limit() -> int | None:
    """Return the soft limit of open files; None: there is none."""
    if resource is None:
        return None
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return None if soft == resource.RLIM_INFINITY else soft


def free_sockets(processes: int) -> int | None:
    """Return how many sockets may be open at once, beside all other files; None: any number.

    `processes`: those of the crawl, this one included; the others are not started yet.
    """
    if (most := limit()) is None:
        return None
    reserved = RESERVED_FILES + FILES_OF_A_PROCESS * processes
    return max(most - _open_files() - reserved, MIN_SOCKETS)


def _open_files() -> int:
    for folder in ("/proc/self/fd", "/dev/fd"):
        with contextlib.suppress(OSError):
            return len(os.listdir(folder))
    return 0
