"""Worker main: the program of a parser process. Reads documents from a socket, writes what is in them.

May touch: standard input (a socket), shared buffers, resource limits. Only `worker_pool` starts it.

It owns nothing worth saving: it may be killed at any moment, and it ends by itself when its parent
has gone, because the parent's end of the socket is then closed.

The first message is the plan of what is wanted of each page, or nothing. The worker answers it with
an empty message once all is loaded. Each request then has one answer, in order.
"""

from __future__ import annotations

import gc
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO

from penstock.crawler.engine.malloc import Excess, tune_allocator
from penstock.crawler.messages import Document
from penstock.stages.extractors import BUILT_IN, checked_reader, import_kind
from penstock.stages.extractors import html as html_module
from penstock.stages.extractors.html import HtmlExtractor
from penstock.stages.workers.wire import (
    LENGTH,
    SITEMAP,
    ContentAnswer,
    Failure,
    Request,
    SitemapAnswer,
    encode,
    request_reader,
)

if TYPE_CHECKING:
    from penstock.crawler.messages import Content

LONGEST = 25  # seconds for one document; the parent's own deadline comes first, if it still lives
_MOST_KEPT_BYTES = 48 << 20  # memory that a document took beyond this is given back after it


def main() -> None:
    """Serve until the parent closes its end.

    argv: seconds of processor time for one document, bytes of address space above the start's,
    the descriptor of the shared buffers, if there are any.
    """
    sys.modules.pop("typing_extensions", None)  # plugins may have a use for it
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    cpu_seconds, headroom = float(sys.argv[1]), int(sys.argv[2])
    tune_allocator()
    read_request = request_reader(int(sys.argv[3]) if len(sys.argv) > 3 else None)
    # Not the socket module, which takes 5 ms to load: a descriptor can be read and written without it.
    with open(0, "rb") as parent, open(0, "wb", closefd=False) as answers:
        if (plan := _receive(parent)) is None:
            return
        # First the plugins, then the limit: what they import is not counted as a page's memory.
        kinds: dict[str, Callable[[Document], Content | None]] = {html_module.__name__: _html(plan).read}
        _limit_memory(headroom)
        gc.freeze()  # reading a page leaves no cycles, so there is no need to look for them often
        gc.set_threshold(10_000, 10, 10)
        gc.enable()
        excess = Excess(_MOST_KEPT_BYTES)
        _send(answers, b"")
        while (message := _receive(parent)) is not None:
            request = read_request(message)
            del message  # a second copy of the body
            if request.where not in kinds and request.where != SITEMAP:
                kinds[request.where] = _imported(request.where)
                _limit_memory(headroom)
            _end_within(LONGEST, cpu_seconds)
            answer = _read(kinds, request)
            del request
            _end_within(0, 0.0)
            excess.give_back()
            _send(answers, answer)


def _html(plan: bytes) -> HtmlExtractor:
    if not plan:
        return HtmlExtractor()
    # Slow to load, and most crawls want only links.
    from penstock.stages.extractors.fields.field_extractor import from_wire

    return HtmlExtractor(fields=from_wire(plan))


def _imported(where: str) -> Callable[[Document], Content | None]:
    """The reader of a kind of document; without it, what an import error says of each document."""
    try:
        try:
            read = import_kind(where).read
        except ImportError:
            import site  # this process may have been started without it, and the kind be found only so

            site.main()
            read = import_kind(where).read
        return read if where.startswith(BUILT_IN) else checked_reader(where, read)
    except Exception as error:
        failure = error

        def fail(document: Document) -> Content | None:
            raise failure

        return fail


def _read(kinds: dict[str, Callable[[Document], Content | None]], request: Request) -> bytes:
    """Read one document; the answer is encoded."""
    try:
        if request.where == SITEMAP:
            from penstock.stages.extractors.xml.sitemap import read_sitemap  # most workers never see one

            document = request.document
            sitemap = read_sitemap(document.body, url=document.url, charset=document.charset)
            return encode(SitemapAnswer(sitemap))
        return encode(ContentAnswer(kinds[request.where](request.document)))
    except MemoryError:
        raise  # more than this process may take: it ends, and the document may be tried with more
    except Exception as error:
        import traceback

        failure = Failure(type(error).__name__, traceback.format_exc().encode("utf-8", "replace").decode())
        return encode(ContentAnswer(None, failure))


def _end_within(seconds: int, cpu_seconds: float) -> None:
    """Have the system end this process then (0: cancel): by SIGPROF when it has used this much
    processor time, and by SIGALRM if no parent is left that would end it."""
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


def _send(parent: BinaryIO, message: bytes) -> None:
    parent.write(LENGTH.pack(len(message)) + message)
    parent.flush()


def _limit_memory(headroom: int) -> None:
    """A document that needs more than `headroom` bytes ends this process, not the machine.

    The limit is soft, so that it can move up when a library for a kind of document has been loaded.
    """
    try:
        import resource

        with open("/proc/self/statm", encoding="ascii") as file:
            now = int(file.read().split()[0]) * resource.getpagesize()
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (now + headroom, hard))
    except (ImportError, OSError, ValueError):
        return  # this system has no such limit; the deadline still holds
