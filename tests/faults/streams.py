"""Output streams that are closed, full or unread; and runs with all of Python's warnings on."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tests.faults.fault import CaseResult, Fault, Plan
from tests.faults.invariants import finished, left_behind, unreadable_output
from tests.faults.suite_worker import SuiteWorker
from tests.support.crawls import ROOT, check_invariants, equal_crawls

SHELL = {  # $0 and $@ are a command
    "stdout-closed": 'exec "$0" "$@" >&-',
    "stderr-closed": 'exec "$0" "$@" 2>&-',
    "both-closed": 'exec "$0" "$@" >&- 2>&-',
    "all-closed": 'exec "$0" "$@" <&- >&- 2>&-',
    "stdout-full": 'exec "$0" "$@" > /dev/full',
    "stderr-full": 'exec "$0" "$@" 2> /dev/full',
    "read-one-line": '"$0" "$@" | head -n 1',
    "read-nothing": '"$0" "$@" | true',
    "stderr-read-one-line": '"$0" "$@" 2>&1 >/dev/null | head -n 1',
}
READING = ("query", "report", "status", "why", "query-long")


def stream_cases(plan: Plan, probe: SuiteWorker) -> list[str]:
    return [f"{what} {command}" for what in SHELL for command in ("crawl", *READING)] + [
        f"{what} {words}"
        for words in ("help", "config")
        for what in ("stdout-full", "read-nothing", "stdout-closed")
    ]


def spoil_stream(worker: SuiteWorker, case: str) -> CaseResult:
    """A crawl goes on whoever reads; a command for reading says what it can, and never a traceback."""
    what, command = case.split()
    served = worker.web("small")
    with worker.scratch_folder() as scratch:
        db = scratch / "crawl.db"
        if command in READING:
            worker.crawl(*served.onto(db))
        words = {
            "crawl": (*served.onto(db), "--log-level", "debug"),
            "query": ("query", "SELECT * FROM urls", "--db", str(db)),
            "query-long": (
                "query",
                "SELECT a.* FROM links AS a, links AS b",
                "--db",
                str(db),
                "--format",
                "csv",
            ),
            "report": ("report", "skipped", "--db", str(db)),
            "status": ("status", "--db", str(db)),
            "why": ("why", served.url, "--db", str(db)),
            "help": ("--help",),
            "config": ("--seed", served.url, "--print-config"),
        }[command]
        ended = worker.command(*words, before=("sh", "-c", SHELL[what]))
        wrong = unreadable_output(ended)
        if "Exception ignored" in ended.stderr:
            wrong.append(f"complains at its end: {ended}")
        if what == "stdout-full" and command != "crawl" and "cannot write" not in ended.stderr:
            wrong.append(f"should say that it cannot write: {ended}")
        usual = 1 if what == "stdout-full" and command != "crawl" else 0
        if "|" not in SHELL[what] and ended.code != usual:
            wrong.append(f"should be exit {usual}: {ended}")
        if command == "crawl":
            wrong += [*left_behind(db), *check_invariants(db), *equal_crawls(served.baseline, db)]
        return CaseResult(0, wrong[:5])


STRICT = {
    "asyncio-debug": ({"PYTHONASYNCIODEBUG": "1"}, ()),
    "dev-mode": ({}, ("-X", "dev", "-W", "error")),
    "warnings": ({"PYTHONWARNINGS": "error"}, ("-b",)),
    "hash-seed": ({"PYTHONHASHSEED": "1"}, ("-O",)),
}


def strict_cases(plan: Plan, probe: SuiteWorker) -> list[str]:
    return [f"{name} {web}" for name in STRICT for web in ("small", "drawn")]


def be_strict(worker: SuiteWorker, case: str) -> CaseResult:
    """No warning of Python's, no coroutine forgotten, nothing left open."""
    name, web = case.split()
    env, options = STRICT[name]
    served = worker.web(web)
    with worker.scratch_folder() as scratch:
        db = scratch / "crawl.db"
        program = (sys.executable, *options, str(ROOT / "run_crawl.py"))
        ended = worker.command(*served.onto(db), program=program, env=env)
        # A slow callback on a busy machine is none of the things that are looked for.
        strange = [
            line
            for line in ended.stderr.splitlines()
            if ("Warning" in line or "warning" in line or "destroyed" in line) and " took " not in line
        ]
        return CaseResult(0, [*finished(served, db, ended, kills=0), *strange[:3]])


FAULTS: Sequence[Fault] = (
    Fault(name="streams", cases=stream_cases, attempt=spoil_stream),
    Fault(name="strict-python", cases=strict_cases, attempt=be_strict),
)
