"""A bug at the k-th page of each stage: it fails that URL, or in the last stage the run."""

from __future__ import annotations

from collections.abc import Sequence

from tests.faults.fault import CaseResult, Fault, Plan
from tests.faults.invariants import finished, intact, left_behind, unreadable_output
from tests.faults.kills import events_of
from tests.faults.suite_worker import SuiteWorker
from tests.support.crawls import check_invariants, equal_crawls, rows

AT_ONCE = 5.0  # seconds in which a run must end when its last stage failed


def one_page_cases(plan: Plan, probe: SuiteWorker) -> list[str]:
    fetches = events_of(probe)["fetch"] - 1  # without robots.txt
    return [
        *(f"fetch {k}" for k in plan.positions(fetches, in_short=5)),
        *(f"parse {k}" for k in plan.positions(fetches // 2, in_short=5)),
    ]


def fail_one_page(worker: SuiteWorker, case: str) -> CaseResult:
    """The page fails, with its traceback in the log; the others go on; later it can be healed."""
    served = worker.web("small")
    with worker.scratch_folder() as scratch:
        db = scratch / "crawl.db"
        ended = worker.crawl(*served.onto(db), trap=f"raise {case}")
        if ended.code == 0:
            return CaseResult(reached=False, violations=finished(served, db, ended, kills=0))
        wrong = [] if ended.code == 1 else [f"should have been exit 1: {ended}"]
        wrong += [*left_behind(db), *check_invariants(db)]
        failed = rows(db, "SELECT url FROM urls WHERE state = 'failed' AND reason = 'internal:LookupError'")
        if len(failed) != 1:
            wrong.append(f"failed by the bug: {failed}; one should have: {ended}")
        # /always and /gone fail anew, so what the server counts says nothing here.
        ended = worker.crawl(*served.onto(db), "--retry-failed")
        wrong += [] if ended.code == 0 else [f"should have healed: {ended}"]
        return CaseResult(1, [*wrong, *equal_crawls(served.baseline, db)[:5]])


def whole_run_cases(plan: Plan, probe: SuiteWorker) -> list[str]:
    return [f"store {k}" for k in plan.positions(events_of(probe)["fetch"] * 9 // 10, in_short=6)]


def fail_the_run(worker: SuiteWorker, case: str) -> CaseResult:
    """Nobody is left to be told, so the run ends at once, aloud; the next one resumes."""
    served = worker.web("small")
    with worker.scratch_folder() as scratch:
        db = scratch / "crawl.db"
        ended = worker.crawl(*served.onto(db), trap=f"raise {case}")
        if ended.code == 0:
            return CaseResult(reached=False, violations=finished(served, db, ended, kills=0))
        wrong = [] if ended.code == 1 and "resume with: " in ended.stderr else [f"should be exit 1: {ended}"]
        wrong += unreadable_output(ended)
        if ended.seconds > AT_ONCE:
            wrong.append(f"took {ended.seconds:.1f} s to end")
        wrong += intact(served, db)
        ended = worker.crawl(*served.onto(db))
        return CaseResult(1, [*wrong, *finished(served, db, ended, kills=1)])


FAULTS: Sequence[Fault] = (
    Fault(name="bug-in-page", cases=one_page_cases, attempt=fail_one_page),
    Fault(name="bug-in-store", cases=whole_run_cases, attempt=fail_the_run),
)
