"""Peers: what other crawlers need before they can run.

May touch: venv, pip, the Go compiler.

What has to be made is made at first use and kept in a cache folder: virtual environments, and
programs in Go. What has to be installed beforehand is named where it is absent. Go programs are
built without the network, in GOPATH mode, from libraries that the system packages; Debian's are
golang-go and golang-github-puerkitobio-goquery-dev.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from functools import cache
from pathlib import Path

CONTENDERS = Path(__file__).parent / "contenders"
DEBIAN_GOPATH = "/usr/share/gocode"  # Debian's Go policy: where the -dev packages put their sources
GOQUERY = "src/github.com/PuerkitoBio/goquery"

Maker = Callable[[Path], Path]  # from the cache folder to what a contender is started with
Lack = Callable[[], str | None]  # what is absent, in words


def this_python(_: Path) -> Path:
    return Path(sys.executable)


def environment(name: str) -> Maker:
    """The interpreter of a virtual environment with requirements-NAME.txt in it."""

    def make(kept: Path) -> Path:
        folder = kept / name
        python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        complete = folder / "complete"
        wanted = CONTENDERS / f"requirements-{name}.txt"
        if not complete.exists() or complete.read_text() != wanted.read_text():
            print(f"installing {name} in {folder}", file=sys.stderr)
            venv.create(folder, with_pip=True, clear=True)
            subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", wanted], check=True)
            complete.write_text(wanted.read_text())
        return python

    return make


def go_program(name: str) -> Maker:
    """The program of NAME.go. The compiler knows what has changed; it is asked once in each process."""

    @cache
    def make(kept: Path) -> Path:
        built = kept / "go" / name
        settings = {"GO111MODULE": "off", "GOPATH": _gopath(), "GOCACHE": str(kept / "go-build")}
        source = CONTENDERS / f"{name}.go"
        subprocess.run(["go", "build", "-o", built, source], env={**os.environ, **settings}, check=True)
        return built

    return make


def nothing() -> None:
    """What a contender lacks that needs nothing but this project."""


def program(name: str) -> Lack:
    return lambda: None if shutil.which(name) else f"{name} is not installed"


def go_and_goquery() -> str | None:
    if any((Path(folder) / GOQUERY).is_dir() for folder in _gopath().split(os.pathsep)):
        return program("go")()
    return program("go")() or f"no goquery in GOPATH ({_gopath()})"


def _gopath() -> str:
    return os.environ.get("GOPATH") or DEBIAN_GOPATH
