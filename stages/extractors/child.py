"""Child: the program of a parser process. Reads documents from a socket, writes what it read in them.

May touch: standard input (a socket), resource limits. Started by `children.py`, nobody else.

It owns nothing worth saving: it may be killed at any moment, and it ends by itself when
its parent has gone, whose end of the socket then is closed.

Frames, both ways: four bytes of length (network order), then a marshalled tuple. Marshal,
because both ends are the same interpreter, and it is ten times as fast as pickle. The
first frame is the plan of what is wanted of each page, or None; an empty frame answers
it, once all is loaded.
"""

from __future__ import annotations

import gc
import marshal
import signal
import socket
import struct
import sys
from typing import TYPE_CHECKING, Any

from stages.extractors.frames import content_fields, sitemap_fields
from stages.extractors.html import HtmlExtractor

if TYPE_CHECKING:
    from stages.extractors.harvest import Harvester

LENGTH = struct.Struct("!I")
LONGEST = 25  # seconds for one document; the parent's own deadline comes first, if it still lives


def main() -> None:
    """Serve until the parent closes its end.

    argv: seconds of processor time for one document, bytes of address space above the start's.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    cpu_seconds = float(sys.argv[1])
    with socket.socket(fileno=sys.stdin.fileno()) as parent:
        if (plan := _receive(parent)) is None:
            return
        # First the plugins, then the limit: what they import is not the pages' doing.
        wire = marshal.loads(plan)
        extractor = HtmlExtractor(harvester=_harvester(wire) if wire is not None else None)
        _limit_memory(int(sys.argv[2]))
        gc.freeze()  # no cycles come of reading a page, so there is no need to look for them often
        gc.set_threshold(10_000, 10, 10)
        parent.sendall(LENGTH.pack(0))
        while (frame := _receive(parent)) is not None:
            _must_end_within(LONGEST, cpu_seconds)
            kind, url, charset, nofollow, body = marshal.loads(frame)
            del frame  # a second copy of the body
            if kind == "sitemap":
                from stages.extractors.sitemap import read_sitemap  # most children never see one

                fields = sitemap_fields(read_sitemap(body, url=url, charset=charset))
            else:
                content = extractor.extract(body, url=url, charset=charset, nofollow=nofollow)
                fields = content_fields(content)
            _must_end_within(0, 0.0)
            answer = marshal.dumps(fields)
            parent.sendall(LENGTH.pack(len(answer)) + answer)


def _harvester(wire: Any) -> Harvester:
    from stages.extractors.harvest import unwire  # slow to load, and most crawls want nothing of it

    return unwire(wire)


def _must_end_within(seconds: int, cpu_seconds: float) -> None:
    """Have the system end this process then (0: not any more): by SIGPROF when it has used so much
    processor time, and by SIGALRM if nobody is left who would end it."""
    if hasattr(signal, "setitimer"):
        signal.alarm(seconds)
        signal.setitimer(signal.ITIMER_PROF, cpu_seconds)


def _receive(parent: socket.socket) -> bytearray | None:
    """One frame; None when the parent has gone."""
    head = _exactly(parent, LENGTH.size)
    return None if head is None else _exactly(parent, LENGTH.unpack(head)[0])


def _exactly(parent: socket.socket, count: int) -> bytearray | None:
    data = bytearray(count)
    view = memoryview(data)
    while view:
        try:
            got = parent.recv_into(view)
        except ConnectionError:
            return None
        if not got:
            return None
        view = view[got:]
    return data


def _limit_memory(headroom: int) -> None:
    """A page that needs more than `headroom` bytes to parse kills this process, not the machine."""
    try:
        import resource

        with open("/proc/self/statm", encoding="ascii") as file:
            now = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + headroom, now + headroom))
    except (ImportError, OSError, ValueError):
        return  # no such limit on this system; the deadline still holds


if __name__ == "__main__":
    main()
