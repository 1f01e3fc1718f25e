"""Power cuts: a WAL that ends anywhere, and random bytes in the files beside it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from random import Random

from tests.faults.fault import CaseResult, Fault, Plan
from tests.faults.invariants import intact, left_behind, unreadable_output
from tests.faults.kills import killed
from tests.faults.suite_worker import SuiteWorker
from tests.faults.webs import Served
from tests.support.crawls import check_invariants, equal_crawls


def killed_file(worker: SuiteWorker, served: Served) -> Path:
    """A crawl that was killed with most of its work in the WAL; made once, to be copied."""
    path = worker.folder / "killed" / "crawl.db"
    if not path.parent.exists():
        path.parent.mkdir()
        ended = worker.crawl(*served.onto(path), trap="kill commit before 16")
        if not killed(ended):
            raise RuntimeError(f"the crawl whose files are to be spoilt: {ended}")
    return path


def wal_cases(plan: Plan, probe: SuiteWorker) -> list[str]:
    """Lengths of the WAL, and places where it has a wrong byte, as shares of what each worker has of it."""
    count = 12 if plan.short else 120
    places = [f"{number / count:.4f}" for number in range(count)]
    return [*(f"cut {at}" for at in places), *(f"flipped {at}" for at in places[:: 4 if plan.short else 3])]


def tear_wal(worker: SuiteWorker, case: str) -> CaseResult:
    """Later commits are lost, an earlier state remains; the crawl goes on from there."""
    kind, share = case.split()
    served = worker.web("small")
    with worker.scratch_folder() as scratch:
        db = scratch / "crawl.db"
        dead = killed_file(worker, served)
        shutil.copyfile(dead, db)
        data = bytearray(dead.with_name("crawl.db-wal").read_bytes())
        at = int(float(share) * len(data))
        if kind == "cut":
            del data[at:]
        else:
            data[at] ^= 0x55
        (scratch / "crawl.db-wal").write_bytes(data)
        return CaseResult(1, [*intact(served, db), *_resumed(worker, served, db)])


def _resumed(worker: SuiteWorker, served: Served, db: Path) -> list[str]:
    served.web.heal()
    ended = worker.crawl(*served.onto(db))
    if ended.code:
        return [f"should have resumed: {ended}"]
    return [
        *left_behind(db),
        *unreadable_output(ended),
        *check_invariants(db),
        *equal_crawls(served.baseline, db),
    ][:5]


def beside_cases(plan: Plan, probe: SuiteWorker) -> list[str]:
    return [
        f"{name} {what}" for name in ("-shm", "-parsing", "-lock") for what in ("rubbish", "empty", "vast")
    ]


def spoil_beside(worker: SuiteWorker, case: str) -> CaseResult:
    """What lies beside the file is never trusted."""
    name, what = case.split()
    served = worker.web("small")
    with worker.scratch_folder() as scratch:
        db = scratch / "crawl.db"
        for path in killed_file(worker, served).parent.iterdir():
            shutil.copyfile(path, scratch / path.name)
        rubbish = {
            "rubbish": Random(1).randbytes(5_000),
            "empty": b"",
            "vast": json.dumps([0] * 500_000).encode(),
        }
        (scratch / f"crawl.db{name}").write_bytes(rubbish[what])
        return CaseResult(1, _resumed(worker, served, db))


FAULTS: Sequence[Fault] = (
    Fault(name="torn-wal", cases=wal_cases, attempt=tear_wal),
    Fault(name="spoilt-beside", cases=beside_cases, attempt=spoil_beside),
)
