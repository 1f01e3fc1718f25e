"""The disk fails: full, broken, read-only, slow. One clear line, the file intact, and the crawl resumes."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from tests.faults import mounts, strace
from tests.faults.fault import CaseResult, Fault, Plan
from tests.faults.invariants import copied, finished, intact, one_clear_line
from tests.faults.kills import events_of
from tests.faults.suite_worker import ProcessResult, SuiteWorker
from tests.faults.webs import Served
from tests.support.crawls import equal_crawls, rows

ROOMY_KIB = 64 << 10
WRITES, READS = "pwrite64", "pread64"
WATCHED = (sys.executable, "-m", "tests.faults.trapped_crawl")


def told(served: Served, db: Path, ended: ProcessResult, *, runs: int = 0) -> list[str]:
    """A run that the disk has ended says so in one line. Plain before the run was even noted
    (`runs` were there before), it is a refusal; once the web was asked it cannot be."""
    wrong = []
    if served.web.asked and ended.code != 1:
        wrong = [f"the web was asked, so it should be exit 1: {ended}"]
    elif ended.code not in (1, 2) or (ended.code == 1 and noted(db) == runs):
        wrong = [f"the run had not begun, so it should be exit 2: {ended}"]
    return [*wrong, *one_clear_line(ended)]


def noted(db: Path) -> int:
    """How many runs the file knows of; 0 if it is no database yet."""
    with copied(db) as copy:
        if copy is None or not rows(copy, "SELECT 1 FROM sqlite_schema WHERE name = 'runs'"):
            return 0
        return int(rows(copy, "SELECT count(*) FROM runs")[0][0])


def resumed(worker: SuiteWorker, served: Served, db: Path) -> list[str]:
    return finished(served, db, worker.crawl(*served.onto(db)), kills=1)


def full_cases(plan: Plan, probe: SuiteWorker) -> list[str]:
    """A disk of every size, page by page, from none that would do to one that holds the crawl."""
    return (
        [f"{size} KiB" for size in range(4, 700, 4)]
        if not plan.short
        else [f"{size} KiB" for size in (4, 16, 40, 100, 120, 150, 200, 280, 400)]
    )


def fill_disk(worker: SuiteWorker, case: str) -> CaseResult:
    served = worker.web("tiny")
    with worker.scratch_folder() as scratch, mounts.small_disk(scratch, int(case.split()[0])) as disk:
        db = disk / "crawl.db"
        ended = worker.crawl(*served.onto(db), "--save-bodies")
        if ended.code == 0:
            return CaseResult(reached=False)
        wrong = told(served, db, ended)
        mounts.enlarge(disk, ROOMY_KIB)
        return CaseResult(1, [*wrong, *intact(served, db), *resumed(worker, served, db)])


def two_mib_cases(plan: Plan, probe: SuiteWorker) -> list[str]:
    return ["2048 KiB"]


def fill_large_crawl(worker: SuiteWorker, case: str) -> CaseResult:
    """In the middle of a crawl of some hundred pages."""
    served = worker.web("drawn")
    with worker.scratch_folder() as scratch, mounts.small_disk(scratch, int(case.split()[0])) as disk:
        db = disk / "crawl.db"
        wrong = told(served, db, worker.crawl(*served.onto(db)))
        mounts.enlarge(disk, ROOMY_KIB)
        return CaseResult(1, [*wrong, *intact(served, db), *resumed(worker, served, db)])


def broken_cases(plan: Plan, probe: SuiteWorker) -> list[str]:
    """CALL ERROR WHEN: `7` fails once, `7+` from there on."""
    for_good = plan.positions(230, in_short=4, in_full=40)
    once = plan.positions(230, in_short=4, in_full=60)
    return [
        *(f"{WRITES} {error} {k}+" for k in for_good for error in ("ENOSPC", "EIO")),
        *(f"{WRITES} {error} {k}" for k in once for error in ("ENOSPC", "EIO")),
        *(f"{READS} EIO {k}+" for k in range(9, 41, 16 if plan.short else 1)),  # the first load libraries
        *(f"{call} EIO {when}" for call in ("fdatasync", "ftruncate") for when in ("1+", "2+")),
        "unlink EROFS 1+",
        "flock ENOLCK 1+",
    ]


def break_disk(worker: SuiteWorker, case: str) -> CaseResult:
    call, error, when = case.split()
    served = worker.web("tiny")
    with worker.scratch_folder() as scratch:
        db = scratch / "crawl.db"
        ended = worker.command(*served.onto(db), before=strace.injecting(call, f"error={error}:when={when}"))
        wrong = intact(served, db)
        if ended.code:  # else SQLite could do without, or tried once more
            wrong += told(served, db, ended)
        return CaseResult(1, [*wrong, *resumed(worker, served, db)])


def refused_cases(plan: Plan, probe: SuiteWorker) -> list[str]:
    """The k-th commit fails, the disk is well again at once; the k-th and all after it fail."""
    most = events_of(probe)["commit"] * 9 // 10
    return [f"{k} {often}" for often in ("once", "for-good") for k in plan.positions(most, in_short=8)]


def refuse_commit(worker: SuiteWorker, case: str) -> CaseResult:
    """Nothing that was rolled back may live on in memory and reach the file later."""
    served = worker.web("small")
    with worker.scratch_folder() as scratch:
        db = scratch / "crawl.db"
        ended = worker.crawl(*served.onto(db), trap=f"refuse {case}")
        if ended.code == 0:
            return CaseResult(reached=False, violations=finished(served, db, ended, kills=0))
        wrong = [*told(served, db, ended), *intact(served, db)]
        return CaseResult(1, [*wrong, *resumed(worker, served, db)])


def read_only_cases(plan: Plan, probe: SuiteWorker) -> list[str]:
    moments = ("fresh", "stopped", "killed")
    return [f"{what} {moment}" for what in ("file", "folder", "disk") for moment in moments][1:]


def seal(worker: SuiteWorker, case: str) -> CaseResult:
    """Plain before the first request, so it is refused; afterwards the same command does its work."""
    what, moment = case.split()
    served = worker.web("tiny")
    with worker.scratch_folder() as scratch:
        folder = scratch / "folder"
        folder.mkdir()
        db = folder / "crawl.db"
        if moment != "fresh":
            trap = "kill commit before 5" if moment == "killed" else ""
            worker.crawl(*served.onto(db), "--max-pages", "3", trap=trap)
        runs = noted(db)
        served.web.asked.clear()
        with _closed(what, db):
            ended = worker.crawl(*served.onto(db))
        # Whatever SQLite needs beside the file may be there since the kill.
        wrong = (
            []
            if (what, moment, ended.code) == ("folder", "killed", 0)
            else told(served, db, ended, runs=runs)
        )
        return CaseResult(1, [*wrong, *resumed(worker, served, db)])


def _closed(what: str, db: Path) -> AbstractContextManager[None]:
    if what == "disk":
        return mounts.read_only_disk(db.parent)
    return mounts.sealed(db if what == "file" else db.parent)


def slow_cases(plan: Plan, probe: SuiteWorker) -> list[str]:
    """Milliseconds that every flush takes."""
    return ["5", "50"] if plan.short else ["5", "50", "200"]


def slow_down(worker: SuiteWorker, case: str) -> CaseResult:
    """A slow disk makes the stages before it wait: queues stay within their bounds, memory flat."""
    served = worker.web("small")
    with worker.scratch_folder() as scratch:
        db, seen = scratch / "crawl.db", scratch / "seen"
        delay = strace.injecting("fdatasync,fsync", f"delay_enter={int(case) * 1000}")
        program = (*WATCHED, f"watch {seen}")
        ended = worker.command(*served.onto(db), "--durable", before=delay, program=program, timeout=180)
        wrong = finished(served, db, ended, kills=0)
        facts = json.loads(seen.read_text())
        if facts["over"]:
            wrong.append(f"a queue went over its bound {facts['over']} times")
        [(memory,)] = rows(db, "SELECT max_rss_bytes FROM runs")
        [(usual,)] = rows(served.baseline, "SELECT max_rss_bytes FROM runs")
        if memory > usual + (16 << 20):
            wrong.append(f"used {memory >> 20} MiB instead of {usual >> 20}")
        note = f"{case} ms a flush: {ended.seconds:.0f} s, {memory >> 20} MiB (else {usual >> 20})"
        return CaseResult(0, [*wrong, *equal_crawls(served.baseline, db)[:5]], note=note)


FAULTS: Sequence[Fault] = (
    Fault(name="disk-full", cases=full_cases, attempt=fill_disk),
    Fault(name="disk-full-2MiB", cases=two_mib_cases, attempt=fill_large_crawl),
    Fault(name="disk-errors", cases=broken_cases, attempt=break_disk),
    Fault(name="disk-refuses", cases=refused_cases, attempt=refuse_commit),
    Fault(name="disk-read-only", cases=read_only_cases, attempt=seal),
    Fault(name="disk-slow", cases=slow_cases, attempt=slow_down),
)
