"""A million URLs: crawl, kill -9 half-way, resume; how long to the first fetch, how flat the memory.

`python -m tests.bench.million [--pages 1000000]`. The site is drawn on the fly by a server
process that answers in microseconds; everything is on loopback. Some ten minutes. Exit 1 if
a page is missing, or one of the limits below is not kept.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from pathlib import Path

import psutil

from tests.support.crawls import COMMAND

FLAGS = ("--depth", "inf", "--no-robots", "--throttle", "fixed", "--per-host", "64", "--progress", "none")


FIRST_FETCH_S = 3.0  # of a run, from its start
MORE_MEMORY = 1.1  # times the first run's peak, for the one that resumes
GROWTH = 1.1  # between 10 % and 90 % of the pages, not counting what a run begins with: a tenth of them


class Tree(asyncio.Protocol):
    """Page n links to 4n+1 ... 4n+4, to its parent, and once across."""

    def __init__(self, pages: int, asked: Synchronized[int]) -> None:
        self._pages = pages
        self._asked = asked
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head, self._buffer = self._buffer[:end], self._buffer[end + 4 :]
            number = int(head.split(b" ", 2)[1][2:] or 0)
            self._asked.value += 1
            self._transport.write(self._page(number))

    def _page(self, number: int) -> bytes:
        below = [child for child in range(4 * number + 1, 4 * number + 5) if child < self._pages]
        links = "".join(
            f'<a href="/p{n}">page {n % 977}</a> '
            for n in (*below, number // 4, number * 7919 % self._pages // 64)
        )
        body = f"<!doctype html><title>Page {number}</title>{links}".encode()
        head = "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: %d\r\n\r\n"
        return (head % len(body)).encode() + body


def serve(pages: int, port: int, ready: Event, asked: Synchronized[int]) -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Tree(pages, asked), "127.0.0.1", port)
        ready.set()
        await server.serve_forever()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run())


@dataclass
class Run:
    """One process, watched from outside."""

    started: float = field(default_factory=time.monotonic)
    samples: list[tuple[float, int, float]] = field(default_factory=list)  # s, pages stored, MiB of all
    first_fetch_s: float = float("inf")

    @property
    def peak(self) -> float:
        return max((memory for *_, memory in self.samples), default=0.0)

    def warm(self, pages: int) -> list[tuple[int, float]]:
        """Pages stored and memory, from when it has stored so many itself."""
        before = self.samples[0][1] if self.samples else 0
        return [(now, memory) for _, now, memory in self.samples if now > before + pages]


def stored(db: Path) -> int:
    try:
        with contextlib.closing(sqlite3.connect(f"file:{db}?mode=ro", uri=True)) as connection:
            return int(connection.execute("SELECT coalesce(sum(requests), 0) FROM runs").fetchone()[0])
    except sqlite3.Error:
        return 0


def watch(command: list[str], db: Path, asked: Synchronized[int], *, kill_at: int | None) -> Run:
    """Run the command until it ends or until `kill_at` pages are stored; then kill -9."""
    before, run = asked.value, Run()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    family = psutil.Process(process.pid)
    while process.poll() is None:
        if asked.value == before:
            time.sleep(0.005)
            continue
        at = time.monotonic() - run.started
        run.first_fetch_s = min(run.first_fetch_s, at)
        now = stored(db)
        with contextlib.suppress(psutil.Error):
            members = [family, *family.children(recursive=True)]
            run.samples.append((at, now, sum(p.memory_info().rss for p in members) / 2**20))
        if kill_at is not None and now >= kill_at:
            os.kill(process.pid, signal.SIGKILL)
        time.sleep(1.0)
    process.wait()
    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=1_000_000)
    parser.add_argument("--port", type=int, default=8917)
    args = parser.parse_args()
    ready, asked = multiprocessing.Event(), multiprocessing.Value("Q", lock=True)
    server = multiprocessing.Process(target=serve, args=(args.pages, args.port, ready, asked), daemon=True)
    server.start()
    ready.wait(10)
    with tempfile.TemporaryDirectory() as folder:
        db = Path(folder) / "crawl.db"
        command = [*COMMAND, "--seed", f"http://127.0.0.1:{args.port}/p0", *FLAGS, "--db", str(db)]
        first = watch(command, db, asked, kill_at=args.pages // 2)
        killed_at = stored(db)
        second = watch(command, db, asked, kill_at=None)
        with contextlib.closing(sqlite3.connect(db)) as connection:
            [(urls, done)] = connection.execute("SELECT count(*), sum(state = 2) FROM url").fetchall()
            [(integrity,)] = connection.execute("PRAGMA integrity_check").fetchall()
        size = db.stat().st_size / 2**20
    server.terminate()
    steady = [
        memory
        for pages, memory in (*first.warm(args.pages // 10), *second.warm(args.pages // 10))
        if 0.1 * args.pages < pages < 0.9 * args.pages
    ]
    print(f"pages {args.pages:,}: {urls:,} URLs, {done:,} done, integrity {integrity}, {size:,.0f} MiB")
    print(f"asked for {asked.value:,}; killed at {killed_at:,} stored")
    print(f"first fetch {first.first_fetch_s:.2f} s after start, {second.first_fetch_s:.2f} s of the resume")
    print(f"peak of the first run {first.peak:.0f} MiB, of the second {second.peak:.0f} MiB")
    print(f"memory between 10 % and 90 %: {min(steady):.0f} to {max(steady):.0f} MiB")
    for run in (first, second):
        for at, pages, memory in run.samples[:: max(len(run.samples) // 8, 1)]:
            print(f"  {at:6.0f} s  {pages:>9,} stored  {memory:6.1f} MiB")
    kept = {
        "every page once": urls == done == args.pages and integrity == "ok",
        "first fetch": second.first_fetch_s < FIRST_FETCH_S,
        "memory of the resume": second.peak < MORE_MEMORY * first.peak,
        "memory flat": max(steady) < GROWTH * min(steady),
    }
    print(*(f"{what}: {'kept' if so else 'MISSED'}" for what, so in kept.items()), sep="\n")
    sys.exit(0 if all(kept.values()) else 1)


if __name__ == "__main__":
    main()
