"""Peers: what other crawlers need before they can run.

May touch: venv, pip.

What has to be made is made at first use and kept in a cache folder: virtual environments. What
has to be installed beforehand is named where it is absent.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

CONTENDERS = Path(__file__).parent / "contenders"

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


def nothing() -> None:
    """What a contender lacks that needs nothing but this project."""


def program(name: str) -> Lack:
    return lambda: None if shutil.which(name) else f"{name} is not installed"
