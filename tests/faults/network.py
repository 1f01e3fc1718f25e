"""The network fails: a server that goes and comes back, resets, no name, no descriptors, a dead host."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from tests.faults.fault import CaseResult, Fault, Plan
from tests.faults.invariants import left_behind, one_clear_line, unreadable_output
from tests.faults.misbehaving_server import (
    NOT_THERE,
    MisbehavingServer,
    Misbehaviour,
    ReceivedRequest,
    Reply,
    page,
)
from tests.faults.suite_worker import ProcessResult, SuiteWorker
from tests.faults.webs import NARROW, TimedWeb
from tests.support.crawls import check_invariants, equal_crawls, rows

FLAGS = (*NARROW.flags, "--depth", "inf", "--throttle", "fixed", "--per-host", "64", "--progress", "none")
PAGES = 40


def away_cases(plan: Plan, probe: SuiteWorker) -> list[str]:
    """Seconds, and after how many requests it goes."""
    return (
        ["1 20", "4 40"] if plan.short else [f"{away} {after}" for away in (1, 3, 5) for after in (1, 10, 40)]
    )


def go_away(worker: SuiteWorker, case: str) -> CaseResult:
    """The server dies mid-crawl and comes back on the same port: nothing is lost, nobody hurries."""
    away, after = map(int, case.split())
    web = TimedWeb(latency=0)
    rooms = [f"/{number}" for number in range(60)]
    web.page("/", *rooms[:10])
    for number, path in enumerate(rooms):
        web.page(path, "/", *rooms[number + 1 : number + 4], delay=0.03)
    with worker.scratch_folder() as scratch:
        baseline, db = scratch / "baseline.db", scratch / "crawl.db"
        with web.serve_in_thread() as url:
            words = ("--seed", url, *FLAGS, "--no-robots", "--db")
            worker.crawl(*words, baseline)
            web.forget()
            process = worker.started(*words, db)
            crawl = process.__enter__()
            _wait_for(web, after)
        port = int(url.rstrip("/").rpartition(":")[2])
        try:
            time.sleep(away)
            began = time.monotonic()
            with web.serve_in_thread(port):
                _, stderr = crawl.communicate(timeout=90)
            ended = ProcessResult(crawl.returncode, "", stderr, time.monotonic() - began)
        finally:
            process.__exit__(None, None, None)
        wrong = [] if ended.code == 0 else [f"should have completed: {ended}"]
        wrong += [*unreadable_output(ended), *left_behind(db), *equal_crawls(baseline, db)[:5]]
        return CaseResult(0, wrong, note=f"{away} s away: over {ended.seconds:.0f} s after its return")


def _wait_for(web: TimedWeb, requests: int) -> None:
    deadline = time.monotonic() + 30
    while web.requests.total() < requests and time.monotonic() < deadline:
        time.sleep(0.002)


def rude_cases(plan: Plan, probe: SuiteWorker) -> list[str]:
    return ["reset once", "cut once", "reset always", "cut always"]


def be_rude(worker: SuiteWorker, case: str) -> CaseResult:
    """Some pages are refused: once, and they are asked again; always, and they fail, bounded; then
    they heal, and --retry-failed gives them their chance."""
    how, often = case.split()
    paths = [f"/{number}" for number in range(PAGES)]
    step = 3 if often == "once" else 20  # more would be a dead host to the breaker

    def behaviour(asked: ReceivedRequest) -> Reply:
        if asked.path == "/robots.txt":
            return NOT_THERE
        rude = asked.path != "/" and int(asked.path[1:]) % step == 0 and (often == "always" or asked.nth == 1)
        if rude and how == "reset":
            return Misbehaviour.RESET
        return page(asked.path, paths if asked.path == "/" else (), cut=50 if rude else 0)

    server = MisbehavingServer(behaviour)
    with worker.scratch_folder() as scratch, server.served() as port:
        words = (
            "--seed",
            f"http://127.0.0.1:{port}/",
            *FLAGS,
            "--retry-delay",
            "0.1",
            "--db",
            str(scratch / "a.db"),
        )
        ended = worker.crawl(*words)
        wrong = [*_complete(ended), *check_invariants(scratch / "a.db")]
        failed = rows(scratch / "a.db", "SELECT attempts, reason FROM urls WHERE state = 'failed'")
        reason = "reset" if how == "reset" else "truncated"
        if failed != ([(4, reason)] * len(paths[::step]) if often == "always" else []):
            wrong.append(f"failed, with so many attempts: {failed}")
        most = max(asked.nth for asked in server.asked)
        if most > 4:
            wrong.append(f"something was asked for {most} times")
        if often == "always":
            server.behaviour = lambda asked: NOT_THERE if asked.path == "/robots.txt" else page(asked.path)
            ended = worker.crawl(*words, "--retry-failed")
            wrong += [*_complete(ended), *_unlike(scratch / "a.db", done=PAGES + 1)]
        return CaseResult(0, wrong)


def _complete(ended: ProcessResult) -> list[str]:
    return [*([] if ended.code == 0 else [f"should have completed: {ended}"]), *unreadable_output(ended)]


def _unlike(db: Path, **wanted: int) -> list[str]:
    found = dict(rows(db, "SELECT state, count(*) FROM urls GROUP BY state"))
    return [] if found == wanted else [f"states should be {wanted}: {found}"]


def nothing_cases(plan: Plan, probe: SuiteWorker) -> list[str]:
    return ["name", "port"]


def find_nobody(worker: SuiteWorker, case: str) -> CaseResult:
    """No such name, or nobody at the door: a few attempts, exit 4, and the reason can be read."""
    with MisbehavingServer(lambda asked: NOT_THERE).served() as free:
        pass
    seed = "http://nobody.invalid/" if case == "name" else f"http://127.0.0.1:{free}/"
    with worker.scratch_folder() as scratch:
        quick = ("--no-robots", "--retry-delay", "0.2")
        ended = worker.crawl("--seed", seed, *FLAGS, *quick, "--db", scratch / "a.db")
        wrong = [] if ended.code == 4 else [f"should be exit 4: {ended}"]
        failed = rows(scratch / "a.db", "SELECT attempts, reason FROM urls WHERE state = 'failed'")
        if failed != [(4, "dns" if case == "name" else "refused")]:
            wrong.append(f"failed: {failed}")
        listed = worker.crawl("report", "failed", "--db", scratch / "a.db")
        if failed and failed[0][1] not in listed.stdout:
            wrong.append(f"`report failed` does not tell the cause: {listed.stdout}")
        return CaseResult(0, [*wrong, *unreadable_output(ended)])


def descriptor_cases(plan: Plan, probe: SuiteWorker) -> list[str]:
    return ["64"] if plan.short else ["16", "24", "32", "64", "128"]


def run_out_of_descriptors(worker: SuiteWorker, case: str) -> CaseResult:
    """Too few files for so many connections: fewer pages or a clear refusal, and later all of them."""
    paths = [f"/{number}" for number in range(200)]
    server = MisbehavingServer(
        lambda asked: (
            NOT_THERE if asked.path == "/robots.txt" else page(asked.path, paths * (asked.path == "/"))
        ),
        delay=0.1,
    )
    limited = ("sh", "-c", f'ulimit -n {case}; exec "$@"', "sh")
    wide = ("--fetchers", "128", "--per-host", "128", "--throttle", "fixed", "--progress", "none")
    with worker.scratch_folder() as scratch, server.served() as port:
        words = (
            "--seed",
            f"http://127.0.0.1:{port}/",
            *wide,
            "--retry-delay",
            "0.2",
            "--db",
            str(scratch / "a.db"),
        )
        ended = worker.command(*words, before=limited, timeout=90)
        wrong = unreadable_output(ended)
        done = server.asked and rows(scratch / "a.db", "SELECT count(*) FROM urls WHERE state = 'done'")[0][0]
        note = f"with {case}: exit {ended.code} after {ended.seconds:.0f} s, {done or 0} of 201 pages"
        if ended.code != 0:
            wrong += [] if ended.code in (1, 2) else [f"should be exit 0, 1 or 2: {ended}"]
            wrong += one_clear_line(ended)
        most = max([asked.nth for asked in server.asked], default=0)
        if most > 4:
            wrong.append(f"something was asked for {most} times")
        ended = worker.crawl(*words, "--retry-failed")
        wrong += [*_complete(ended), *_unlike(scratch / "a.db", done=201)]
        return CaseResult(1, wrong, note=note)


def dead_host_cases(plan: Plan, probe: SuiteWorker) -> list[str]:
    return ["stopped", "killed"]


def meet_a_dead_host(worker: SuiteWorker, case: str) -> CaseResult:
    """A host that does not answer is given a rest, which outlives the run; the others flow on."""
    away = [f"/away/{number}" for number in range(30)]
    here = [f"/here/{number}" for number in range(100)]
    live, dead = "127.0.0.1", "127.0.0.2"

    def behaviour(asked: ReceivedRequest) -> Reply:
        if asked.path != "/":
            return page(asked.path)
        port = asked.host.rpartition(":")[2]
        return page("/", [f"http://{dead}:{port}{path}" for path in away] + here)

    server, healed = MisbehavingServer(behaviour, delay=0.05), MisbehavingServer(behaviour)
    with worker.scratch_folder() as scratch, server.served((live,)) as port:
        db = scratch / "a.db"
        words = ("--seed", f"http://{live}:{port}/", "--scope", "any", "--no-robots", *FLAGS, "--db", str(db))
        trap = "kill fetch after 150" if case == "killed" else ""
        worker.crawl(*words, "--retry-delay", "0.1", "--max-time", "6", trap=trap)
        [(flowed,)] = rows(db, f"SELECT count(*) FROM pages WHERE host = '{live}:{port}' AND status = 200")
        wrong = [] if flowed == 101 or trap else [f"only {flowed} pages of the living host"]
        [(attempts,)] = rows(db, f"SELECT coalesce(sum(attempts), 0) FROM urls WHERE host = '{dead}:{port}'")
        if attempts > 10 + NARROW.fetchers + 1:
            wrong.append(f"the dead host was asked {attempts} times within seconds")
        [(ready_at, rests)] = rows(db, f"SELECT ready_at, rests FROM host WHERE name = '{dead}:{port}'")
        with healed.served((dead,), port):
            ended = worker.crawl(*words, "--retry-delay", "0.1")
        first = min((asked.at for asked in healed.asked), default=0.0)
        if rests and first < ready_at - 0.05:
            wrong.append(f"asked again {ready_at - first:.2f} s before its rest was over")
        wrong += [*_complete(ended), *_unlike(db, done=131)]
        return CaseResult(1, wrong, reached=bool(rests), note=f"dead host asked {attempts} times")


FAULTS: Sequence[Fault] = (
    Fault(name="server-away", cases=away_cases, attempt=go_away, waits=True),
    Fault(name="rude-server", cases=rude_cases, attempt=be_rude, waits=True),
    Fault(name="nobody-there", cases=nothing_cases, attempt=find_nobody, waits=True),
    Fault(name="few-descriptors", cases=descriptor_cases, attempt=run_out_of_descriptors, waits=True),
    Fault(name="dead-host", cases=dead_host_cases, attempt=meet_a_dead_host, waits=True),
)
