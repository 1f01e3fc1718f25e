"""Latency: how close a crawl of a slow server comes to Little's law.

With every answer held back by D seconds, N connections can bring N / D pages per second and no
more. What is missing is time in which a connection had nothing to do: start-up, the first
levels of the tree, and whatever the crawler itself keeps it waiting for.

    python -m tests.bench.latency --delay 0.05 --connections 64
    python -m tests.bench.latency --delay 1 --connections 1000 --hosts 8 --pages 20000
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from tests.bench import process
from tests.bench.process import ROOT
from tests.bench.slow_site import Shape, Visits, add_shape_flags, allow_many_files, running, shape_of


class Shares(NamedTuple):
    """Parts of the possible rate that were reached."""

    process: float  # from the start of the process to its end
    server: float  # from the first request to the last answer, as the server saw it
    middle: float  # between the answers at 10 % and at 90 % of all


def shares(visits: Visits, wall_s: float, possible: float) -> Shares:
    answered = sorted(visits.answered)
    count = len(answered)
    tenth, nine_tenths = count // 10, count - count // 10 - 1
    return Shares(
        process=count / wall_s / possible,
        server=count / (answered[-1] - visits.arrived[0]) / possible,
        middle=(nine_tenths - tenth) / (answered[nine_tenths] - answered[tenth]) / possible,
    )


def crawl(shape: Shape, connections: int, tree: Path, folder: Path) -> tuple[Shares, process.Measured]:
    """Let Penstock crawl a site of this shape, in a process of its own."""
    with running(shape) as site:
        command = [
            sys.executable, str(tree / "run_crawl.py"), "--seed", site.url, "--db", str(folder / "crawl.db"),
            "--depth", "inf", "--scope", "any", "--no-robots", "--throttle", "fixed", "--delay", "0",
            "--fetchers", str(connections), "--per-host", str(-(-connections // shape.hosts)),
            "--progress", "none",
        ]  # fmt: skip
        measured = process.run(command, cwd=folder, log=folder / "log", timeout=600)
        visits = site.stop()
    if len(visits.answered) != shape.pages:
        raise SystemExit(f"{len(visits.answered)} answers for {shape.pages} pages")
    return shares(visits, measured.wall_s, connections / shape.delay), measured


def main() -> None:
    parser = argparse.ArgumentParser(description="Crawl a slow server; print the share of Little's law.")
    add_shape_flags(parser)
    parser.set_defaults(delay=0.05)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tree", type=Path, default=ROOT, help="another copy of the project")
    options = parser.parse_args()
    shape = shape_of(options)
    allow_many_files()
    found = []
    print(f"{shape.pages} pages, {shape.delay * 1000:g} ms, {options.connections} connections")
    print(" process  server  middle   wall s   CPU s  peak MiB")
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as folder:
            reached, measured = crawl(shape, options.connections, options.tree, Path(folder))
        row = (*reached, measured.wall_s, measured.cpu_s, measured.peak_bytes / 2**20)
        found.append(row)
        print("{:8.3f}{:8.3f}{:8.3f}{:9.2f}{:8.2f}{:10.0f}".format(*row))
    medians = [statistics.median(column) for column in zip(*found, strict=True)]
    print("{:8.3f}{:8.3f}{:8.3f}{:9.2f}{:8.2f}{:10.0f}  medians".format(*medians))


if __name__ == "__main__":
    main()
