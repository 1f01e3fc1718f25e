"""Kill -9 at moments drawn by lot, many times, in a crawl of a few thousand pages by the real command."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

from tests.faults.fault import Fault, Plan, Tried
from tests.faults.invariants import finished, intact
from tests.faults.lane import Lane
from tests.faults.webs import Served

KILLS = 25  # of one crawl
CRAWLS = 4
STUCK_SECONDS = 60.0


def cases(plan: Plan, scout: Lane) -> list[str]:
    """WEB KILLS LOT"""
    if plan.short:
        return [f"drawn 5 {plan.seed + number}" for number in range(2)]
    return [f"vast {KILLS} {plan.seed + number}" for number in range(CRAWLS)]


def kill_at_random(lane: Lane, case: str) -> Tried:
    name, kills, lot = case.split()
    served, rng = lane.web(name), Random(int(lot))
    share = sum(served.share.values()) / (int(kills) + 1)
    with lane.room() as room:
        db = room / "crawl.db"
        struck, wrong = 0, []
        for _ in range(int(kills)):
            struck += _killed(lane, served, db, served.web.requests.total() + rng.uniform(0, share), rng)
            wrong += intact(served, db)
        ended = lane.command(*served.onto(db))
        wrong += finished(served, db, ended, kills=struck)
        wasted = served.web.requests.total() - sum(served.share.values())
        note = f"{wasted / max(struck, 1):.1f} requests lost per kill"
        return Tried(struck, wrong, reached=struck > 0, note=note)


def _killed(lane: Lane, served: Served, db: Path, wanted: float, rng: Random) -> bool:
    """Kill a run once the web has seen so many requests, and a moment. False if it was over before."""
    deadline = time.monotonic() + STUCK_SECONDS
    with lane.started(*served.onto(db)) as process:
        while served.web.requests.total() < wanted and process.poll() is None:
            if time.monotonic() > deadline:
                raise TimeoutError(f"no {wanted:.0f} requests within {STUCK_SECONDS:g} s")
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.02))
        process.kill()
        process.communicate()
        return process.returncode != 0


FAULTS: Sequence[Fault] = (Fault(name="kill-random", cases=cases, attempt=kill_at_random),)
