"""strace: faults in system calls, without a hook in the product."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from functools import cache
from pathlib import Path

from tests.faults.fault import CannotTry

# Threads too (the database has one of its own), and no chatter. Not --seccomp-bpf: with it,
# strace 6.1 forgets in new threads what was to happen at the k-th call.
_STRACE = ("strace", "-f", "-qqq", "-e", "signal=none")


def injecting(calls: str, what: str, *, log: Path | None = None) -> list[str]:
    """The words before a command that injure its system calls.

    `what` as strace has it: `signal=KILL:when=7` at the 7th call of each thread, `error=EIO:when=7+`
    from the 7th on, `delay_enter=50000` (microseconds) at every one.
    """
    _refuse_without()
    return [*_STRACE, "-o", str(log or "/dev/null"), "-e", f"trace={calls}", "-e", f"inject={calls}:{what}"]


def counting(calls: str, log: Path) -> list[str]:
    """The words before a command whose calls are written to `log`, for `count`."""
    _refuse_without()
    return [*_STRACE, "-o", str(log), "-e", f"trace={calls}"]


def count(log: Path) -> dict[str, int]:
    """How often each call was made, in the thread that made it most often: strace counts by thread."""
    made = Counter(re.findall(r"^(\d+) +(\w+)\(", log.read_text("utf-8", "replace"), re.MULTILINE))
    most: dict[str, int] = {}
    for (_, call), times in made.items():
        most[call] = max(most.get(call, 0), times)
    return most


@cache
def _reason_against() -> str:
    if shutil.which("strace") is None:
        return "strace is not installed"
    done = subprocess.run(
        [*_STRACE, "-o", "/dev/null", "-e", "trace=pwrite64", "true"],
        capture_output=True,
        text=True,
        timeout=30,
    )
    return f"strace may not trace here: {done.stderr.strip()[:80]}" if done.returncode else ""


def _refuse_without() -> None:
    if reason := _reason_against():
        raise CannotTry(reason)
