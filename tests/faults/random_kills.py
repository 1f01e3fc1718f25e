"""Kill -9 at random moments, many times, in a crawl of a few thousand pages by the real command."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

from tests.faults.fault import CaseResult, Fault, Plan
from tests.faults.invariants import finished, intact
from tests.faults.suite_worker import SuiteWorker
from tests.faults.webs import Served

KILLS = 25  # of one crawl
CRAWLS = 4
STUCK_SECONDS = 60.0


def cases(plan: Plan, probe: SuiteWorker) -> list[str]:
    """WEB KILLS LOT"""
    if plan.short:
        return [f"drawn 5 {plan.seed + number}" for number in range(2)]
    return [f"vast {KILLS} {plan.seed + number}" for number in range(CRAWLS)]


def kill_at_random(worker: SuiteWorker, case: str) -> CaseResult:
    name, kills, lot = case.split()
    served, rng = worker.web(name), Random(int(lot))
    share = sum(served.baseline_requests.values()) / (int(kills) + 1)
    with worker.scratch_folder() as scratch:
        db = scratch / "crawl.db"
        struck, wrong = 0, []
        for _ in range(int(kills)):
            struck += _killed(worker, served, db, served.web.requests.total() + rng.uniform(0, share), rng)
            wrong += intact(served, db)
        ended = worker.command(*served.onto(db))
        wrong += finished(served, db, ended, kills=struck)
        wasted = served.web.requests.total() - sum(served.baseline_requests.values())
        note = f"{wasted / max(struck, 1):.1f} requests lost per kill"
        return CaseResult(struck, wrong, reached=struck > 0, note=note)


def _killed(worker: SuiteWorker, served: Served, db: Path, wanted: float, rng: Random) -> bool:
    """Kill a run once the web has seen so many requests, and a moment. False if it was over before."""
    deadline = time.monotonic() + STUCK_SECONDS
    with worker.started(*served.onto(db)) as process:
        while served.web.requests.total() < wanted and process.poll() is None:
            if time.monotonic() > deadline:
                raise TimeoutError(f"no {wanted:.0f} requests within {STUCK_SECONDS:g} s")
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.02))
        process.kill()
        process.communicate()
        return process.returncode != 0


FAULTS: Sequence[Fault] = (Fault(name="kill-random", cases=cases, attempt=kill_at_random),)
