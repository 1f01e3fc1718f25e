"""Kill -9 at every n-th system call that changes a file: database, WAL, and what lies beside them."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tests.faults import strace
from tests.faults.fault import CannotTry, CaseResult, Fault, Plan
from tests.faults.invariants import finished, intact
from tests.faults.kills import killed
from tests.faults.suite_worker import SuiteWorker
from tests.support.crawls import COMMAND

WRITES = "pwrite64"
OTHERS = "ftruncate,fdatasync,fsync,unlink,fallocate"
CREATED = (
    sys.executable,
    "-m",
    "tests.faults.trapped_crawl",
    "kill commit before 1",
)  # the schema is there, no run


def counted(probe: SuiteWorker, calls: str, program: Sequence[str] = COMMAND) -> dict[str, int]:
    """How often a crawl of the tiny web makes these calls."""
    served = probe.web("tiny")
    with probe.scratch_folder() as scratch:
        before = strace.counting(calls, scratch / "log")
        probe.command(*served.onto(scratch / "a.db"), before=before, program=program)
        return strace.count(scratch / "log")


def write_cases(plan: Plan, probe: SuiteWorker) -> list[str]:
    try:
        made = counted(probe, WRITES)[WRITES]
    except CannotTry:
        return [f"{WRITES} 1"]  # the attempt says why
    return [f"{WRITES} {k}" for k in plan.positions(made, in_short=10)]


def creation_cases(plan: Plan, probe: SuiteWorker) -> list[str]:
    """Every write until the schema is there, so also between its steps."""
    try:
        made = counted(probe, WRITES, CREATED)[WRITES]
    except CannotTry:
        return [f"{WRITES} 1"]
    return [f"{WRITES} {k}" for k in plan.positions(made, in_short=8)]


def other_cases(plan: Plan, probe: SuiteWorker) -> list[str]:
    """Every cut, flush and removal of a file; few, and each at a turning point."""
    try:
        made = counted(probe, OTHERS)
    except CannotTry:
        return ["unlink 1"]
    return plan.some((f"{call} {k}" for call in made for k in range(1, made[call] + 1)), in_short=8)


def kill_at_call(worker: SuiteWorker, case: str) -> CaseResult:
    call, k = case.split()
    served = worker.web("tiny")
    with worker.scratch_folder() as scratch:
        db = scratch / "crawl.db"
        before = strace.injecting(call, f"signal=KILL:when={k}")
        ended = worker.command(*served.onto(db), before=before)
        if not killed(ended):
            return CaseResult(reached=False, violations=finished(served, db, ended, kills=0))
        torn = intact(served, db)
        ended = worker.crawl(*served.onto(db))
        return CaseResult(1, [*torn, *finished(served, db, ended, kills=1)])


def resume_cases(plan: Plan, probe: SuiteWorker) -> list[str]:
    """A run that resumes, and so repairs the file first, is killed at its k-th write."""
    return [f"{WRITES} {k}" for k in plan.positions(60, in_short=5)]


def kill_resume_at_call(worker: SuiteWorker, case: str) -> CaseResult:
    call, k = case.split()
    served = worker.web("tiny")
    with worker.scratch_folder() as scratch:
        db = scratch / "crawl.db"
        worker.crawl(*served.onto(db), trap="kill commit before 5")
        ended = worker.command(*served.onto(db), before=strace.injecting(call, f"signal=KILL:when={k}"))
        if not killed(ended):
            return CaseResult(reached=False, violations=finished(served, db, ended, kills=1))
        torn = intact(served, db)
        ended = worker.crawl(*served.onto(db))
        return CaseResult(2, [*torn, *finished(served, db, ended, kills=2)])


FAULTS: Sequence[Fault] = (
    Fault(name="kill-write", cases=write_cases, attempt=kill_at_call),
    Fault(name="kill-creation", cases=creation_cases, attempt=kill_at_call),
    Fault(name="kill-file-call", cases=other_cases, attempt=kill_at_call),
    Fault(name="kill-resume-write", cases=resume_cases, attempt=kill_resume_at_call),
)
