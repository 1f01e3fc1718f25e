"""Other programs on the same file: a second crawl, a foreign writer, long readers. None does harm."""

from __future__ import annotations

import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from tests.faults.fault import CaseResult, Fault, Plan
from tests.faults.invariants import finished, intact, one_clear_line, unreadable_output
from tests.faults.suite_worker import ProcessResult, SuiteWorker
from tests.support.crawls import rows

REFUSED_WITHIN = 5.0  # seconds, most of them the interpreter's start
FOR_EVER = 16.0  # seconds: the ten that a lock is waited for, and the rest to wind down


def second_cases(plan: Plan, probe: SuiteWorker) -> list[str]:
    return ["beside-a-running-one", "after-a-kill", "six-at-once"]


def start_second(worker: SuiteWorker, case: str) -> CaseResult:
    served = worker.web("paced")
    with worker.scratch_folder() as scratch, ExitStack() as running:
        words = (*served.onto(scratch / "crawl.db"), "--delay", "0.1")  # some six seconds
        if case == "six-at-once":
            six = [running.enter_context(worker.started(*words)) for _ in range(6)]
            ends = [_end_of(process) for process in six]
            wrong = [f"should be exit 0 or 75: {end}" for end in ends if end.code not in (0, 75)]
            wrong += [text for end in ends for text in unreadable_output(end)]
            if not any(end.code == 0 for end in ends):
                wrong.append("none of them could crawl")
            ended = worker.crawl(*words)
            return CaseResult(1, [*wrong, *finished(served, scratch / "crawl.db", ended, kills=0)])
        first = running.enter_context(worker.started(*words))
        while served.web.requests.total() < 5 and first.poll() is None:
            time.sleep(0.002)
        if case == "after-a-kill":
            first.kill()
            first.communicate()
            ended = worker.command(*words)
            return CaseResult(1, finished(served, scratch / "crawl.db", ended, kills=1))
        second = worker.command(*words)
        wrong = [] if second.code == 75 else [f"should have been refused: {second}"]
        wrong += one_clear_line(second)
        if second.seconds > REFUSED_WITHIN:
            wrong.append(f"was refused after {second.seconds:.1f} s only")
        return CaseResult(0, [*wrong, *finished(served, scratch / "crawl.db", _end_of(first), kills=0)])


def _end_of(process: subprocess.Popen[str]) -> ProcessResult:
    began = time.monotonic()
    stdout, stderr = process.communicate(timeout=60)
    return ProcessResult(process.returncode, stdout, stderr, time.monotonic() - began)


def writer_cases(plan: Plan, probe: SuiteWorker) -> list[str]:
    """WHEN SECONDS, for which another program holds the write lock."""
    return [f"{when} {held}" for when in ("before", "during") for held in ("2", "for-ever")]


def hold_write_lock(worker: SuiteWorker, case: str) -> CaseResult:
    """Waited for while there is hope; for ever is an error that says so, and the resume heals."""
    when, held = case.split()
    served = worker.web("paced")
    with worker.scratch_folder() as scratch:
        db = scratch / "crawl.db"
        words = served.onto(db)
        if when == "before":
            worker.crawl(*words, "--max-pages", "5")
        with worker.started(*words) if when == "during" else _nothing() as first:
            while when == "during" and served.web.requests.total() < 20:
                time.sleep(0.002)
            with _locked(db, None if held == "for-ever" else float(held)):
                ended = _end_of(first) if first is not None else worker.crawl(*words)
        if held != "for-ever":
            return CaseResult(0, finished(served, db, ended, kills=0))
        wrong = [] if ended.code == (1 if when == "during" else 2) else [f"wrong exit: {ended}"]
        wrong += one_clear_line(ended)
        if "lock" not in ended.stderr:
            wrong.append(f"does not name the lock: {ended}")
        if ended.seconds > FOR_EVER:
            wrong.append(f"waited {ended.seconds:.0f} s")
        wrong += intact(served, db)
        resumed = worker.crawl(*words)
        note = f"gave up after {ended.seconds:.0f} s"
        return CaseResult(1, [*wrong, *finished(served, db, resumed, kills=1)], note=note)


@contextmanager
def _nothing() -> Iterator[None]:
    yield None


@contextmanager
def _locked(db: Path, seconds: float | None) -> Iterator[None]:
    """Hold the write lock for so long, or until the end of the block."""
    with closing(sqlite3.connect(db, isolation_level=None, timeout=20, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        timer = threading.Timer(seconds, other.execute, ("ROLLBACK",)) if seconds is not None else None
        if timer is not None:
            timer.start()
        try:
            yield
        finally:
            if timer is not None:
                timer.join()
            else:
                other.execute("ROLLBACK")


def reader_cases(plan: Plan, probe: SuiteWorker) -> list[str]:
    return (
        ["one-long drawn", "commands drawn"]
        if plan.short
        else [f"{how} {web}" for how in ("one-long", "many-short", "commands") for web in ("drawn", "vast")]
    )


def read_meanwhile(worker: SuiteWorker, case: str) -> CaseResult:
    """Whoever reads, and however long, the crawl neither waits nor fails; the WAL stays in bounds."""
    how, web = case.split()
    served = worker.web(web)
    with worker.scratch_folder() as scratch:
        db = scratch / "crawl.db"
        wrong, largest = [], 0
        with worker.started(*served.onto(db)) as process:
            while not served.web.requests.total() and process.poll() is None:
                time.sleep(0.002)
            with closing(_reader(db)) as reader:
                reader.execute("BEGIN")
                before = reader.execute("SELECT count(*) FROM urls").fetchone()
                while process.poll() is None:
                    largest = max(largest, _size(db, "-wal"))
                    if how == "many-short":
                        rows(db, "SELECT state, count(*) FROM urls GROUP BY state")
                    elif how == "commands":
                        told = worker.crawl("status", "--db", db)
                        wrong += [] if told.code == 0 else [f"status failed meanwhile: {told}"]
                    time.sleep(0.005)
                    if how != "one-long":
                        reader.rollback()
                if how == "one-long" and reader.execute("SELECT count(*) FROM urls").fetchone() != before:
                    wrong.append("the reader's moment did not stand still")
            stdout, stderr = process.communicate()
        ended = ProcessResult(process.returncode, stdout, stderr, 0.0)
        again = worker.crawl(*served.onto(db))  # with nobody else there, the WAL goes
        wrong += [] if ended.code == 0 else [f"should have completed: {ended}"]
        wrong += finished(served, db, again, kills=0)
        ratio = largest / max(_size(db), 1)
        note = f"{case}: WAL at most {largest / 2**20:.1f} MiB, {ratio:.1f} times the database"
        return CaseResult(1, wrong, note=note)


def _reader(db: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{db.as_uri()}?mode=ro", uri=True, isolation_level=None)


def _size(db: Path, beside: str = "") -> int:
    try:
        return db.with_name(db.name + beside).stat().st_size
    except FileNotFoundError:
        return 0


FAULTS: Sequence[Fault] = (
    Fault(name="second-crawl", cases=second_cases, attempt=start_second, waits=True),
    Fault(name="foreign-writer", cases=writer_cases, attempt=hold_write_lock, waits=True),
    Fault(name="readers", cases=reader_cases, attempt=read_meanwhile),
)
