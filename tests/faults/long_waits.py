"""Long waits: a reader that stays for a minute, and a crawl without progress for a minute."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing, suppress

from tests.faults.fault import CaseResult, Fault, Plan
from tests.faults.invariants import finished, unreadable_output
from tests.faults.misbehaving_server import MisbehavingServer, Misbehaviour, ReceivedRequest, Reply, page
from tests.faults.suite_worker import ProcessResult, SuiteWorker
from tests.faults.webs import NARROW
from tests.support.crawls import rows

READS = 60.0  # seconds
PACE = 0.025  # seconds between two requests: the crawl of some 3,300 URLs outlasts the reader
# A reader keeps SQLite from beginning the WAL anew; a commit of one page adds some ten database pages.
MOST_MIB_PER_REQUEST = 64 / 1024
CHECKPOINT_MIB = 4.0  # after which SQLite checkpoints, and without readers begins it anew
LIMIT_MIB = 64.0  # storage's journal_size_limit, to which it is cut when it begins anew
STUCK = 60.0  # seconds without a settled URL


def reader_cases(plan: Plan, probe: SuiteWorker) -> list[str]:
    return [] if plan.short else ["vast"]


def read_for_a_minute(worker: SuiteWorker, case: str) -> CaseResult:
    """One read transaction of a minute: the crawl keeps its pace, and the WAL begins anew afterwards."""
    served = worker.web(case)
    with worker.scratch_folder() as scratch:
        db = scratch / "crawl.db"
        wal = db.with_name("crawl.db-wal")
        words = (*served.onto(db), "--delay", str(PACE))
        with worker.started(*words) as process:
            while served.web.requests.total() < 50 and process.poll() is None:
                time.sleep(0.01)
            before, began = served.web.requests.total(), time.monotonic()
            with closing(sqlite3.connect(f"{db.as_uri()}?mode=ro", uri=True, isolation_level=None)) as reader:
                reader.execute("BEGIN")
                moment = reader.execute("SELECT count(*) FROM urls").fetchone()
                while time.monotonic() < began + READS and process.poll() is None:
                    time.sleep(0.1)
                read = time.monotonic() - began
                stood = reader.execute("SELECT count(*) FROM urls").fetchone() == moment
            asked, held = served.web.requests.total() - before, wal.stat().st_size / 2**20
            largest = last = held
            while process.poll() is None:
                with suppress(FileNotFoundError):
                    last = wal.stat().st_size / 2**20
                largest = max(largest, last)
                time.sleep(0.02)
            stdout, stderr = process.communicate()
        ended = ProcessResult(process.returncode, stdout, stderr, time.monotonic() - began)
        wrong = finished(served, db, ended, kills=0)
        wrong += [] if read > READS - 1 else [f"the crawl was over after {read:.0f} s"]
        wrong += [] if stood else ["the reader's moment did not stand still"]
        if asked < 0.5 * READS / PACE:
            wrong.append(f"only {asked} requests in {READS:g} s")
        sizes = f"{held:.1f} MiB under a reader of {READS:g} s and {asked} requests, then {last:.1f}"
        if held > asked * MOST_MIB_PER_REQUEST or largest > held + CHECKPOINT_MIB:
            wrong.append(f"the WAL grew without bounds: {sizes}, at most {largest:.1f}")
        if last > LIMIT_MIB + CHECKPOINT_MIB:
            wrong.append(f"the WAL was not cut: {sizes}")
        note = f"WAL {sizes}"
        return CaseResult(0, wrong, note=note)


def stuck_cases(plan: Plan, probe: SuiteWorker) -> list[str]:
    return [] if plan.short else ["drip"]


def get_stuck(worker: SuiteWorker, case: str) -> CaseResult:
    """After a minute a line says what every stage waits for, and which fetch is the oldest."""

    def behaviour(asked: ReceivedRequest) -> Reply:
        return Misbehaviour.DRIP if asked.path == "/slow" else page(asked.path, ["/slow"])

    with worker.scratch_folder() as scratch, MisbehavingServer(behaviour).served() as port:
        seed = f"http://127.0.0.1:{port}/"
        words = ("--seed", seed, "--no-robots", *NARROW.flags, "--progress", "none")
        patient = ("--timeout", "300", "--max-time", f"{STUCK + 12:g}", "--grace", "1")
        ended = worker.command(*words, *patient, "--db", scratch / "a.db", timeout=STUCK * 2)
        lines = [line for line in ended.stderr.splitlines() if "nothing_settled" in line]
        wrong = [] if len(lines) == 1 and ended.code == 3 else [f"should be one line, then exit 3: {ended}"]
        facts = (rf"fetch: waits for answers.*oldest {seed}slow for 6", "parse: waits for fetch")
        wrong += [f"does not say {fact!r}: {lines}" for fact in facts if not re.search(fact, str(lines))]
        [(state,)] = rows(scratch / "a.db", "SELECT state FROM urls WHERE url LIKE '%/slow'")
        return CaseResult(
            0, [*wrong, *unreadable_output(ended)] + ([] if state == "pending" else [f"it is {state}"])
        )


FAULTS: Sequence[Fault] = (
    Fault(name="long-reader", cases=reader_cases, attempt=read_for_a_minute, waits=True),
    Fault(name="stuck", cases=stuck_cases, attempt=get_stuck, waits=True),
)
