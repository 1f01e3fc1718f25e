"""Poison pages: they crash the process that parses them, each time. And parsers killed from outside."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress

from tests.faults.fault import CaseResult, Fault, Plan
from tests.faults.invariants import finished
from tests.faults.kills import killed
from tests.faults.signals import of_session
from tests.faults.suite_worker import ProcessResult, SuiteWorker
from tests.support.crawls import check_invariants, rows

MAX_DEATHS = 8


def poison_cases(plan: Plan, probe: SuiteWorker) -> list[str]:
    return ["/a/3", "/late"] if plan.short else ["/a/3", "/b/0", "/deep/2", "/late", "/new", "/a/7"]


def poison(worker: SuiteWorker, case: str) -> CaseResult:
    """A page that kills every run is set aside after a few, and all the others are crawled."""
    served = worker.web("small")
    with worker.scratch_folder() as scratch:
        db = scratch / "crawl.db"
        deaths = 0
        while killed(ended := worker.crawl(*served.onto(db), trap=f"poison {case}")) and deaths < MAX_DEATHS:
            deaths += 1
        wrong = [] if ended.code == 0 else [f"not finished after {deaths} deaths: {ended}"]
        wrong += check_invariants(db)
        failed = rows(db, "SELECT url FROM urls WHERE reason = 'poison'")
        if failed != [(served.url.rstrip("/") + case,)]:
            wrong.append(f"set aside: {failed}")
        return CaseResult(deaths, wrong, note=f"set aside after {deaths} deaths")


def parser_cases(plan: Plan, probe: SuiteWorker) -> list[str]:
    """So many milliseconds after the first parser has begun, and then a second later again."""
    return ["50"] if plan.short else ["0", "20", "50", "100", "200", "400"]


def kill_parsers(worker: SuiteWorker, case: str) -> CaseResult:
    """A parser that is killed from outside is replaced, and its page goes to another. (The second
    parser that dies of the same page makes that page suspect, whoever killed it.)"""
    served = worker.web("drawn")
    with worker.scratch_folder() as scratch:
        db = scratch / "crawl.db"
        struck = 0
        began = time.monotonic()
        with worker.started(*served.flags, "--processes", "3", "--db", db) as process:
            while process.poll() is None and time.monotonic() < began + 60:
                parsers = [pid for pid in of_session(process.pid) if pid != process.pid]
                if not parsers:
                    time.sleep(0.005)
                    continue
                time.sleep(int(case) / 1000)
                with suppress(ProcessLookupError):
                    os.kill(parsers[0], signal.SIGKILL)
                    struck += 1
                time.sleep(1.0)
            stdout, stderr = process.communicate(timeout=30)
        ended = ProcessResult(process.returncode, stdout, stderr, time.monotonic() - began)
        return CaseResult(0, finished(served, db, ended, kills=0), reached=struck > 0)


FAULTS: Sequence[Fault] = (
    Fault(name="poison", cases=poison_cases, attempt=poison),
    Fault(name="parsers-killed", cases=parser_cases, attempt=kill_parsers),
)
