"""No network for a while: no host can be reached and no name resolves, until it is back."""

from __future__ import annotations

from collections.abc import Sequence

from tests.faults.fault import CaseResult, Fault, Plan
from tests.faults.invariants import left_behind, unreadable_output
from tests.faults.misbehaving_server import NOT_THERE, MisbehavingServer, ReceivedRequest, Reply, page
from tests.faults.suite_worker import SuiteWorker
from tests.faults.webs import NARROW
from tests.support.crawls import check_invariants, equal_crawls

AWAY = 5  # seconds
PAGES = 60
SOON = 40.0  # seconds in which it ends: the breaker rests five, then ten
FLAGS = ("--throttle", "fixed", "--per-host", "64", "--progress", "none", *NARROW.flags)


def offline_cases(plan: Plan, probe: SuiteWorker) -> list[str]:
    """HOST, and at which fetch it begins; the first asks for robots.txt."""
    places = (1, 20) if plan.short else (1, 2, 3, 20, 40)
    return [f"{host} {place}" for host in ("localhost", "127.0.0.1") for place in places]


def go_offline(worker: SuiteWorker, case: str) -> CaseResult:
    """Nothing is lost: the crawl waits for its host and ends as if nothing had been."""
    host, place = case.split()
    paths = [f"/{number}" for number in range(PAGES)]

    def behaviour(asked: ReceivedRequest) -> Reply:
        if asked.path == "/robots.txt":
            return NOT_THERE
        return page(asked.path, paths if asked.path == "/" else ())

    server = MisbehavingServer(behaviour, delay=0.01)
    with worker.scratch_folder() as scratch, server.served() as port:
        words = ("--seed", f"http://{host}:{port}/", *FLAGS, "--db")
        worker.crawl(*words, scratch / "baseline.db")
        db = scratch / "crawl.db"
        ended = worker.crawl(*words, db, trap=f"offline {place} {AWAY}", timeout=120)
        seconds, alone = ended.seconds, int(place) <= 2
        if alone and ended.code == 4:
            # A seed has no others whose failures would earn its host a rest: its four attempts may
            # be over sooner than the outage, and that is told.
            ended = worker.crawl(*words, db, "--retry-failed")
        wrong = [] if ended.code == 0 else [f"should have completed: {ended}"]
        wrong += [*unreadable_output(ended), *left_behind(db), *check_invariants(db)]
        wrong += equal_crawls(scratch / "baseline.db", db)[:5]
        wrong += [] if (alone or seconds >= AWAY) and seconds < SOON else [f"took {seconds:.0f} s"]
        return CaseResult(0, wrong)


FAULTS: Sequence[Fault] = (Fault(name="no-network", cases=offline_cases, attempt=go_offline, waits=True),)
