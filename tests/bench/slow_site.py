"""Slow site: a tree of pages behind a server that holds every answer back. A process of its own.

The server is raw asyncio, so that it costs a small part of what any crawler does. It notes
when each request arrived and when it was answered, and tells at the end.

    python -m tests.bench.slow_site --pages 5000 --delay 0.05      (ends when stdin does)
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from tests.bench.process import ROOT

END = b"\r\n\r\n"
OPEN_FILES = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What the site looks like."""

    pages: int = 5_000
    page_bytes: int = 10_000
    fan_out: int = 64  # children of a page; the higher, the sooner a crawler has enough to ask for
    delay: float = 0.0  # seconds from a request to its answer
    hosts: int = 1  # loopback addresses that share the pages
    port: int = 8899

    def url(self, number: int) -> str:
        return f"http://127.0.8.{1 + number % self.hosts}:{self.port}/{number}.html"

    def page(self, number: int) -> bytes:
        """An answer, head and all."""
        first = number * self.fan_out + 1
        children = range(first, min(first + self.fan_out, self.pages))
        links = "\n".join(f'<li><a href="{self.url(child)}">Page {child}</a>' for child in children)
        html = f"<!doctype html><title>Page {number}</title><ul>{links}</ul>"
        html = html.ljust(self.page_bytes - 1).replace("  ", " .") + "\n"
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(html)}"
        return f"{head}\r\n\r\n{html}".encode()


class Visits(NamedTuple):
    """When requests came and were answered, in seconds of one clock, each in order."""

    arrived: list[float]
    answered: list[float]


class _Connection(asyncio.Protocol):
    def __init__(self, shape: Shape, visits: Visits) -> None:
        self._shape = shape
        self._visits = visits
        self._loop = asyncio.get_running_loop()
        self._unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        *requests, self._unread = (self._unread + data).split(END)
        for request in requests:
            self._visits.arrived.append(time.monotonic())
            path = request.split(b" ", 2)[1]
            self._loop.call_later(self._shape.delay, self._answer, path)

    def _answer(self, path: bytes) -> None:
        name = path[1:].removesuffix(b".html")
        if name.isdigit() and int(name) < self._shape.pages:
            self._transport.write(self._shape.page(int(name)))
            self._visits.answered.append(time.monotonic())
        else:
            self._transport.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")


async def _serve(shape: Shape) -> Visits:
    visits = Visits([], [])
    loop = asyncio.get_running_loop()
    for host in range(shape.hosts):
        await loop.create_server(
            lambda: _Connection(shape, visits), f"127.0.8.{host + 1}", shape.port, backlog=4_096
        )
    print("ready", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    return visits


class SlowSite:
    """A running server, as its user sees it. Made by `running`."""

    def __init__(self, shape: Shape, process: subprocess.Popen[str]) -> None:
        self.url = shape.url(0)
        self._process = process

    def stop(self) -> Visits:
        said, _ = self._process.communicate("")
        return Visits(**json.loads(said))


@contextmanager
def running(shape: Shape) -> Iterator[SlowSite]:
    """Start a server of `shape`; it has ended when the context has."""
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in asdict(shape).items()]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.slow_site", *flags],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise SystemExit("the slow site did not start; is its port in use?")
        yield SlowSite(shape, process)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def allow_many_files() -> None:
    """A thousand connections need more descriptors than many systems allow at first."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < OPEN_FILES:
        wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def add_shape_flags(parser: argparse.ArgumentParser) -> None:
    defaults: dict[str, Any] = asdict(Shape())
    for name, value in defaults.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)


def shape_of(options: argparse.Namespace) -> Shape:
    return Shape(**{name: getattr(options, name) for name in asdict(Shape())})


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve a slow tree of pages until stdin ends.")
    add_shape_flags(parser)
    allow_many_files()
    visits = asyncio.run(_serve(shape_of(parser.parse_args())))
    print(json.dumps(visits._asdict()))


if __name__ == "__main__":
    main()
