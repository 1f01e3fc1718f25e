"""Kill -9 at every n-th system call that changes a file: database, WAL, and what lies beside them."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tests.faults import strace
from tests.faults.fault import CannotTry, Fault, Plan, Tried
from tests.faults.invariants import finished, intact
from tests.faults.kills import killed
from tests.faults.lane import Lane
from tests.support.crawls import COMMAND

WRITES = "pwrite64"
OTHERS = "ftruncate,fdatasync,fsync,unlink,fallocate"
CREATED = (sys.executable, "-m", "tests.faults.child", "kill commit before 1")  # the schema is there, no run


def counted(scout: Lane, calls: str, program: Sequence[str] = COMMAND) -> dict[str, int]:
    """How often a crawl of the tiny web makes these calls."""
    served = scout.web("tiny")
    with scout.room() as room:
        before = strace.counting(calls, room / "log")
        scout.command(*served.onto(room / "a.db"), before=before, program=program)
        return strace.count(room / "log")


def write_cases(plan: Plan, scout: Lane) -> list[str]:
    try:
        made = counted(scout, WRITES)[WRITES]
    except CannotTry:
        return [f"{WRITES} 1"]  # the attempt says why
    return [f"{WRITES} {k}" for k in plan.positions(made, in_short=10)]


def creation_cases(plan: Plan, scout: Lane) -> list[str]:
    """Every write until the schema is there, so also between its steps."""
    try:
        made = counted(scout, WRITES, CREATED)[WRITES]
    except CannotTry:
        return [f"{WRITES} 1"]
    return [f"{WRITES} {k}" for k in plan.positions(made, in_short=8)]


def other_cases(plan: Plan, scout: Lane) -> list[str]:
    """Every cut, flush and removal of a file; few, and each at a turning point."""
    try:
        made = counted(scout, OTHERS)
    except CannotTry:
        return ["unlink 1"]
    return plan.some((f"{call} {k}" for call in made for k in range(1, made[call] + 1)), in_short=8)


def kill_at_call(lane: Lane, case: str) -> Tried:
    call, k = case.split()
    served = lane.web("tiny")
    with lane.room() as room:
        db = room / "crawl.db"
        before = strace.injecting(call, f"signal=KILL:when={k}")
        ended = lane.command(*served.onto(db), before=before)
        if not killed(ended):
            return Tried(reached=False, violations=finished(served, db, ended, kills=0))
        torn = intact(served, db)
        ended = lane.crawl(*served.onto(db))
        return Tried(1, [*torn, *finished(served, db, ended, kills=1)])


def resume_cases(plan: Plan, scout: Lane) -> list[str]:
    """A run that resumes, and so repairs the file first, is killed at its k-th write."""
    return [f"{WRITES} {k}" for k in plan.positions(60, in_short=5)]


def kill_resume_at_call(lane: Lane, case: str) -> Tried:
    call, k = case.split()
    served = lane.web("tiny")
    with lane.room() as room:
        db = room / "crawl.db"
        lane.crawl(*served.onto(db), trap="kill commit before 5")
        ended = lane.command(*served.onto(db), before=strace.injecting(call, f"signal=KILL:when={k}"))
        if not killed(ended):
            return Tried(reached=False, violations=finished(served, db, ended, kills=1))
        torn = intact(served, db)
        ended = lane.crawl(*served.onto(db))
        return Tried(2, [*torn, *finished(served, db, ended, kills=2)])


FAULTS: Sequence[Fault] = (
    Fault(name="kill-write", cases=write_cases, attempt=kill_at_call),
    Fault(name="kill-creation", cases=creation_cases, attempt=kill_at_call),
    Fault(name="kill-file-call", cases=other_cases, attempt=kill_at_call),
    Fault(name="kill-resume-write", cases=resume_cases, attempt=kill_resume_at_call),
)
