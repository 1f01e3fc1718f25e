"""Throttle: whole crawls, with default settings, against servers of known capacity. Judged by the server.

    python -m tests.bench.throttle [--seconds 60]

The first ten seconds are the crawl's to find out. After them it should hold at least 85 %
of the server's best, a 95th percentile under twice the unloaded latency, under 1 % of 429s.
The last two rows: what seven hosts give beside an eighth that is as they are, and beside one
that takes ten seconds an answer; they should lose less than a tenth.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from tests.bench.process import ROOT
from tests.support.server_model import ServerModel, verdict

PORT = 8877
WARM = 10.0
FAN_OUT = 40


async def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.throttle", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="of each crawl")
    seconds = parser.parse_args(argv).seconds
    print(f"{'server':<34}{'best/s':>8}{'share':>8}{'p95':>7}{'429':>8}")
    for name, model in servers().items():
        await crawl([model], seconds)
        start = model.served[0].at
        seen = verdict(model, after=start + WARM, until=start + seconds - 1)
        share, slowest, refused = f"{seen.throughput:.2f}", f"{seen.slowest:.2f}x", f"{seen.refused:.2%}"
        print(f"{name:<34}{model.best:>8.1f}{share:>8}{slowest:>7}{refused:>8}", flush=True)
    alike = await others_beside(ServerModel(latency=0.5), seconds / 2)
    slow = await others_beside(ServerModel(latency=10.0), seconds / 2)
    print(
        f"seven hosts: {alike} pages beside another like them, {slow} beside a slow one ({slow / alike:.2f})"
    )


def servers() -> dict[str, ServerModel]:
    return {
        "1 request at once, 200 ms": ServerModel(latency=0.2, capacity=1),
        "4 requests at once, 100 ms": ServerModel(latency=0.1, capacity=4),
        "all requests at once, 100 ms": ServerModel(latency=0.1),
        "10 requests a second, 50 ms": ServerModel(latency=0.05, per_second=10),
        "50 requests a second, 50 ms": ServerModel(latency=0.05, per_second=50),
        "20 a second, 3 at once, 100 ms": ServerModel(latency=0.1, per_second=20, capacity=3),
    }


async def others_beside(eighth: ServerModel, seconds: float) -> int:
    models = [*(ServerModel(latency=0.5) for _ in range(7)), eighth]
    await crawl(models, seconds, "--fetchers", "32")
    return sum(one.status == 200 for model in models[:-1] for one in model.served)


async def crawl(models: Sequence[ServerModel], seconds: float, *flags: str) -> None:
    """Let the command crawl all of them at once for so long."""
    async with contextlib.AsyncExitStack() as stack:
        seeds: list[str] = []
        for number, model in enumerate(models):
            address = f"127.0.9.{number + 1}"
            await stack.enter_async_context(serving(model, address))
            seeds += ["--seed", f"http://{address}:{PORT}/0"]
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "run_crawl.py", *seeds, "--depth", "inf", "--no-traps", "--no-robots"),
            *("--db", str(folder / "crawl.db"), "--max-time", str(seconds), "--grace", "1", *flags),
            cwd=ROOT,
            stderr=asyncio.subprocess.DEVNULL,
        )
        await process.wait()


@asynccontextmanager
async def serving(model: ServerModel, address: str) -> AsyncIterator[None]:
    """An endless tree of small pages."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                request = await reader.readuntil(b"\r\n\r\n")
                writer.write(page(int(request.split(b" ", 2)[1][1:]), await model.answer()))
        writer.close()

    server = await asyncio.start_server(connected, address, PORT)
    try:
        yield
    finally:
        server.close()


def page(number: int, status: int) -> bytes:
    first = FAN_OUT * number + 1
    body = "".join(f'<a href="/{child}">{child}</a>' for child in range(first, first + FAN_OUT)).encode()
    head = f"HTTP/1.1 {status} -\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


if __name__ == "__main__":
    asyncio.run(main())
