"""The product in a process of its own, with a trap set from outside: the product has no hooks.

    python -m tests.faults.trapped_crawl 'kill commit before 17' --seed URL --db FILE

A trap wraps functions of the product before its command runs:

    kill EVENT MOMENT K     SIGKILL itself before or after the K-th enqueue, dequeue, fetch,
                            statement or commit
    raise STAGE K           a bug at the K-th page of the stage fetch, parse or store
    refuse K OFTEN          the disk refuses the K-th commit: once, or for-good
    poison TEXT             SIGKILL itself whenever a page with TEXT in its URL is parsed
    offline K SECONDS       from the K-th fetch on there is no network, and no name is known
    clock K SECONDS         from the K-th fetch on (0: from the start) the wall clock is off
    count FILE              write down how often each event happened
    watch FILE              write down how full the queues and the byte budget became
"""

from __future__ import annotations

import asyncio
import errno
import functools
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

SLOW_TO_LOAD = (
    "penstock.crawler.library.crawl",
    "penstock.crawler.output.logs",
    "penstock.crawler.cli.crawl",
    "penstock.crawler.cli.live.progress",
    "penstock.crawler.cli.signals",
    "penstock.crawler.cli.summary",
    "penstock.crawler.cli.query",
    "penstock.crawler.cli.report",
    "penstock.crawler.cli.status",
    "penstock.crawler.cli.why",
    "penstock.storage.reading.crawl_reader",
)
EVENTS = ("enqueue", "dequeue", "fetch", "statement", "commit")

Notice = Callable[[str, str], None]  # an event, and "before" or "after"


