"""Bad files: refused or run with a clear line, never overwritten, never a traceback. Every command."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from random import Random

from tests.faults.fault import CaseResult, Fault, Plan
from tests.faults.invariants import contradictions, finished, unreadable_output
from tests.faults.migrations import make_older
from tests.faults.suite_worker import ProcessResult, SuiteWorker
from tests.faults.webs import Served
from tests.support.crawls import equal_crawls, rows

PAGE = 4096
SEE_AND_STOP = 20.0  # seconds that any command may need for a small file
READERS = (
    ("status",),
    ("query", "SELECT state, count(*) FROM urls GROUP BY state"),
    ("query", "SELECT * FROM links ORDER BY text LIMIT 5"),
    ("why", "{seed}"),
    ("report", "redirect_chains"),
)


def whole_file(worker: SuiteWorker, served: Served) -> Path:
    """A crawl that stopped in the middle and was closed in baseline; made once, to be copied."""
    path = worker.folder / "stopped.db"
    if not path.exists():
        ended = worker.crawl(*served.onto(path), "--max-pages", "15")
        if ended.code != 3:
            raise RuntimeError(f"the crawl whose file is to be damaged: {ended}")
    return path


def damage_cases(plan: Plan, probe: SuiteWorker) -> list[str]:
    size = whole_file(probe, probe.web("small")).stat().st_size
    pages = size // PAGE
    lengths = [1, 15, 16, 17, 99, 100, 101, 511, 512, PAGE - 1, PAGE, PAGE + 1]
    lengths += [page * PAGE + shift for page in range(2, pages) for shift in (0, 1000)]
    return [
        *OTHERS,
        *plan.some((f"truncated {length}" for length in lengths), in_short=8),
        *plan.some((f"zeroed {page}" for page in range(pages)), in_short=6),
        *plan.some(
            (f"flipped {page + number * pages}" for number in range(4) for page in range(pages)), in_short=6
        ),
    ]


def damage(worker: SuiteWorker, case: str) -> CaseResult:
    kind, _, detail = case.partition(" ")
    served = worker.web("small")
    with worker.scratch_folder() as scratch:
        db = scratch / "crawl.db"
        DAMAGE[kind](whole_file(worker, served), db, int(detail or 0))
        wrong = []
        for words in READERS:
            before = fingerprint(db)
            command = [word.format(seed=served.url) for word in words]
            ended = worker.crawl(*command, "--db", db, timeout=SEE_AND_STOP)
            wrong += _judge(" ".join(command[:2]), ended, kind, codes=(0, 2))
            if fingerprint(db) != before:
                wrong.append(f"{command[0]} has changed the file")
        before = fingerprint(db)
        ended = worker.crawl(*served.onto(db), timeout=SEE_AND_STOP)
        wrong += _judge("crawl", ended, kind, codes=(0, 1, 2) if kind in MAY_RUN else (2,))
        if ended.code == 2 and fingerprint(db) != before:
            wrong.append("crawl has refused the file and changed it all the same")
        if kind == "empty":
            wrong += finished(served, db, ended, kills=0)
        if kind == "older":
            wrong += [*contradictions(served, db, finished=True), *equal_crawls(served.baseline, db)]
        return CaseResult(0, wrong)


def _judge(command: str, ended: ProcessResult, kind: str, *, codes: Sequence[int]) -> list[str]:
    """SQLite has no checksums: of a flipped bit nobody may know but who stumbles over its row."""
    stumbled = kind == "flipped" and ended.code == 1
    wrong = [] if ended.code in codes or stumbled else [f"{command} should end with {codes}: {ended}"]
    clear = ended.code == 0 or ended.stderr.count("penstock: error: ") == 1
    if not clear or ("unexpected" in ended.stderr and not stumbled):
        wrong.append(f"{command} says nothing clear: {ended}")
    return [*wrong, *unreadable_output(ended)]


def fingerprint(db: Path) -> str:
    if not db.is_file():
        return str([*sorted(path.name for path in db.iterdir())] if db.is_dir() else db.lstat().st_mode)
    return hashlib.sha256(db.read_bytes()).hexdigest()


def _truncated(whole: Path, db: Path, length: int) -> None:
    db.write_bytes(whole.read_bytes()[:length])


def _zeroed(whole: Path, db: Path, page: int) -> None:
    data = bytearray(whole.read_bytes())
    data[page * PAGE : (page + 1) * PAGE] = bytes(PAGE)
    db.write_bytes(data)


def _flipped(whole: Path, db: Path, lot: int) -> None:
    """Sixty bytes of one page; the lot says of which, and which."""
    data, rng = bytearray(whole.read_bytes()), Random(lot)
    page = lot % (len(data) // PAGE)
    for _ in range(60):
        data[page * PAGE + rng.randrange(PAGE)] ^= 1 << rng.randrange(8)
    db.write_bytes(data)


def _text(whole: Path, db: Path, _: int) -> None:
    db.write_text("Dear diary,\n" * 1000)


def _begun(whole: Path, db: Path, _: int) -> None:
    db.write_bytes(b"SQLite format 3\0" + b"and then something else" * 1000)


def _empty(whole: Path, db: Path, _: int) -> None:
    db.touch()


def _folder(whole: Path, db: Path, _: int) -> None:
    db.mkdir()


def _fifo(whole: Path, db: Path, _: int) -> None:
    os.mkfifo(db)


def _astray(whole: Path, db: Path, _: int) -> None:
    db.symlink_to(db.parent / "no such folder" / "crawl.db")


def _looping(whole: Path, db: Path, _: int) -> None:
    db.symlink_to(db)


def _stranger(whole: Path, db: Path, _: int) -> None:
    with closing(sqlite3.connect(db)) as connection:
        connection.executescript("CREATE TABLE diary (day TEXT); INSERT INTO diary VALUES ('monday')")


def _newer(whole: Path, db: Path, _: int) -> None:
    shutil.copyfile(whole, db)
    with closing(sqlite3.connect(db)) as connection:
        connection.execute("PRAGMA user_version = 99")


def _older(whole: Path, db: Path, _: int) -> None:
    make_older(whole, db)


def _hollow(whole: Path, db: Path, _: int) -> None:
    """Ours by its numbers, but its tables are gone."""
    with closing(sqlite3.connect(db)) as connection:
        [(version,)] = rows(whole, "PRAGMA user_version")
        [(application,)] = rows(whole, "PRAGMA application_id")
        connection.executescript(
            f"PRAGMA application_id = {application}; PRAGMA user_version = {version}; CREATE TABLE x (y)"
        )


DAMAGE: Mapping[str, Callable[[Path, Path, int], None]] = {
    "text": _text,
    "begun": _begun,
    "empty": _empty,
    "folder": _folder,
    "fifo": _fifo,
    "astray": _astray,
    "looping": _looping,
    "stranger": _stranger,
    "older": _older,
    "newer": _newer,
    "hollow": _hollow,
    "truncated": _truncated,
    "zeroed": _zeroed,
    "flipped": _flipped,
}
OTHERS = [kind for kind in DAMAGE if kind not in ("truncated", "zeroed", "flipped")]
MAY_RUN = ("empty", "older", "truncated", "zeroed", "flipped")  # damage may lie where nobody looks

FAULTS: Sequence[Fault] = (Fault(name="bad-file", cases=damage_cases, attempt=damage),)
