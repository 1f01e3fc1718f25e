"""Signals at any moment, start-up included: the right exit code, no traceback, nobody left, resumable."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from tests.faults.fault import Fault, Plan, Tried
from tests.faults.invariants import finished, said_badly
from tests.faults.lane import Ended, Lane
from tests.faults.moody import Asked, Moody, Reply, answer, page
from tests.support.crawls import ROOT

CODES = {"SIGINT": 130, "SIGTERM": 143, "SIGHUP": 129}
LAST = 1.8  # seconds: when a crawl of the paced web is about over
SURELY = 0.4  # seconds after its first request in which a crawl of the paced web is under way
AGAIN = 0.05  # seconds to the second signal
ORPHANED = 15.0  # seconds in which a parser ends when nobody is left to end it
AT_ONCE = 5.0  # seconds in which a crawl without slow pages winds down


def moments(count: int) -> list[str]:
    return [f"{LAST * number / count:.3f}" for number in range(count)]


def signal_cases(plan: Plan, scout: Lane) -> list[str]:
    """SIGNAL TIMES SECONDS"""
    counts = {"SIGINT": (8, 40), "SIGTERM": (5, 25), "SIGHUP": (2, 10)}
    return [
        f"{name} {times} {moment}"
        for name, (few, many) in counts.items()
        for times in ("once", "twice")
        for moment in moments(few if plan.short else many)
    ]


def send(lane: Lane, case: str) -> Tried:
    name, times, moment = case.split()
    number = signal.Signals[name]
    served = lane.web("paced")
    with lane.room() as room:
        db = room / "crawl.db"
        began = time.monotonic()
        with lane.started(*served.onto(db)) as process:
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
            return Tried(0, [*wrong, *finished(served, db, ended, kills=0)], reached=False)
        resumed = lane.crawl(*served.onto(db))
        return Tried(1, [*wrong, *finished(served, db, resumed, kills=1)])


def _send(process: subprocess.Popen[str], number: signal.Signals) -> None:
    if process.poll() is None:
        process.send_signal(number)


def _end_of(process: subprocess.Popen[str], began: float) -> Ended:
    stdout, stderr = process.communicate(timeout=30)
    return Ended(process.returncode, stdout, stderr, time.monotonic() - began)


def _judge(ended: Ended, codes: Sequence[int]) -> list[str]:
    wrong = [] if ended.code in codes else [f"should be exit {codes[1]}: {ended}"]
    if "Traceback" in ended.stderr and str(ROOT) not in ended.stderr:
        return wrong  # Python itself was still starting; nobody can help that
    return [*wrong, *said_badly(ended)]


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


def describe_cases(plan: Plan, scout: Lane) -> list[str]:
    """Seconds after the first request: before, a process may not know what the signal means to it."""
    return [f"{number * 0.03:.2f}" for number in ((0, 10) if plan.short else range(24))]


def describe(lane: Lane, case: str) -> Tried:
    """SIGUSR1 is a question: it is answered on standard error, and the crawl goes on."""
    served = lane.web("paced")
    with lane.room() as room:
        db = room / "crawl.db"
        began = time.monotonic()
        with lane.started(*served.onto(db)) as process:
            while not served.web.requests.total() and process.poll() is None:
                time.sleep(0.002)
            time.sleep(float(case))
            _send(process, signal.SIGUSR1)
            ended = _end_of(process, began)
        wrong = finished(served, db, ended, kills=0)
        answered = "fetch: waits for" in ended.stderr and "task writer" in ended.stderr
        if not answered and float(case) < SURELY:
            wrong.append(f"was not answered: {ended}")
        return Tried(0, wrong, reached=answered)  # at the very end nobody answers any more


def orphan_cases(plan: Plan, scout: Lane) -> list[str]:
    return (
        ["SIGKILL busy", "SIGTERM busy"]
        if plan.short
        else [f"{name} {what}" for name in ("SIGKILL", "SIGTERM", "SIGINT") for what in ("busy", "idle")]
    )


def orphan_parsers(lane: Lane, case: str) -> Tried:
    """Parser processes end with the crawl that started them, also in the middle of a page that
    takes them long."""
    name, what = case.split()
    heavy = answer(f"<p {' '.join(f'a{number}' for number in range(400_000))}>")  # minutes
    light = [f"/{number}" for number in range(400)]

    def mood(asked: Asked) -> Reply:
        return heavy if what == "busy" else page(asked.path, light * (asked.path == "/"))

    with lane.room() as room, Moody(mood, delay=0.005).served() as port:
        words = (
            "--seed",
            f"http://127.0.0.1:{port}/",
            "--no-robots",
            "--progress",
            "none",
            "--processes",
            "3",
        )
        with lane.started(*words, "--db", room / "crawl.db") as process:
            deadline = time.monotonic() + 20
            while len(of_session(process.pid)) < 2 and time.monotonic() < deadline and process.poll() is None:
                time.sleep(0.01)
            time.sleep(0.5 if what == "busy" else 0.02)  # the page is in its hand by now
            reached = len(of_session(process.pid)) > 1
            _send(process, signal.Signals[name])
            process.communicate(timeout=30)
            return Tried(0, list(left_over(process.pid, within=ORPHANED)), reached=reached)


FAULTS: Sequence[Fault] = (
    Fault(name="signal", cases=signal_cases, attempt=send, waits=True),
    Fault(name="signal-usr1", cases=describe_cases, attempt=describe, waits=True),
    Fault(name="orphan", cases=orphan_cases, attempt=orphan_parsers, waits=True),
)