def forked(words: list[str], trap: str, folder: str) -> NoReturn:
    """Be a command whose output goes to files in `folder`."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, name in ((1, "stdout"), (2, "stderr")):
        file = os.open(Path(folder, name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, number)
        os.close(file)
    run(words, trap)


def run(words: list[str], trap: str) -> NoReturn:
    name, *arguments = trap.split() or [""]
    if name:
        TRAPS[name](*arguments)
    from penstock.crawler.cli import main

    code = main(words)
    for call in _at_end:
        call()
    sys.exit(code)


_at_end: list[Callable[[], object]] = []  # not for a process that is killed


def wrap(owner: Any, name: str, before: Callable[..., None], after: Callable[[], None] | None = None) -> None:
    """Let an async method of the product call `before` with its arguments, and `after` at its end."""
    original = getattr(owner, name)

    @functools.wraps(original)
    async def wrapped(*args: Any, **options: Any) -> Any:
        before(*args)
        result = await original(*args, **options)
        if after is not None:
            after()
        return result

    setattr(owner, name, wrapped)


def notice_events(notice: Notice) -> None:
    """Have every event of a crawl noticed."""
    from penstock.stages.fetchers.plain import PlainFetcher
    from penstock.storage.database import batching

    def both(owner: Any, name: str, event: str) -> None:
        wrap(owner, name, lambda *_: notice(event, "before"), lambda: notice(event, "after"))

    both(asyncio.Queue, "put", "enqueue")
    both(asyncio.Queue, "get", "dequeue")
    both(PlainFetcher, "get", "fetch")
    execute = batching.execute

    def execute_noticed(connection: Any, statement: batching.Statement) -> list[Any]:
        events = ("statement", "commit") if statement.sql == "COMMIT" else ("statement",)
        for event in events:
            notice(event, "before")
        found = execute(connection, statement)
        for event in events:
            notice(event, "after")
        return found

    batching.execute = execute_noticed


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def kill(event: str, moment: str, position: str) -> None:
    left = int(position)

    def notice(this_event: str, this_moment: str) -> None:
        nonlocal left
        if (this_event, this_moment) == (event, moment):
            left -= 1
            if not left:
                die()

    notice_events(notice)


def count(file: str) -> None:
    happened: Counter[str] = Counter()

    def notice(event: str, moment: str) -> None:
        happened[event] += moment == "before"

    notice_events(notice)
    _at_end.append(lambda: Path(file).write_text(json.dumps(happened)))


def raise_error(stage: str, position: str) -> None:
    from penstock.stages.extractors.html import HtmlExtractor
    from penstock.stages.fetchers.plain import PlainFetcher
    from penstock.storage.writing.writer import Writer

    left = int(position)

    def fail(*args: Any) -> None:
        nonlocal left
        if stage == "fetch" and args[1].url.endswith("/robots.txt"):
            return
        left -= 1
        if not left:
            raise LookupError(f"a bug in {stage}")

    if stage == "parse":
        read = HtmlExtractor.read

        def broken(self: HtmlExtractor, *args: Any, **options: Any) -> Any:
            fail()
            return read(self, *args, **options)

        setattr(HtmlExtractor, "read", broken)  # noqa: B010
    else:
        owner, name = (PlainFetcher, "get") if stage == "fetch" else (Writer, "save")
        wrap(owner, name, fail)


def refuse(position: str, often: str) -> None:
    from penstock.crawler.errors import StorageFailed
    from penstock.storage.database import batching

    left, execute = int(position), batching.execute

    def execute_refused(connection: Any, statement: batching.Statement) -> list[Any]:
        nonlocal left
        left -= statement.sql == "COMMIT"
        if statement.sql == "COMMIT" and (left == 0 or (left < 0 and often == "for-good")):
            raise StorageFailed("the disk refuses this commit")
        return execute(connection, statement)

    batching.execute = execute_refused


def poison(text: str) -> None:
    from penstock.stages.extractors.html import HtmlExtractor

    read = HtmlExtractor.read

    def deadly(self: HtmlExtractor, document: Any) -> Any:
        if text in document.url:
            die()
        return read(self, document)

    setattr(HtmlExtractor, "read", deadly)  # noqa: B010


def clock(position: str, seconds: str) -> None:
    from penstock.stages.fetchers.plain import PlainFetcher

    left, true_time = int(position), time.time

    def jump(*_: Any) -> None:
        nonlocal left
        left -= 1

    wrap(PlainFetcher, "get", jump)
    setattr(time, "time", lambda: true_time() + (float(seconds) if left <= 0 else 0.0))  # noqa: B010


def offline(position: str, seconds: str) -> None:
    import socket

    from penstock.stages.fetchers.plain import PlainFetcher

    left, until = int(position), 0.0

    def leave(*_: Any) -> None:
        nonlocal left, until
        left -= 1
        if not left:
            until = time.monotonic() + float(seconds)

    def unless_offline(original: Any, error: OSError) -> Any:
        @functools.wraps(original)
        def reached(*args: Any, **options: Any) -> Any:
            if time.monotonic() < until:
                raise error
            return original(*args, **options)

        return reached

    wrap(PlainFetcher, "get", leave)
    nowhere = OSError(errno.ENETUNREACH, "Network is unreachable")
    loop: Any = asyncio.SelectorEventLoop
    loop.sock_connect = unless_offline(loop.sock_connect, nowhere)
    unknown = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
    socket.getaddrinfo = unless_offline(socket.getaddrinfo, unknown)


def watch(file: str) -> None:
    from penstock.crawler.engine.body_budget import BodyHold

    seen = {"over": 0, "queued": 0, "bytes": 0}
    put, take = asyncio.Queue.put_nowait, BodyHold.try_reserve

    def put_watched(self: asyncio.Queue[Any], item: Any) -> None:
        put(self, item)
        seen["queued"] = max(seen["queued"], self.qsize())
        seen["over"] += 0 < self.maxsize < self.qsize()

    def take_watched(self: BodyHold, count: int) -> bool:
        taken = take(self, count)
        seen["bytes"] = max(seen["bytes"], self._budget.peak)
        return taken

    setattr(asyncio.Queue, "put_nowait", put_watched)  # noqa: B010
    setattr(BodyHold, "try_reserve", take_watched)  # noqa: B010
    _at_end.append(lambda: Path(file).write_text(json.dumps(seen)))


TRAPS: dict[str, Callable[..., None]] = {
    "kill": kill,
    "raise": raise_error,
    "refuse": refuse,
    "poison": poison,
    "offline": offline,
    "clock": clock,
    "count": count,
    "watch": watch,
}

if __name__ == "__main__":
    run(sys.argv[2:], sys.argv[1])
