"""A million URLs: crawl, kill -9 half-way, resume; how long to the first fetch, how flat the memory.

`python -m tests.bench.million [--pages 1000000]`. The site is drawn on the fly by a server
process that answers in microseconds; everything is on loopback. Some ten minutes.
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
from multiprocessing.synchronize import Event
from pathlib import Path

import psutil

from tests.kit import COMMAND

FLAGS = ("--depth", "inf", "--no-robots", "--throttle", "fixed", "--per-host", "64", "--progress", "none")


class Tree(asyncio.Protocol):
    """Page n links to 4n+1 ... 4n+4, to its parent, and once across."""

    def __init__(self, pages: int) -> None:
        self._pages = pages
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


def serve(pages: int, port: int, ready: Event) -> None:
    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(lambda: Tree(pages), "127.0.0.1", port)
        ready.set()
        await server.serve_forever()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run())


@dataclass
class Run:
    """One process, watched from outside."""

    started: float = field(default_factory=time.monotonic)
    samples: list[tuple[int, float]] = field(default_factory=list)  # pages stored, MiB of all processes
    first_fetch_s: float | None = None

    @property
    def peak(self) -> float:
        return max((memory for _, memory in self.samples), default=0.0)


def stored(db: Path) -> int:
    try:
        with contextlib.closing(sqlite3.connect(f"file:{db}?mode=ro", uri=True)) as connection:
            return int(connection.execute("SELECT coalesce(sum(requests), 0) FROM runs").fetchone()[0])
    except sqlite3.Error:
        return 0


def watch(command: list[str], db: Path, *, kill_at: int | None) -> Run:
    """Run the command until it ends or until `kill_at` pages are stored; then kill -9."""
    before, run = stored(db), Run()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    family = psutil.Process(process.pid)
    while process.poll() is None:
        now = stored(db)
        if run.first_fetch_s is None and now > before:
            run.first_fetch_s = time.monotonic() - run.started
        with contextlib.suppress(psutil.Error):
            members = [family, *family.children(recursive=True)]
            run.samples.append((now, sum(p.memory_info().rss for p in members) / 2**20))
        if kill_at is not None and now >= kill_at:
            os.kill(process.pid, signal.SIGKILL)
        time.sleep(0.05 if run.first_fetch_s is None else 1.0)
    process.wait()
    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=1_000_000)
    parser.add_argument("--port", type=int, default=8917)
    args = parser.parse_args()
    ready = multiprocessing.Event()
    server = multiprocessing.Process(target=serve, args=(args.pages, args.port, ready), daemon=True)
    server.start()
    ready.wait(10)
    with tempfile.TemporaryDirectory() as folder:
        db = Path(folder) / "crawl.db"
        command = [*COMMAND, "--seed", f"http://127.0.0.1:{args.port}/p0", *FLAGS, "--db", str(db)]
        first = watch(command, db, kill_at=args.pages // 2)
        killed_at = stored(db)
        second = watch(command, db, kill_at=None)
        with contextlib.closing(sqlite3.connect(db)) as connection:
            [(urls, done)] = connection.execute("SELECT count(*), sum(state = 2) FROM url").fetchall()
            [(integrity,)] = connection.execute("PRAGMA integrity_check").fetchall()
        size = db.stat().st_size / 2**20
    server.terminate()
    flat = [m for n, m in (*first.samples, *second.samples) if 0.1 * args.pages < n < 0.9 * args.pages]
    print(f"pages {args.pages:,}: {urls:,} URLs, {done:,} done, integrity {integrity}, {size:,.0f} MiB")
    print(
        f"killed at {killed_at:,}; peak of the first run {first.peak:.0f} MiB, "
        f"of the second {second.peak:.0f} MiB"
    )
    print(
        f"first stored page {first.first_fetch_s:.2f} s after start, "
        f"{second.first_fetch_s:.2f} s after the resume"
    )
    print(f"memory between 10 % and 90 %: {min(flat):.0f} to {max(flat):.0f} MiB")
    for n, memory in (
        *first.samples[:: max(len(first.samples) // 8, 1)],
        *second.samples[:: max(len(second.samples) // 8, 1)],
    ):
        print(f"  {n:>9,} stored  {memory:6.1f} MiB")
    sys.exit(0 if urls == done == args.pages and integrity == "ok" else 1)


if __name__ == "__main__":
    main()
