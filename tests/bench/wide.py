"""Wide: crawls of many hosts, against one server on many loopback addresses.

    python -m tests.bench.wide                    every scenario, one after the other
    python -m tests.bench.wide slow delay         some of them
    python -m tests.bench.wide --other OLD        each beside another checkout of the project, in turns

Each scenario is a whole crawl in a process of its own; the server runs in this one, so its time is not the
crawl's. What is shown is what the server saw: which pages, and when.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.process import ROOT

END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """So many hosts, the slow ones first, and how the crawl is called."""

    aim: str  # what the figure must reach
    hosts: int
    pages: int = 4  # of each host
    slow: int = 0  # of the hosts
    slow_seconds: float = 10.0
    seconds: float = 0.002  # that an answer of the others takes
    flags: Sequence[str] = ()
    files: int | None = None  # limit of open files
    redirects: bool = False  # each seed is a redirect to one more host
    at_most: float = 120.0  # seconds; the crawl is stopped then
    ends_when_fast_are_done: bool = False


SCENARIOS = {
    "slow": Scenario(
        aim="all fast pages within 15 s", hosts=2_000, slow=1_000, ends_when_fast_are_done=True, at_most=60.0
    ),
    "slower": Scenario(
        aim="all fast pages within a minute", hosts=10_000, pages=2, slow=2_000, ends_when_fast_are_done=True
    ),
    "delay": Scenario(
        aim="900 pages/s", hosts=10_000, flags=("--delay", "10", "--no-robots"), at_most=45.0, pages=9
    ),
    "files": Scenario(aim="all pages", hosts=4_000, pages=2, files=1_024),
    "few-files": Scenario(aim="all pages", hosts=10_000, pages=2, files=256),
    "plain": Scenario(aim="-", hosts=3_000, pages=1),
    "redirects": Scenario(aim="1.5 times the CPU of plain", hosts=3_000, pages=1, redirects=True),
    "many": Scenario(aim="-", hosts=10_000, pages=5),
}


@dataclass(slots=True)
class Seen:
    """What the server saw. Times are seconds since the first request."""

    began: float = 0.0
    pages: list[float] = field(default_factory=list)
    fast_pages: list[float] = field(default_factory=list)
    robots: int = 0


class Web(asyncio.Protocol):
    """One connection. The address that it came in on is the host."""

    def __init__(self, scenario: Scenario, seen: Seen) -> None:
        self._scenario, self._seen = scenario, seen
        self._unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        *_, high, middle, low = map(int, transport.get_extra_info("sockname")[0].split("."))
        self._number = (high * 250 + middle) * 250 + low - 1 - 250 * 250
        self._port = transport.get_extra_info("sockname")[1]

    def data_received(self, data: bytes) -> None:
        *requests, self._unread = (self._unread + data).split(END)
        loop = asyncio.get_running_loop()
        is_slow = self._number < self._scenario.slow
        for request in requests:
            self._seen.began = self._seen.began or time.monotonic()
            path = request.split(b" ", 2)[1].decode()
            wait = self._scenario.slow_seconds if is_slow else self._scenario.seconds
            loop.call_later(wait, self._answer, path, is_slow)

    def _answer(self, path: str, is_slow: bool) -> None:
        if path == "/robots.txt":
            self._seen.robots += 1
            self._send(404, b"")
            return
        if self._scenario.redirects and self._number < self._scenario.hosts:
            target = address(self._number + self._scenario.hosts, self._port)
            self._send(301, b"", f"Location: {target}\r\n")
            return
        now = time.monotonic() - self._seen.began
        self._seen.pages.append(now)
        if not is_slow:
            self._seen.fast_pages.append(now)
        links = "".join(f'<a href="/{page}">p</a>' for page in range(1, self._scenario.pages))
        self._send(200, f"<title>{path}</title>{links}".encode())

    def _send(self, status: int, body: bytes, headers: str = "") -> None:
        head = (
            f"HTTP/1.1 {status} x\r\nContent-Type: text/html\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
        )
        self._transport.write(head.encode() + body)


def address(number: int, port: int) -> str:
    high, rest = divmod(number, 250 * 250)
    return f"http://127.{1 + high}.{rest // 250}.{1 + rest % 250}:{port}/"


async def measure(name: str, scenario: Scenario, tree: Path) -> str:
    seen = Seen()
    server = await asyncio.get_running_loop().create_server(
        lambda: Web(scenario, seen), "0.0.0.0", 0, backlog=4_096
    )
    port = server.sockets[0].getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        seeds = Path(folder) / "seeds"
        seeds.write_text("\n".join(address(number, port) for number in range(scenario.hosts)))
        command = [sys.executable, "run_crawl.py", "--seeds", str(seeds), "--db", f"{folder}/crawl.db"]
        command += ["--depth", "1", "--progress", "none", "--log-level", "error", *scenario.flags]
        limit = f"ulimit -n {scenario.files} && " if scenario.files else ""
        began, before = time.monotonic(), os.times()
        process = await asyncio.create_subprocess_exec(
            *("sh", "-c", f'{limit}exec "$@"', "sh", *command), cwd=tree, stderr=asyncio.subprocess.DEVNULL
        )
        fast = (scenario.hosts - scenario.slow) * scenario.pages
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(scenario.at_most):
                while process.returncode is None:
                    await asyncio.sleep(0.1)
                    if scenario.ends_when_fast_are_done and len(seen.fast_pages) >= fast:
                        break
        wall = time.monotonic() - began
        if process.returncode is None:
            process.kill()
        await process.wait()
        after = os.times()
    server.close()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    last_fast = max(seen.fast_pages, default=0.0)
    half = [at for at in seen.pages if 15.0 <= at < 40.0]
    steady = f", {len(half) / 25:.0f} pages/s from 15 s to 40 s" if name == "delay" else ""
    return (
        f"{len(seen.pages):,} pages, {len(seen.fast_pages):,} of {fast:,} fast ones (the last after "
        f"{last_fast:.1f} s), {seen.robots:,} robots.txt, {wall:.1f} s, {cpu:.1f} CPU s{steady}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.wide", description=__doc__)
    parser.add_argument("scenarios", nargs="*", choices=[[], *SCENARIOS], metavar="SCENARIO")
    parser.add_argument("--other", type=Path, help="another checkout, measured in turns with this one")
    args = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 65_536)), hard))
    trees = {"this": ROOT} | ({"other": args.other} if args.other else {})
    for name in args.scenarios or SCENARIOS:
        scenario = SCENARIOS[name]
        for tree, path in trees.items():
            print(
                f"{name} ({tree}; {scenario.aim}): {asyncio.run(measure(name, scenario, path))}", flush=True
            )


if __name__ == "__main__":
    main()
