"""Kill -9 at every event of a small crawl, k = 1, 2, 3 ... until it completes; and while it resumes."""

from __future__ import annotations

import json
import signal
from collections.abc import Sequence
from functools import partial

from tests.faults.child import EVENTS
from tests.faults.fault import Fault, Plan, Tried
from tests.faults.invariants import finished, intact, said_badly
from tests.faults.lane import Ended, Lane
from tests.support.crawls import rows, stored_pages

MOMENTS = ("before", "after")
BUDGET = 15  # pages
MAX_RUNS = 200


def killed(ended: Ended) -> bool:
    return ended.code == -signal.SIGKILL


def events_of(lane: Lane, *extra: str, web: str = "small") -> dict[str, int]:
    """How often each event happens in an undisturbed crawl."""
    served = lane.web(web)
    with lane.room() as room:
        ended = lane.crawl(*served.flags, *extra, "--db", room / "a.db", trap=f"count {room / 'events'}")
        if ended.code not in (0, 3):
            raise RuntimeError(f"the counting run: {ended}")
        return dict(json.loads((room / "events").read_text()))


def cases_of(event: str, plan: Plan, scout: Lane) -> list[str]:
    """Before and after each one."""
    # The order of arrival is never the same twice, so the last ones may not be reached.
    most = events_of(scout)[event] * (9 if plan.short else 12) // 10
    moments = MOMENTS if event != "statement" else MOMENTS[:1]  # after one is before the next
    sample = 4 if event == "statement" else 8
    return [f"{event} {moment} {k}" for moment in moments for k in plan.positions(most, in_short=sample)]


def kill_once(lane: Lane, case: str, web: str = "small") -> Tried:
    """Kill there, look at the file, resume, compare."""
    served = lane.web(web)
    with lane.room() as room:
        db = room / "crawl.db"
        ended = lane.crawl(*served.onto(db), trap=f"kill {case}")
        if not killed(ended):
            return Tried(reached=False, violations=finished(served, db, ended, kills=0))
        torn = intact(served, db)
        ended = lane.crawl(*served.onto(db))
        return Tried(1, [*torn, *finished(served, db, ended, kills=1)])


def sitemap_cases(plan: Plan, scout: Lane) -> list[str]:
    counts = events_of(scout, web="mapped")
    return [
        f"{event} {moment} {k}"
        for event in ("fetch", "commit")
        for moment in MOMENTS
        for k in plan.positions(counts[event], in_short=4)
    ]


def kill_with_sitemaps(lane: Lane, case: str) -> Tried:
    return kill_once(lane, case, "mapped")


def resume_cases(plan: Plan, scout: Lane) -> list[str]:
    """A first kill in the middle, and a second at every event of the run that resumes."""
    counts = events_of(scout)
    cases = []
    for event in EVENTS:
        moments = MOMENTS if event in ("commit", "fetch") else MOMENTS[:1]
        for moment in moments:
            positions = plan.positions(counts[event] * 2 // 3, in_short=4)
            cases += [f"{event} {moment} {k}" for k in positions]
    return cases


def kill_the_resume(lane: Lane, case: str) -> Tried:
    served = lane.web("small")
    with lane.room() as room:
        db = room / "crawl.db"
        first = lane.crawl(*served.onto(db), trap="kill commit before 14")
        second = lane.crawl(*served.onto(db), trap=f"kill {case}")
        if not killed(second):
            return Tried(reached=False, violations=finished(served, db, second, kills=int(killed(first))))
        torn = intact(served, db)
        ended = lane.crawl(*served.onto(db))
        return Tried(2, [*torn, *finished(served, db, ended, kills=2)])


def again_cases(plan: Plan, scout: Lane) -> list[str]:
    """Every run dies at its n-th commit, the first of which only notes that it has begun."""
    cases = [f"commit after {n}" for n in range(2, 7)] + [f"commit before {n}" for n in range(3, 8)]
    return plan.some(cases, in_short=3)


def kill_again_and_again(lane: Lane, case: str) -> Tried:
    """Every run is killed early, until nothing is left to do; the next one may say so."""
    served = lane.web("small")
    with lane.room() as room:
        db = room / "crawl.db"
        torn: list[str] = []
        for run in range(MAX_RUNS):
            left = not run or rows(db, "SELECT 1 FROM urls WHERE state = 'pending' LIMIT 1")
            ended = lane.crawl(*served.onto(db), trap=f"kill {case}" if left else "")
            if not killed(ended):
                return Tried(run, [*torn, *finished(served, db, ended, kills=run)])
            torn += intact(served, db)
        return Tried(MAX_RUNS, [*torn, f"not finished after {MAX_RUNS} runs"])


def budget_cases(plan: Plan, scout: Lane) -> list[str]:
    counts = events_of(scout, "--max-pages", str(BUDGET))
    cases = []
    for event, sample in (("commit", 6), ("dequeue", 4)):
        cases += [f"{event} before {k}" for k in plan.positions(counts[event] * 9 // 10, in_short=sample)]
    return cases


def kill_under_a_budget(lane: Lane, case: str) -> Tried:
    """The budget is met exactly, killed or not; without it the crawl then goes on to its true end."""
    served = lane.web("small")
    with lane.room() as room:
        words = served.onto(room / "crawl.db")
        ended = lane.crawl(*words, "--max-pages", str(BUDGET), trap=f"kill {case}")
        kills = int(killed(ended))
        if kills:
            ended = lane.crawl(*words, "--max-pages", str(BUDGET))
        wrong = [] if ended.code == 3 else [f"should have ended by its budget: {ended}"]
        if (stored := stored_pages(room / "crawl.db")) != BUDGET:
            wrong.append(f"{stored} pages stored instead of {BUDGET}")
        wrong += said_badly(ended)
        ended = lane.crawl(*words)
        wrong += finished(served, room / "crawl.db", ended, kills=kills)
        return Tried(kills + 1, wrong, reached=bool(kills))


FAULTS: Sequence[Fault] = (
    *(Fault(name=f"kill-{event}", cases=partial(cases_of, event), attempt=kill_once) for event in EVENTS),
    Fault(name="kill-resume", cases=resume_cases, attempt=kill_the_resume),
    Fault(name="kill-every-run", cases=again_cases, attempt=kill_again_and_again),
    Fault(name="kill-sitemaps", cases=sitemap_cases, attempt=kill_with_sitemaps),
    Fault(name="kill-budget", cases=budget_cases, attempt=kill_under_a_budget),
)
