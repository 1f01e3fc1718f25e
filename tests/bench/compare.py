"""Compare: whole crawls of one site by several crawlers, side by side.

    python -m tests.bench.compare http://localhost/index.html --with penstock,bare,tuned --rounds 5

Every crawler is a process of its own, from its start to its end. They take turns, in another
order each round, so that a machine's moods hurt all alike; ratios are formed within a round,
and all that is shown is a median. `pages` is how many distinct URLs were requested, by
each crawler's own list, and `differ` how many of them are not in the baseline's list or are
missing from it: where that is not near nothing, the crawls were not the same work.

Peers get virtual environments or programs of their own, made at first use in --cache.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import sqlite3
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from penstock.crawler.urls import canonical
from tests.bench import peers, process
from tests.bench.process import ROOT
from tests.bench.slow_site import Shape, running

WGET2_IGNORES = "img,link,script,style,object,embed,video,audio,source,iframe,form"

Command = Sequence[str | Path]


class Job(NamedTuple):
    """What a contender is asked to do, and with what."""

    url: str
    folder: Path  # empty, for whatever it writes
    urls: Path  # the baseline's URLs, for who is given them beforehand
    program: Path  # the interpreter of its environment, or what was built
    trees: Sequence[Path]  # copies of the project: this one, and perhaps another

    @property
    def output(self) -> Path:
        return self.folder / "output"


@dataclass(frozen=True, slots=True)
class Contender:
    command: Callable[[Job], Command]
    made: peers.Maker = peers.this_python  # what it is started with
    lacks: peers.Lack = peers.nothing
    needs_list: bool = False
    good: tuple[int, ...] = (0,)  # what it may end with


def script(name: str, *, list_given: bool = False) -> Callable[[Job], Command]:
    def command(job: Job) -> Command:
        call: list[str | Path] = [job.program, "-m", f"tests.bench.contenders.{name}", job.url, job.output]
        return [*call, "--list", job.urls] if list_given else call

    return command


def penstock(tree: int, *flags: str) -> Callable[[Job], Command]:
    """Defaults, but for politeness: nothing that a promise rests on is turned off."""
    return lambda job: [
        job.program, job.trees[tree] / "run_crawl.py", "--seed", job.url, "--depth", "50", "--no-robots",
        "--throttle", "fixed", "--delay", "0", "--per-host", "64", "--fetchers", "64",
        "--progress", "none", "--db", job.output, *flags,
    ]  # fmt: skip


def built(job: Job) -> Command:
    return [job.program, job.url, job.output]


def wget2(job: Job) -> Command:
    """Mirrors files; of links it follows those in a and area, as the others do."""
    return [
        "wget2", "--no-config", "--recursive", "--level=50", "--robots=off", "--max-threads=64", "--tries=1",
        "--quiet", f"--ignore-tags={WGET2_IGNORES}", f"--stats-site=csv:{job.output}",
        f"--directory-prefix={job.folder}", job.url,
    ]  # fmt: skip


KNOWN = {
    "penstock": Contender(penstock(0)),
    "one-process": Contender(penstock(0, "--processes", "1")),
    "other": Contender(penstock(1)),
    "other-one-process": Contender(penstock(1, "--processes", "1")),
    "bare": Contender(script("bare")),
    "tuned": Contender(script("tuned")),
    "listed": Contender(script("tuned", list_given=True), needs_list=True),
    "two": Contender(script("two", list_given=True), needs_list=True),
    "scrapy": Contender(script("scrapy_crawlspider"), peers.environment("scrapy")),
    "scrapy-lean": Contender(script("scrapy_lean"), peers.environment("scrapy")),
    "crawlee": Contender(script("crawlee_parsel"), peers.environment("crawlee")),
    "scrapling": Contender(script("scrapling_spider"), peers.environment("scrapling")),
    "go": Contender(built, peers.go_program("gocrawl"), peers.go_and_goquery),
    "wget2": Contender(wget2, lacks=peers.program("wget2"), good=(0, 8)),  # 8: the server said no
}


NOTHING = process.Measured(0.0, 0.0, 0)


@dataclass(slots=True)
class Results:
    """All rounds of one contender."""

    runs: list[process.Measured] = field(default_factory=list)
    pages: list[int] = field(default_factory=list)
    differ: int = 0  # the most of any round
    start_up: process.Measured = NOTHING

    def rates(self) -> list[float]:
        """Pages per second, round by round."""
        return [
            pages / (run.wall_s - self.start_up.wall_s)
            for run, pages in zip(self.runs, self.pages, strict=True)
        ]

    def costs(self) -> list[float]:
        """Processor seconds per 1,000 pages, round by round."""
        return [
            1000 * (run.cpu_s - self.start_up.cpu_s) / pages
            for run, pages in zip(self.runs, self.pages, strict=True)
        ]


class Benchmark:
    """Runs contenders, each time in an empty folder."""

    def __init__(self, options: argparse.Namespace, work: Path) -> None:
        self._cache: Path = options.cache.resolve()
        self._trees = [ROOT, *([options.other.resolve()] if options.other else [])]
        self._timeout: float = options.timeout
        self._list = work / "urls"
        self._folder = work / "run"

    def run(self, name: str, url: str) -> tuple[process.Measured, set[str]]:
        """Let one contender crawl; return what it took and the URLs it requested."""
        contender = KNOWN[name]
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir()
        job = Job(url, self._folder, self._list, contender.made(self._cache), self._trees)
        measured = process.run(
            contender.command(job),
            cwd=self._folder,
            log=self._folder / "log",
            timeout=self._timeout,
            good=contender.good,
        )
        return measured, requested(job.output)

    def give(self, urls: Iterable[str]) -> None:
        """What the contenders that are given a list will find in it."""
        self._list.write_text("\n".join(sorted(urls)))


def requested(output: Path) -> set[str]:
    """The URLs that a contender asked for, in one spelling: they resolve links by different rules."""
    spelt = (canonical(url) or url for path in output.parent.glob("output*") for url in _urls_in(path))
    return set(spelt)


def _urls_in(path: Path) -> list[str]:
    if path.suffix in (".half0", ".half1") or path.name.endswith(("-wal", "-shm", "-lock")):
        return []
    with path.open("rb") as file:
        head = file.read(16)
    if head.startswith(b"SQLite"):
        database = sqlite3.connect(path)
        urls = [url for (url,) in database.execute("SELECT url FROM pages")]
        database.close()
        return urls
    with path.open(newline="", encoding="utf-8") as lines:
        if head.startswith(b"{"):
            return [json.loads(line)["url"] for line in lines]
        return [row["URL"] for row in csv.DictReader(lines)]


def compare(benchmark: Benchmark, names: Sequence[str], options: argparse.Namespace) -> dict[str, Results]:
    """Warm up, then let all crawl in turn."""
    results: dict[str, Results] = defaultdict(Results)
    if options.net:
        for name in names:
            results[name].start_up = start_up(benchmark, name)
    _, expected = benchmark.run(options.baseline, options.url)
    benchmark.give(expected)
    for name in names:
        benchmark.run(name, options.url)  # caches of compiled modules, of files, of the server
    for turn in range(options.rounds):
        for name in (*names[turn % len(names) :], *names[: turn % len(names)]):
            measured, urls = benchmark.run(name, options.url)
            found = results[name]
            found.runs.append(measured)
            found.pages.append(len(urls))
            found.differ = max(found.differ, len(urls ^ expected))
            print(f"{turn + 1} {name:12} {len(urls):6} {measured.wall_s:7.2f} s", file=sys.stderr)
    return results


def start_up(benchmark: Benchmark, name: str) -> process.Measured:
    """What a crawl of one page without links takes: the medians of five."""
    with running(Shape(pages=1)) as site:
        benchmark.give([site.url])
        runs = [benchmark.run(name, site.url)[0] for _ in range(5)]
    return process.Measured(
        statistics.median(run.wall_s for run in runs), statistics.median(run.cpu_s for run in runs), 0
    )


def table(results: dict[str, Results], names: Sequence[str], baseline: str) -> str:
    base = results[baseline]
    lines = [
        f"| crawler | pages | differ | pages/s | CPU s per 1,000 | peak MiB "
        f"| pages/s : {baseline} | CPU : {baseline} |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name in names:
        found = results[name]
        peak = statistics.median(run.peak_bytes for run in found.runs) / 2**20
        lines.append(
            f"| {name} | {max(found.pages)} | {found.differ} | {statistics.median(found.rates()):.0f} "
            f"| {statistics.median(found.costs()):.2f} | {peak:.0f} "
            f"| {_ratio(found.rates(), base.rates())} | {_ratio(found.costs(), base.costs())} |"
        )
    return "\n".join(lines)


def _ratio(mine: Sequence[float], theirs: Sequence[float]) -> str:
    return f"{statistics.median(a / b for a, b in zip(mine, theirs, strict=True)):.2f}"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Crawl one site with several crawlers; print a table.")
    parser.add_argument("url", help="where to start; only this host is crawled")
    parser.add_argument("--with", dest="names", default="penstock,bare,tuned", help=", ".join(KNOWN))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--baseline", default="tuned", help="whom to compare with; one of the above")
    parser.add_argument("--net", action="store_true", help="leave start-up out, as a one-page site shows it")
    parser.add_argument("--other", type=Path, help="another copy of the project, for the contender `other`")
    parser.add_argument("--timeout", type=float, default=600, help="seconds for one crawl")
    parser.add_argument("--cache", type=Path, default=process.CACHE)
    options = parser.parse_args()
    names = options.names.split(",")
    unknown = [name for name in [*names, options.baseline] if name not in KNOWN]
    if unknown:
        parser.error(f"no such contender: {', '.join(unknown)}")
    if KNOWN[options.baseline].needs_list:
        parser.error("the baseline finds the URLs itself; it cannot be given them")
    if any(name.startswith("other") for name in names) and not options.other:
        parser.error("the contenders `other...` need --other DIRECTORY")
    absent = {name: lack for name in [*names, options.baseline] if (lack := KNOWN[name].lacks())}
    if options.baseline in absent:
        parser.error(f"no baseline: {absent[options.baseline]}")
    for name, lack in absent.items():
        print(f"{name} left out: {lack}", file=sys.stderr)
    options.names = list(dict.fromkeys([name for name in names if name not in absent] + [options.baseline]))
    return options


def main() -> None:
    options = arguments()
    with tempfile.TemporaryDirectory() as folder:
        results = compare(Benchmark(options, Path(folder)), options.names, options)
    print(table(results, options.names, options.baseline))


if __name__ == "__main__":
    main()
