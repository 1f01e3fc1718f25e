"""Process: run one command and measure it, all its children included.

May touch: subprocess, psutil.

Processor time is the kernel's own account of the command and of every child it waited for;
memory is sampled, because the peak of a sum is not the sum of the peaks.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Container, Sequence
from pathlib import Path
from typing import NamedTuple

import psutil

SAMPLE_SECONDS = 0.1  # a look costs a millisecond or two, so at most 2 % of a core
ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(tempfile.gettempdir()) / "penstock-bench"  # what may stay from one call to the next


class CommandFailed(Exception):
    """It ended with another code than 0, or took too long. The message holds the end of what it said."""


class Measured(NamedTuple):
    wall_s: float
    cpu_s: float  # user and system
    peak_bytes: int  # all processes at once; shared pages count once where the system can tell


def as_used(cache: Path = CACHE) -> dict[str, str]:
    """The environment of a user for whom it is not the first time: compiled modules are kept.

    In `cache`, so that nothing appears in the tree. Else a short crawl would measure the
    compiler. The scripts of the contenders are found from wherever they are started.
    """
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": str(cache / "compiled"), "PYTHONPATH": str(ROOT)}


def run(
    command: Sequence[str | Path], *, cwd: Path, log: Path, timeout: float, good: Container[int] = (0,)
) -> Measured:
    """Run `command` to its end; what it says goes to `log`. CommandFailed unless its code is `good`."""
    started = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=cwd, env=as_used(), stdout=output, stderr=subprocess.STDOUT)
    memory = _MemoryWatch(process.pid)
    killer = threading.Timer(timeout, _kill_family, [process.pid])
    killer.start()
    try:
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)  # so that nobody waits for it again
    except BaseException:
        _kill_family(process.pid)
        process.wait()
        raise
    finally:
        killer.cancel()
        memory.stop()
    if process.returncode not in good:
        end = log.read_text("utf-8", "replace")[-2_000:]
        raise CommandFailed(f"{command[0]} ended with {process.returncode} after {wall:.0f} s:\n{end}")
    # What a process that was alone ever used at once is known exactly.
    alone = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) if memory.alone else 0
    return Measured(wall, usage.ru_utime + usage.ru_stime, max(memory.peak, alone))


def _kill_family(pid: int) -> None:
    with contextlib.suppress(psutil.Error):
        root = psutil.Process(pid)
        for process in [root, *root.children(recursive=True)]:
            process.kill()


class _MemoryWatch:
    """Samples the memory of a process and its descendants in a thread until `stop`."""

    def __init__(self, pid: int) -> None:
        self.peak = 0
        self.alone = True  # it never had a child
        self._pid = pid
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stopped.wait(SAMPLE_SECONDS):
            try:
                root = psutil.Process(self._pid)
                family = [root, *root.children(recursive=True)]
            except psutil.Error:
                return
            self.alone = self.alone and len(family) == 1
            self.peak = max(self.peak, sum(_memory(process, shared=len(family) > 1) for process in family))


def _memory(process: psutil.Process, *, shared: bool) -> int:
    """Resident bytes; of pages that several processes share only this one's part, if there may be any."""
    try:
        if shared and hasattr(full := process.memory_full_info(), "pss"):
            return int(full.pss)
        return int(process.memory_info().rss)
    except psutil.Error:  # it has just ended
        return 0
