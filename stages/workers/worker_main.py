"""Worker main: the program of a parser process. Reads documents from a socket, writes what it read in them.

May touch: standard input (a socket), buffers, resource limits. Started by `worker_queue.py`, nobody else.

It owns nothing worth saving: it may be killed at any moment, and it ends by itself when
its parent has gone, whose end of the socket then is closed.

Frames, both ways. The first one is the plan (marshalled) of what is wanted of each
page, or None; an empty message answers it, once all is loaded. The last part of a request is
the body, or the buffer in which it lies and its length.
"""

from __future__ import annotations

import gc
import marshal
import signal
import sys
from typing import TYPE_CHECKING, Any, BinaryIO

from penstock.crawler.engine.malloc import Excess, tune_allocator
from penstock.stages.extractors.html import HtmlExtractor
from penstock.stages.workers.shared_buffers import buffer_reader
from penstock.stages.workers.wire import LENGTH, encode_content, encode_sitemap

if TYPE_CHECKING:
    from penstock.crawler.messages import CanonicalUrl
    from penstock.stages.extractors.fields.field_extractor import FieldExtractor

LONGEST = 25  # seconds for one document; the parent's own deadline comes first, if it still lives
_MOST_KEPT_BYTES = 48 << 20  # what a document took beyond is given back after it


def main() -> None:
    """Serve until the parent closes its end.

    argv: seconds of processor time for one document, bytes of address space above the start's,
    the descriptor of the buffers, if there are any.
    """
    sys.modules.pop("typing_extensions", None)  # plugins may have a use for it
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    cpu_seconds = float(sys.argv[1])
    tune_allocator()
    read_buffer = buffer_reader(int(sys.argv[3])) if len(sys.argv) > 3 else None
    # Not the socket module, which takes 5 ms to load: to read and to write a descriptor will do.
    with open(0, "rb") as parent, open(0, "wb", closefd=False) as answers:
        if (plan := _receive(parent)) is None:
            return
        # First the plugins, then the limit: what they import is not the pages' doing.
        wire = marshal.loads(plan)
        extractor = HtmlExtractor(fields=_field_extractor(wire) if wire is not None else None)
        _limit_memory(int(sys.argv[2]))
        gc.freeze()  # no cycles come of reading a page, so there is no need to look for them often
        gc.set_threshold(10_000, 10, 10)
        gc.enable()
        excess = Excess(_MOST_KEPT_BYTES)
        _answer(answers, b"")
        while (message := _receive(parent)) is not None:
            _must_end_within(LONGEST, cpu_seconds)
            kind, url, charset, nofollow, body = marshal.loads(message)
            del message  # a second copy of the body
            if read_buffer is not None and isinstance(body, tuple):
                body = read_buffer(*body)
            answer = _read(extractor, kind, url, charset, nofollow, body)
            del body
            _must_end_within(0, 0.0)
            excess.give_back()
            _answer(answers, answer)


def _read(
    extractor: HtmlExtractor, kind: str, url: CanonicalUrl, charset: str | None, nofollow: bool, body: bytes
) -> bytes:
    """What is in one document, as a message."""
    if kind == "sitemap":
        from penstock.stages.extractors.sitemap import read_sitemap  # most workers never see one

        return encode_sitemap(read_sitemap(body, url=url, charset=charset))
    return encode_content(extractor.extract(body, url=url, charset=charset, nofollow=nofollow))


def _field_extractor(wire: Any) -> FieldExtractor:
    from penstock.stages.extractors.fields.field_extractor import (
        from_wire,  # slow to load, and most crawls want nothing of it
    )

    return from_wire(wire)


def _must_end_within(seconds: int, cpu_seconds: float) -> None:
    """Have the system end this process then (0: not any more): by SIGPROF when it has used so much
    processor time, and by SIGALRM if nobody is left who would end it."""
    if hasattr(signal, "setitimer"):
        signal.alarm(seconds)
        signal.setitimer(signal.ITIMER_PROF, cpu_seconds)


def _receive(parent: BinaryIO) -> bytes | None:
    """One message; None when the parent has gone."""
    try:
        head = parent.read(LENGTH.size)
        if len(head) < LENGTH.size:
            return None
        message = parent.read(count := LENGTH.unpack(head)[0])
    except ConnectionError:
        return None
    return message if len(message) == count else None


def _answer(parent: BinaryIO, message: bytes) -> None:
    parent.write(LENGTH.pack(len(message)) + message)
    parent.flush()


def _limit_memory(headroom: int) -> None:
    """A page that needs more than `headroom` bytes to parse kills this process, not the machine."""
    try:
        import resource

        with open("/proc/self/statm", encoding="ascii") as file:
            now = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + headroom, now + headroom))
    except (ImportError, OSError, ValueError):
        return  # no such limit on this system; the deadline still holds
