"""What a cut of the power may leave: a WAL that ends anywhere, and rubbish in the files beside it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from random import Random

from tests.faults.fault import Fault, Plan, Tried
from tests.faults.invariants import intact, left_behind, said_badly
from tests.faults.kills import killed
from tests.faults.lane import Lane
from tests.faults.webs import Served
from tests.support.crawls import check_invariants, equal_crawls


def killed_file(lane: Lane, served: Served) -> Path:
    """A crawl that was killed with most of its work in the WAL; made once, to be copied."""
    path = lane.folder / "killed" / "crawl.db"
    if not path.parent.exists():
        path.parent.mkdir()
        ended = lane.crawl(*served.onto(path), trap="kill commit before 16")
        if not killed(ended):
            raise RuntimeError(f"the crawl whose files are to be spoilt: {ended}")
    return path


def wal_cases(plan: Plan, scout: Lane) -> list[str]:
    """Lengths of the WAL, and places where it has a wrong byte, as shares of what each lane has of it."""
    count = 12 if plan.short else 120
    places = [f"{number / count:.4f}" for number in range(count)]
    return [*(f"cut {at}" for at in places), *(f"flipped {at}" for at in places[:: 4 if plan.short else 3])]


def tear_wal(lane: Lane, case: str) -> Tried:
    """Later commits are lost, an earlier state remains; the crawl goes on from there."""
    kind, share = case.split()
    served = lane.web("small")
    with lane.room() as room:
        db = room / "crawl.db"
        dead = killed_file(lane, served)
        shutil.copyfile(dead, db)
        data = bytearray(dead.with_name("crawl.db-wal").read_bytes())
        at = int(float(share) * len(data))
        if kind == "cut":
            del data[at:]
        else:
            data[at] ^= 0x55
        (room / "crawl.db-wal").write_bytes(data)
        return Tried(1, [*intact(served, db), *_resumed(lane, served, db)])


def _resumed(lane: Lane, served: Served, db: Path) -> list[str]:
    served.web.heal()
    ended = lane.crawl(*served.onto(db))
    if ended.code:
        return [f"should have resumed: {ended}"]
    return [*left_behind(db), *said_badly(ended), *check_invariants(db), *equal_crawls(served.peace, db)][:5]


def beside_cases(plan: Plan, scout: Lane) -> list[str]:
    return [
        f"{name} {what}" for name in ("-shm", "-parsing", "-lock") for what in ("rubbish", "empty", "vast")
    ]


def spoil_beside(lane: Lane, case: str) -> Tried:
    """What lies beside the file is never trusted."""
    name, what = case.split()
    served = lane.web("small")
    with lane.room() as room:
        db = room / "crawl.db"
        for path in killed_file(lane, served).parent.iterdir():
            shutil.copyfile(path, room / path.name)
        rubbish = {
            "rubbish": Random(1).randbytes(5_000),
            "empty": b"",
            "vast": json.dumps([0] * 500_000).encode(),
        }
        (room / f"crawl.db{name}").write_bytes(rubbish[what])
        return Tried(1, _resumed(lane, served, db))


FAULTS: Sequence[Fault] = (
    Fault(name="torn-wal", cases=wal_cases, attempt=tear_wal),
    Fault(name="spoilt-beside", cases=beside_cases, attempt=spoil_beside),
)
