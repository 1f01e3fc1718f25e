"""Examples: run a page's blocks in order, and compare what they print with what the page shows."""

from __future__ import annotations

import difflib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp

from tests.docs import fork_server
from tests.docs.pages import Block
from tests.support.crawls import ROOT

PATIENCE = 60  # seconds a command may take
RUN = ("sh", "console", "python")


class Printed(NamedTuple):
    """A command's whole output and exit code."""

    text: str
    code: int


class Folder:
    """Where the blocks of one page run."""

    def __init__(self, path: Path, sites: Mapping[str, str], server: Path) -> None:
        self.path = path
        self.sites = sites
        shims = path / ".bin"
        shims.mkdir(parents=True)
        for name in ("penstock", "example"):
            (shims / name).write_text(fork_server.command(name, server))
            (shims / name).chmod(0o755)
        for name in ("python", "python3"):
            (shims / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
            (shims / name).chmod(0o755)
        (path / "run_crawl.py").symlink_to(ROOT / "run_crawl.py")
        places = [shims, sysconfig.get_path("scripts"), Path(aiohttp.__file__).parents[4] / "bin"]
        self.environment = {
            "PATH": os.pathsep.join([*map(str, places), os.environ["PATH"]]),
            "PYTHONPATH": os.pathsep.join((str(ROOT / ".src"), str(path))),
            "HOME": str(path),
            "COLUMNS": "100",
            "LC_ALL": "C.UTF-8",
        }

    def run(self, block: Block) -> Iterator[tuple[str, Printed, list[str]]]:
        """Run a block; yields each command, what it printed, and what the page shows for it."""
        if "file" in block.directives:
            self._write(block.directives["file"], self._to_loopback(block.text))
        elif block.language == "sh":
            yield block.text, self._bash(f"set -euo pipefail\n{block.text}"), []
        elif block.language == "console":
            for command, shown in block.commands():
                yield command, self._bash(command), shown
        elif block.language == "python":
            yield block.text, self._start([str(self.path / ".bin/example")], block.text), []

    def _write(self, name: str, text: str) -> None:
        if name.startswith("checkout/") and not (self.path / "checkout").exists():
            ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
            for source in (".src", "crawler", "stages", "storage"):
                shutil.copytree(ROOT / source, self.path / "checkout" / source, symlinks=True, ignore=ignored)
            shutil.copy(ROOT / "run_crawl.py", self.path / "checkout")
        (self.path / name).write_text(text)
        if name == "pyproject.toml":
            self._install(tomllib.loads(text)["project"])

    def _install(self, project: dict[str, Any]) -> None:
        """What `pip install .` would do: announce the entry points of the package."""
        folder = self.path / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n")
        groups = project["entry-points"].items()
        lines = [f"[{group}]\n{name} = {where}" for group, points in groups for name, where in points.items()]
        (folder / "entry_points.txt").write_text("\n".join(lines))

    def _bash(self, script: str) -> Printed:
        return self._start(["bash", "-c", self._to_loopback(script)])

    def _start(self, command: list[str], stdin: str = "") -> Printed:
        done = subprocess.run(
            command, cwd=self.path, env=self.environment, input=self._to_loopback(stdin), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE,
        )  # fmt: skip
        return Printed(self._from_loopback(done.stdout), done.returncode)

    def _to_loopback(self, text: str) -> str:
        for placeholder, base in self.sites.items():
            text = text.replace(placeholder, base)
        return text

    def _from_loopback(self, text: str) -> str:
        names: dict[str, str] = {}
        for name, base in self.sites.items():  # the first name of an address counts
            names.setdefault(base, name)
        for name, base in self.sites.items():
            names.setdefault(base.partition("://")[2], name.partition("://")[2])
        return realigned(text.replace(str(self.path), "/home/you"), names)


def is_run(block: Block) -> bool:
    missing = "needs" in block.directives and shutil.which(block.directives["needs"]) is None
    return (
        (block.language in RUN or "file" in block.directives)
        and not missing
        and "not run" not in block.directives
    )


def realigned(text: str, names: Mapping[str, str]) -> str:
    """Replace names, and set the columns of tables anew: a placeholder may be shorter."""

    def renamed(line: str) -> str:
        for old, new in names.items():
            line = line.replace(old, new)
        return line

    lines = text.splitlines()
    for number, line in enumerate(lines):
        if number and re.fullmatch(r"-+(  -+)*", line):
            columns = [match.span() for match in re.finditer("-+", line)]
            end = number + 1
            while end < len(lines) and lines[end].strip() and _fits(lines[end], columns):
                end += 1
            table = [
                [row[start : None if stop == len(line) else stop] for start, stop in columns]
                for row in (lines[number - 1], *lines[number + 1 : end])
            ]
            right = [_is_right(table, i, stop - start) for i, (start, stop) in enumerate(columns)]
            cells = [[renamed(cell.strip()) for cell in row] for row in table]
            widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
            made = [
                "  ".join(
                    cell.rjust(width) if is_right else cell.ljust(width)
                    for cell, width, is_right in zip(row, widths, right, strict=True)
                ).rstrip()
                for row in cells
            ]
            lines[number - 1 : end] = [made[0], "  ".join("-" * width for width in widths), *made[1:]]
    return "".join(f"{renamed(line).rstrip()}\n" for line in lines)


def _fits(line: str, columns: list[tuple[int, int]]) -> bool:
    """True if a line is a row of the table: nothing stands between its columns."""
    return all(not line[stop : stop + 2].strip() for _, stop in columns[:-1])


def _is_right(table: list[list[str]], column: int, width: int) -> bool:
    """True if a column is set to the right, as numbers are."""
    cells = [row[column] for row in table if row[column].strip()]
    return any(cell.startswith(" ") for cell in cells) and all(len(cell.rstrip()) == width for cell in cells)


_VARIES = (
    (re.compile(r"\d{4}-\d\d-\d\d[T ][\d:.]+Z?"), "<time>"),
    (re.compile(r"[\d,.]+ ?/s\b|\brate \S+"), "<rate>"),
    (re.compile(r"\b[\d,.]+ ?(?:s|ms|µs|min|h)\b"), "<duration>"),
    (re.compile(r"\b[\d,.]+ ?(?:B|KiB|MiB|GiB|bytes)\b"), "<size>"),
    (re.compile(r"\b\d+ ?%"), "<share>"),
    (re.compile(r"^( *bottleneck).*"), r"\1"),
    (re.compile(r"Penstock[ /]\d[\w.]*"), "Penstock <version>"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "<hash>"),
    (re.compile(r"[-─]{2,}|\s+"), " "),
)


def comparable(line: str, *, numbers: bool) -> str:
    """A line without what varies from run to run."""
    for pattern, to in _VARIES:
        line = pattern.sub(to, line)
    return (line if numbers else re.sub(r"[\d,.]+", "#", line)).strip()


def missing_lines(shown: list[str], printed: str, *, numbers: bool = True) -> list[str]:
    """How an output differs from what a page shows; where it shows `...`, any lines may stand."""
    if not shown:
        return []
    is_part = any(line.strip() == "..." for line in shown)
    wanted = [comparable(line, numbers=numbers) for line in shown if line.strip() not in ("", "...")]
    actual = [comparable(line, numbers=numbers) for line in printed.splitlines() if line.strip()]
    if not is_part:
        return [line for line in difflib.ndiff(wanted, actual) if line.startswith(("-", "+"))]
    rest = iter(actual)
    return [line for line in wanted if line not in rest]
