"""Kill -9 at every event of a small crawl, k = 1, 2, 3 ... until it completes; and while it resumes."""

from __future__ import annotations

import json
import signal
from collections.abc import Sequence
from functools import partial

from tests.faults.fault import CaseResult, Fault, Plan
from tests.faults.invariants import finished, intact, unreadable_output
from tests.faults.suite_worker import ProcessResult, SuiteWorker
from tests.faults.trapped_crawl import EVENTS
from tests.support.crawls import rows, stored_pages

MOMENTS = ("before", "after")
BUDGET = 15  # pages
MAX_RUNS = 200


def killed(ended: ProcessResult) -> bool:
    return ended.code == -signal.SIGKILL


def events_of(worker: SuiteWorker, *extra: str, web: str = "small") -> dict[str, int]:
    """How often each event happens in an undisturbed crawl."""
    served = worker.web(web)
    with worker.scratch_folder() as scratch:
        ended = worker.crawl(
            *served.flags, *extra, "--db", scratch / "a.db", trap=f"count {scratch / 'events'}"
        )
        if ended.code not in (0, 3):
            raise RuntimeError(f"the counting run: {ended}")
        return dict(json.loads((scratch / "events").read_text()))


def cases_of(event: str, plan: Plan, probe: SuiteWorker) -> list[str]:
    """Before and after each one."""
    # The order of arrival is never the same twice, so the last ones may not be reached.
    most = events_of(probe)[event] * (9 if plan.short else 12) // 10
    moments = MOMENTS if event != "statement" else MOMENTS[:1]  # after one is before the next
    sample = 4 if event == "statement" else 8
    return [f"{event} {moment} {k}" for moment in moments for k in plan.positions(most, in_short=sample)]


def kill_once(worker: SuiteWorker, case: str, web: str = "small") -> CaseResult:
    """Kill there, look at the file, resume, compare."""
    served = worker.web(web)
    with worker.scratch_folder() as scratch:
        db = scratch / "crawl.db"
        ended = worker.crawl(*served.onto(db), trap=f"kill {case}")
        if not killed(ended):
            return CaseResult(reached=False, violations=finished(served, db, ended, kills=0))
        torn = intact(served, db)
        ended = worker.crawl(*served.onto(db))
        return CaseResult(1, [*torn, *finished(served, db, ended, kills=1)])


def sitemap_cases(plan: Plan, probe: SuiteWorker) -> list[str]:
    counts = events_of(probe, web="mapped")
    return [
        f"{event} {moment} {k}"
        for event in ("fetch", "commit")
        for moment in MOMENTS
        for k in plan.positions(counts[event], in_short=4)
    ]


def kill_with_sitemaps(worker: SuiteWorker, case: str) -> CaseResult:
    return kill_once(worker, case, "mapped")


def resume_cases(plan: Plan, probe: SuiteWorker) -> list[str]:
    """A first kill in the middle, and a second at every event of the run that resumes."""
    counts = events_of(probe)
    cases = []
    for event in EVENTS:
        moments = MOMENTS if event in ("commit", "fetch") else MOMENTS[:1]
        for moment in moments:
            positions = plan.positions(counts[event] * 2 // 3, in_short=4)
            cases += [f"{event} {moment} {k}" for k in positions]
    return cases


def kill_the_resume(worker: SuiteWorker, case: str) -> CaseResult:
    served = worker.web("small")
    with worker.scratch_folder() as scratch:
        db = scratch / "crawl.db"
        first = worker.crawl(*served.onto(db), trap="kill commit before 14")
        second = worker.crawl(*served.onto(db), trap=f"kill {case}")
        if not killed(second):
            return CaseResult(
                reached=False, violations=finished(served, db, second, kills=int(killed(first)))
            )
        torn = intact(served, db)
        ended = worker.crawl(*served.onto(db))
        return CaseResult(2, [*torn, *finished(served, db, ended, kills=2)])


def again_cases(plan: Plan, probe: SuiteWorker) -> list[str]:
    """Every run dies at its n-th commit, the first of which only notes that it has begun."""
    cases = [f"commit after {n}" for n in range(2, 7)] + [f"commit before {n}" for n in range(3, 8)]
    return plan.some(cases, in_short=3)


def kill_again_and_again(worker: SuiteWorker, case: str) -> CaseResult:
    """Every run is killed early, until nothing is left to do; the next one may say so."""
    served = worker.web("small")
    with worker.scratch_folder() as scratch:
        db = scratch / "crawl.db"
        torn: list[str] = []
        for run in range(MAX_RUNS):
            left = not run or rows(db, "SELECT 1 FROM urls WHERE state = 'pending' LIMIT 1")
            ended = worker.crawl(*served.onto(db), trap=f"kill {case}" if left else "")
            if not killed(ended):
                return CaseResult(run, [*torn, *finished(served, db, ended, kills=run)])
            torn += intact(served, db)
        return CaseResult(MAX_RUNS, [*torn, f"not finished after {MAX_RUNS} runs"])


def budget_cases(plan: Plan, probe: SuiteWorker) -> list[str]:
    counts = events_of(probe, "--max-pages", str(BUDGET))
    cases = []
    for event, sample in (("commit", 6), ("dequeue", 4)):
        cases += [f"{event} before {k}" for k in plan.positions(counts[event] * 9 // 10, in_short=sample)]
    return cases


def kill_under_a_budget(worker: SuiteWorker, case: str) -> CaseResult:
    """The budget is met exactly, killed or not; without it the crawl then goes on to its true end."""
    served = worker.web("small")
    with worker.scratch_folder() as scratch:
        words = served.onto(scratch / "crawl.db")
        ended = worker.crawl(*words, "--max-pages", str(BUDGET), trap=f"kill {case}")
        kills = int(killed(ended))
        if kills:
            ended = worker.crawl(*words, "--max-pages", str(BUDGET))
        wrong = [] if ended.code == 3 else [f"should have ended by its budget: {ended}"]
        if (stored := stored_pages(scratch / "crawl.db")) != BUDGET:
            wrong.append(f"{stored} pages stored instead of {BUDGET}")
        wrong += unreadable_output(ended)
        ended = worker.crawl(*words)
        wrong += finished(served, scratch / "crawl.db", ended, kills=kills)
        return CaseResult(kills + 1, wrong, reached=bool(kills))


FAULTS: Sequence[Fault] = (
    *(Fault(name=f"kill-{event}", cases=partial(cases_of, event), attempt=kill_once) for event in EVENTS),
    Fault(name="kill-resume", cases=resume_cases, attempt=kill_the_resume),
    Fault(name="kill-every-run", cases=again_cases, attempt=kill_again_and_again),
    Fault(name="kill-sitemaps", cases=sitemap_cases, attempt=kill_with_sitemaps),
    Fault(name="kill-budget", cases=budget_cases, attempt=kill_under_a_budget),
)
