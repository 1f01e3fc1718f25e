"""Profile: where the processor time of one crawl goes, by stage and by module.

    python -m tests.bench.profile http://localhost/index.html [--rate 500] [--top 15] [--raw FILE]

Samples all threads with py-spy, those alone that were running. A sample belongs to the innermost of
our own modules on its stack, so a library's time counts for whoever called it; what the
event loop does on nobody's behalf (reading sockets, parsing HTTP, switching tasks) is its own.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from tests.bench.process import ROOT, as_used

FRAME = re.compile(r"(?P<name>.*) \((?P<file>[^()]*?)(?::(?P<line>\d+))?\)\Z")

# The longest beginning of a module's path decides.
STAGES = {
    "stages/fetch": "fetch",
    "stages/fetchers/": "fetch",
    "stages/http/": "fetch",
    "crawler/engine/body_budget.py": "fetch",
    "stages/parse": "parse",
    "stages/extractors/": "parse",
    "stages/workers/": "parse",
    "crawler/urls.py": "parse",
    "stages/store": "store, in the loop",
    "storage/": "store, in the loop",
    "crawler/scheduler/discovery.py": "store, in the loop",
    "crawler/policies/": "store, in the loop",
    "crawler/scheduler/seen.py": "store, in the loop",
    "crawler/monitor/run_counts.py": "store, in the loop",
    "crawler/scheduler/frontier.py": "frontier",
    "crawler/scheduler/host_window.py": "frontier",
    "crawler/scheduler/robots_cache.py": "frontier",
    "storage/writing/frontier_store.py": "frontier",
    "crawler/engine/pool.py": "queues and workers",
    "crawler/engine/engine.py": "queues and workers",
    "crawler/": "app and command line",
    "run_crawl.py": "app and command line",
}
LOOP = "event loop, aiohttp"
START_UP = "start-up: imports"
SQLITE = "SQLite thread"
OTHER = "other"


class Frame(NamedTuple):
    name: str
    file: str


class Sample(NamedTuple):
    frames: list[Frame]  # outermost first; in the event loop only what it runs
    times: int
    thread: str  # START_UP, LOOP, SQLITE or OTHER


def read(raw: Iterable[str]) -> Iterator[Sample]:
    """py-spy's raw format: `frame;frame;frame count`."""
    for line in raw:
        stack, _, count = line.rpartition(" ")
        frames = [Frame(m["name"], m["file"]) for part in stack.split(";") if (m := FRAME.match(part))]
        names = [frame.name for frame in frames]
        if names and names[-1] != "_worker":  # a thread of an executor, waiting: py-spy takes it for busy
            yield _sample(frames, names, int(count))


def _sample(frames: list[Frame], names: list[str], count: int) -> Sample:
    if "_find_and_load" in names:
        return Sample(frames, count, START_UP)
    if "_connection_worker_thread" in names:
        return Sample(frames, count, SQLITE)
    if "BaseEventLoop.run_forever" in names:
        return Sample(frames[names.index("BaseEventLoop.run_forever") :], count, LOOP)
    return Sample(frames, count, OTHER)


def stage_of(sample: Sample) -> tuple[str, str]:
    """Whose time this is: the stage, and the module."""
    if sample.thread not in (START_UP, SQLITE):
        for frame in reversed(sample.frames):
            if (module := _module(frame.file)) is not None:
                key = max((key for key in STAGES if module.startswith(key)), key=len)
                return STAGES[key], module
    return sample.thread, _library(sample)


def _module(file: str) -> str | None:
    """The path of one of our own modules from the top of the tree, else None."""
    parts = Path(file).parts
    if "site-packages" in parts:
        return None
    for room in ("crawler", "stages", "storage"):
        if room in parts:
            return "/".join(parts[parts.index(room) :])
    return "run_crawl.py" if parts and parts[-1] == "run_crawl.py" else None


def _library(sample: Sample) -> str:
    """The package, or the module of the standard library, where the sample was taken."""
    parts = Path(sample.frames[-1].file).parts if sample.frames else ("?",)
    if "site-packages" in parts:
        return parts[parts.index("site-packages") + 1]
    return next((part for part in parts if part in ("asyncio", "json", "importlib")), parts[-1])


def report(samples: Iterable[Sample], top: int) -> str:
    stages: Counter[str] = Counter()
    modules: Counter[tuple[str, str]] = Counter()
    functions: Counter[str] = Counter()
    for sample in samples:
        stage, module = stage_of(sample)
        stages[stage] += sample.times
        modules[stage, module] += sample.times
        inner = next((frame for frame in reversed(sample.frames) if _module(frame.file)), None)
        if inner is not None and sample.thread in (LOOP, OTHER):
            functions[f"{_module(inner.file)}:{inner.name}"] += sample.times
    total = stages.total()
    lines = [f"{total} samples"]
    for stage, count in stages.most_common():
        lines.append(f"{count / total:6.1%}  {stage}")
        inside = Counter({module: n for (of, module), n in modules.items() if of == stage})
        lines += [f"        {n / total:6.1%}  {module}" for module, n in inside.most_common(8)]
    lines.append("\nour own functions, with the libraries that they call")
    lines += [f"{n / total:6.1%}  {name}" for name, n in functions.most_common(top)]
    return "\n".join(lines)


def record(url: str, rate: int, tree: Path, folder: Path) -> str:
    """Crawl under py-spy; return its raw output."""
    raw = folder / "raw"
    crawl = [
        sys.executable, str(tree / "run_crawl.py"), "--seed", url, "--depth", "50", "--no-robots",
        "--throttle", "fixed", "--delay", "0", "--per-host", "64", "--fetchers", "64",
        "--progress", "none", "--quiet", "--db", str(folder / "crawl.db"),
    ]  # fmt: skip
    beside = Path(sys.executable).with_name("py-spy")  # of a virtual environment that is not active
    py_spy = str(beside) if beside.exists() else "py-spy"
    spy = [py_spy, "record", "--format", "raw", "--full-filenames", "--nolineno", "--output", str(raw)]
    subprocess.run(
        [*spy, "--rate", str(rate), "--", *crawl], cwd=folder, env=as_used(), check=True, capture_output=True
    )
    return raw.read_text()


def main() -> None:
    parser = argparse.ArgumentParser(description="Profile one crawl, by stage.")
    parser.add_argument("url")
    parser.add_argument("--rate", type=int, default=500, help="samples per second")
    parser.add_argument("--top", type=int, default=20, help="functions to show")
    parser.add_argument("--raw", type=Path, help="keep py-spy's own output in this file")
    parser.add_argument("--tree", type=Path, default=ROOT, help="another copy of the project")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        raw = record(options.url, options.rate, options.tree.resolve(), Path(folder))
    if options.raw:
        options.raw.write_text(raw)
    print(report(read(raw.splitlines()), options.top))


if __name__ == "__main__":
    main()
