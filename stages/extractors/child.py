"""Child: the program of a parser process. Reads documents from a socket, writes what it read in them.

May touch: standard input (a socket), resource limits. Started by `children.py`, nobody else.

It owns nothing worth saving: it may be killed at any moment, and it ends by itself when
its parent has gone, whose end of the socket then is closed.

Frames, both ways: four bytes of length (network order), then a marshalled tuple. Marshal,
because both ends are the same interpreter, and it is ten times as fast as pickle.
"""

from __future__ import annotations

import gc
import marshal
import signal
import socket
import struct
import sys
from typing import Any

from stages.extractors.html import HtmlExtractor

LENGTH = struct.Struct("!I")
LONGEST = 12  # seconds for one document; the parent's own deadline comes first, if it still lives


def main() -> None:
    """Serve until the parent closes its end. argv[1]: bytes of address space above the start's."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    _limit_memory(int(sys.argv[1]))
    extractor = HtmlExtractor()
    gc.freeze()  # no cycles come of reading a page, so there is no need to look for them often
    gc.set_threshold(10_000, 10, 10)
    with socket.socket(fileno=sys.stdin.fileno()) as parent:
        while (frame := _receive(parent)) is not None:
            _must_end_within(LONGEST)
            kind, url, charset, nofollow, body = marshal.loads(frame)
            if kind == "sitemap":
                from stages.extractors.sitemap import read_sitemap  # most children never see one

                sitemap = read_sitemap(body, url=url, charset=charset)
                fields: Any = (
                    sitemap.kind,
                    list(sitemap.locations),
                    list(sitemap.lastmods),
                    sitemap.error,
                    sitemap.too_long,
                    sitemap.other,
                )
            else:
                content = extractor.extract(body, url=url, charset=charset, nofollow=nofollow)
                fields = (
                    [tuple(link) for link in content.links],
                    content.title,
                    content.canonical,
                    content.language,
                    content.robots,
                    content.other_links,
                    content.long_links,
                )
            _must_end_within(0)
            answer = marshal.dumps(fields)
            parent.sendall(LENGTH.pack(len(answer)) + answer)


def _must_end_within(seconds: int) -> None:
    """Have the system end this process then (0: not any more), for nobody may be left to do it."""
    if hasattr(signal, "alarm"):
        signal.alarm(seconds)


def _receive(parent: socket.socket) -> bytes | None:
    """One frame; None when the parent has gone."""
    head = _exactly(parent, LENGTH.size)
    return None if head is None else _exactly(parent, LENGTH.unpack(head)[0])


def _exactly(parent: socket.socket, count: int) -> bytes | None:
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
    return bytes(data)


def _limit_memory(headroom: int) -> None:
    """A page that needs more than `headroom` bytes to parse kills this process, not the machine."""
    try:
        import resource

        with open("/proc/self/statm", encoding="ascii") as file:
            now = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + headroom, now + headroom))
    except (ImportError, OSError, ValueError):
        return  # no such limit on this system; the deadline still holds


def unpack(frame: bytes) -> Any:
    """The fields of an answer, in the order in which `main` writes them."""
    return marshal.loads(frame)


if __name__ == "__main__":
    main()
