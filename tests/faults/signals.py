"""Signals at any moment, start-up included: the right exit code, no traceback, no process left, resumable."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from tests.faults.fault import CaseResult, Fault, Plan
from tests.faults.invariants import finished, unreadable_output
from tests.faults.misbehaving_server import MisbehavingServer, ReceivedRequest, Reply, answer, page
from tests.faults.suite_worker import ProcessResult, SuiteWorker
from tests.support.crawls import ROOT

CODES = {"SIGINT": 130, "SIGTERM": 143, "SIGHUP": 129}
LAST = 1.8  # seconds: when a crawl of the paced web is about over
SURELY = 0.4  # seconds after its first request in which a crawl of the paced web is under way
AGAIN = 0.05  # seconds to the second signal
ORPHANED = 15.0  # seconds in which a parser ends when nobody is left to end it
AT_ONCE = 5.0  # seconds in which a crawl without slow pages winds down


def moments(count: int) -> list[str]:
    return [f"{LAST * number / count:.3f}" for number in range(count)]


def signal_cases(plan: Plan, probe: SuiteWorker) -> list[str]:
    """SIGNAL TIMES SECONDS"""
    counts = {"SIGINT": (8, 40), "SIGTERM": (5, 25), "SIGHUP": (2, 10)}
    return [
        f"{name} {times} {moment}"
        for name, (few, many) in counts.items()
        for times in ("once", "twice")
        for moment in moments(few if plan.short else many)
    ]


def send(worker: SuiteWorker, case: str) -> CaseResult:
    name, times, moment = case.split()
    number = signal.Signals[name]
    served = worker.web("paced")
    with worker.scratch_folder() as scratch:
        db = scratch / "crawl.db"
        began = time.monotonic()
        with worker.started(*served.onto(db)) as process:
            time.sleep(float(moment))
            _send(process, number)
            if times == "twice":
                time.sleep(AGAIN)
                _send(process, number)
            ended = _end_of(process, began)
            # Before the command has begun, a signal does what it does to any process.
            wrong = _judge(ended, (0, CODES[name], -number)) + list(left_over(process.pid))
        if ended.seconds > float(moment) + AT_ONCE:
            wrong.append(f"took {ended.seconds - float(moment):.1f} s to end")
        if ended.code == 0:
            return CaseResult(0, [*wrong, *finished(served, db, ended, kills=0)], reached=False)
        resumed = worker.crawl(*served.onto(db))
        return CaseResult(1, [*wrong, *finished(served, db, resumed, kills=1)])


def _send(process: subprocess.Popen[str], number: signal.Signals) -> None:
    if process.poll() is None:
        process.send_signal(number)


def _end_of(process: subprocess.Popen[str], began: float) -> ProcessResult:
    stdout, stderr = process.communicate(timeout=30)
    return ProcessResult(process.returncode, stdout, stderr, time.monotonic() - began)


def _judge(ended: ProcessResult, codes: Sequence[int]) -> list[str]:
    wrong = [] if ended.code in codes else [f"should be exit {codes[1]}: {ended}"]
    if "Traceback" in ended.stderr and str(ROOT) not in ended.stderr:
        return wrong  # Python itself was still starting; nobody can help that
    return [*wrong, *unreadable_output(ended)]


def left_over(session: int, *, within: float = 2.0) -> Iterator[str]:
    """Processes that outlive the one whose session they are in; they are ended here."""
    deadline = time.monotonic() + within
    while (found := of_session(session)) and time.monotonic() < deadline:
        time.sleep(0.02)
    for pid in found:
        yield f"process {pid} is left over after {within:g} s"
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def of_session(session: int) -> list[int]:
    """The processes of a session, zombies apart."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, its_session = stat.read_text().rpartition(") ")[2].split()[:4]
        except OSError:
            continue  # it has ended meanwhile
        if int(its_session) == session and state != "Z":
            found.append(int(stat.parent.name))
    return found


def describe_cases(plan: Plan, probe: SuiteWorker) -> list[str]:
    """Seconds after the first request: before, a process may not know what the signal means to it."""
    return [f"{number * 0.03:.2f}" for number in ((0, 10) if plan.short else range(24))]


def describe(worker: SuiteWorker, case: str) -> CaseResult:
    """SIGUSR1 is a question: it is answered on standard error, and the crawl goes on."""
    served = worker.web("paced")
    with worker.scratch_folder() as scratch:
        db = scratch / "crawl.db"
        began = time.monotonic()
        with worker.started(*served.onto(db)) as process:
            while not served.web.requests.total() and process.poll() is None:
                time.sleep(0.002)
            time.sleep(float(case))
            _send(process, signal.SIGUSR1)
            ended = _end_of(process, began)
        wrong = finished(served, db, ended, kills=0)
        answered = "fetch: waits for" in ended.stderr and "task writer" in ended.stderr
        if not answered and float(case) < SURELY:
            wrong.append(f"was not answered: {ended}")
        return CaseResult(0, wrong, reached=answered)  # at the very end nobody answers any more


def orphan_cases(plan: Plan, probe: SuiteWorker) -> list[str]:
    return (
        ["SIGKILL busy", "SIGTERM busy"]
        if plan.short
        else [f"{name} {what}" for name in ("SIGKILL", "SIGTERM", "SIGINT") for what in ("busy", "idle")]
    )


def orphan_parsers(worker: SuiteWorker, case: str) -> CaseResult:
    """Parser processes end with the crawl that started them, also in the middle of a page that
    takes them long."""
    name, what = case.split()
    heavy = answer(f"<p {' '.join(f'a{number}' for number in range(400_000))}>")  # minutes
    light = [f"/{number}" for number in range(400)]

    def behaviour(asked: ReceivedRequest) -> Reply:
        return heavy if what == "busy" else page(asked.path, light * (asked.path == "/"))

    with worker.scratch_folder() as scratch, MisbehavingServer(behaviour, delay=0.005).served() as port:
        words = (
            "--seed",
            f"http://127.0.0.1:{port}/",
            "--no-robots",
            "--progress",
            "none",
            "--processes",
            "3",
        )
        with worker.started(*words, "--db", scratch / "crawl.db") as process:
            deadline = time.monotonic() + 20
            while len(of_session(process.pid)) < 2 and time.monotonic() < deadline and process.poll() is None:
                time.sleep(0.01)
            time.sleep(0.5 if what == "busy" else 0.02)  # the page is in its hand by now
            reached = len(of_session(process.pid)) > 1
            _send(process, signal.Signals[name])
            process.communicate(timeout=30)
            return CaseResult(0, list(left_over(process.pid, within=ORPHANED)), reached=reached)


FAULTS: Sequence[Fault] = (
    Fault(name="signal", cases=signal_cases, attempt=send, waits=True),
    Fault(name="signal-usr1", cases=describe_cases, attempt=describe, waits=True),
    Fault(name="orphan", cases=orphan_cases, attempt=orphan_parsers, waits=True),
)
