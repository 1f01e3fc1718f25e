"""Clocks: jumps of the wall clock neither stall nor speed up a crawl; waits are kept across a kill."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from tests.faults.fault import CaseResult, Fault, Plan
from tests.faults.invariants import finished
from tests.faults.kills import events_of, killed
from tests.faults.misbehaving_server import NOT_THERE, MisbehavingServer, ReceivedRequest, Reply, answer, page
from tests.faults.suite_worker import SuiteWorker
from tests.faults.webs import NARROW
from tests.support.crawls import rows

DAY = 86_400
SOON = 20.0  # seconds; an undisturbed run with the same waits takes about five


def jump_cases(plan: Plan, probe: SuiteWorker) -> list[str]:
    """At which fetch, by how many seconds."""
    places = (0, 3, 20) if plan.short else (0, 1, 3, 8, 12, 20, 30)
    return [f"{place} {jump}" for place in places for jump in (DAY, -DAY)]


def jump(worker: SuiteWorker, case: str) -> CaseResult:
    served = worker.web("small")
    with worker.scratch_folder() as scratch:
        db = scratch / "crawl.db"
        words = (*served.onto(db), "--retry-delay", "0.5")
        ended = worker.crawl(*words, trap=f"clock {case}")
        wrong = finished(served, db, ended, kills=0)
        if ended.seconds > SOON:
            wrong.append(f"took {ended.seconds:.0f} s")
        for path in ("/flaky/1", "/flaky/2", "/always"):
            wrong += _hurried(served.web.times(path), least=0.25)
        return CaseResult(0, wrong)


def _hurried(times: Sequence[float], *, least: float) -> list[str]:
    gaps = [later - before for before, later in pairwise(times)]
    return [f"asked again after {gap:.2f} s" for gap in gaps if gap < least - 0.02]


def wrong_clock_cases(plan: Plan, probe: SuiteWorker) -> list[str]:
    """The first run believed to be in another day, and was stopped while retries waited."""
    return [f"{jump} {k}" for jump in (DAY, -DAY) for k in plan.positions(12, in_short=2)]


def correct_the_clock(worker: SuiteWorker, case: str) -> CaseResult:
    """What was written under a wrong time must not stall the run under the right one."""
    seconds, k = case.split()
    served = worker.web("small")
    with worker.scratch_folder() as scratch:
        db = scratch / "crawl.db"
        words = (*served.onto(db), "--retry-delay", "1")
        # Stopped when a retry waits: the commit that notes it is among the first dozen.
        worker.crawl(
            *words, "--max-time", f"{0.1 + int(k) * 0.03:.2f}", trap=f"clock 0 {seconds}", timeout=30
        )
        waiting = rows(db, "SELECT count(*) FROM urls WHERE retry_at IS NOT NULL")[0][0]
        ended = worker.crawl(*words, timeout=SOON * 2)
        wrong = finished(served, db, ended, kills=1)
        if ended.seconds > SOON:
            wrong.append(f"took {ended.seconds:.0f} s")
        return CaseResult(1, wrong, reached=waiting > 0)


def robots_cases(plan: Plan, probe: SuiteWorker) -> list[str]:
    return [f"commit after {k}" for k in plan.positions(events_of(probe)["commit"] * 9 // 10, in_short=4)][1:]


def remember_robots(worker: SuiteWorker, case: str) -> CaseResult:
    """Once its answer is stored, robots.txt is not asked for again after a kill."""
    served = worker.web("small")
    with worker.scratch_folder() as scratch:
        db = scratch / "crawl.db"
        if not killed(worker.crawl(*served.onto(db), trap=f"kill {case}")):
            return CaseResult(reached=False)
        known = rows(db, "SELECT count(*) FROM robots")[0][0]
        before = served.web.robots_requests
        ended = worker.crawl(*served.onto(db))
        again = served.web.robots_requests - before
        wrong = finished(served, db, ended, kills=1)
        if again > 1 - known:
            wrong.append(f"robots.txt was asked for {again} times though it was known")
        return CaseResult(1, wrong)


def waiting_cases(plan: Plan, probe: SuiteWorker) -> list[str]:
    return ["retry", "retry-after", "host-pause", "crawl-delay"]


def remember_waiting(worker: SuiteWorker, case: str) -> CaseResult:
    """A kill does not shorten what a URL or a host has to wait."""
    waits = 2.0
    paths = [f"/{number}" for number in range(6)]

    def behaviour(asked: ReceivedRequest) -> Reply:
        if asked.path == "/robots.txt":
            return answer(f"User-agent: *\nCrawl-delay: {waits:g}\n") if case == "crawl-delay" else NOT_THERE
        if asked.path == "/3" and asked.nth == 1 and case != "crawl-delay":
            extra = "" if case == "retry" else f"Retry-After: {waits:g}\r\n"
            return answer("later", status="503 Later", extra=extra)
        return page(asked.path, paths if asked.path == "/" else ())

    server = MisbehavingServer(behaviour, delay=0.02)
    adaptive = case in ("host-pause", "crawl-delay")  # fixed keeps exactly what the operator said
    polite = ("--throttle", "adaptive" if adaptive else "fixed", "--per-host", "1")
    patient = ("--retry-delay", str(2 * waits) if case == "retry" else "0")
    with worker.scratch_folder() as scratch, server.served() as port:
        db = scratch / "a.db"
        words = ("--seed", f"http://127.0.0.1:{port}/", *NARROW.flags, *polite, *patient, "--db", str(db))
        words = (*words, "--progress", "none")
        first = worker.crawl(*words, trap=f"kill commit after {3 if case == 'crawl-delay' else 8}")
        before = len(server.asked)
        ended = worker.crawl(*words)
        times = [asked.at for asked in server.asked if asked.path == "/3"]
        if adaptive:
            times = [asked.at for asked in server.asked[before - 1 : before + 1]]
            times[0] = max([at.at for at in server.asked[:before] if at.path == "/3"], default=times[0])
        wrong = [] if ended.code == 0 else [f"should have completed: {ended}"]
        return CaseResult(1, [*wrong, *_hurried(times[:2], least=waits)], reached=killed(first))


FAULTS: Sequence[Fault] = (
    Fault(name="clock-jump", cases=jump_cases, attempt=jump, waits=True),
    Fault(name="clock-corrected", cases=wrong_clock_cases, attempt=correct_the_clock, waits=True),
    Fault(name="robots-remembered", cases=robots_cases, attempt=remember_robots),
    Fault(name="waits-remembered", cases=waiting_cases, attempt=remember_waiting, waits=True),
)
