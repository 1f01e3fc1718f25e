"""A crawl that was killed at any moment, any number of times, ends as an uninterrupted one does.

The web runs in this process and counts its requests; the crawls are processes of their own.
"""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.support.crawls import (
    QUICK_FLAGS,
    ROOT,
    check_invariants,
    differences,
    equal_crawls,
    run_command,
    start_command,
)
from tests.support.synthetic_web import SyntheticWeb

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals")

FETCHERS, PARSERS, STORERS, QUEUE = 8, 2, 8, 8
FLAGS = (
    *("--depth", "inf", "--fetchers", str(FETCHERS), "--parsers", str(PARSERS)),
    *("--storers", str(STORERS), "--queue-size", str(QUEUE), *QUICK_FLAGS),
)
# What a kill can cost: pages being fetched, parsed or committed, and those in the queues between
# (the first queue holds only URLs that were not requested yet).
IN_FLIGHT = FETCHERS + PARSERS + STORERS + 2 * QUEUE


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Path]:
    """A fresh crawl's file, finished and without contradictions when the test is over."""
    path = tmp_path / "crawl.db"
    yield path
    assert check_invariants(path) == []


class TestKill:
    def test_a_few_kills_lose_nothing_and_repeat_only_requests_in_flight(
        self, tmp_path: Path, db: Path
    ) -> None:
        killed_and_resumed(SyntheticWeb(seed=50, pages=250, latency=4), tmp_path, db, kills=4)

    @pytest.mark.slow
    @pytest.mark.timeout(600)
    @pytest.mark.parametrize("seed", range(51, 54))
    def test_forty_kills_of_one_crawl_lose_nothing(self, tmp_path: Path, db: Path, seed: int) -> None:
        killed_and_resumed(SyntheticWeb(seed=seed, pages=700, latency=4), tmp_path, db, kills=40)

    @pytest.mark.slow
    @pytest.mark.timeout(600)
    def test_a_kill_while_starting_loses_nothing(self, tmp_path: Path, db: Path) -> None:
        """Kills hit the creation of the file, the migration and the filling of the seen set too."""
        web = SyntheticWeb(seed=55, pages=300, latency=2)
        rng = Random(55)
        with web.serve_in_thread() as url:
            for _ in range(60):
                with start_command(("--seed", url, *FLAGS, "--db", db)) as process:
                    time.sleep(rng.uniform(0.1, 0.7))
                    process.kill()
                    process.communicate()
            finish(url, db)
            assert differences(db, web.expected()) == []


def killed_and_resumed(web: SyntheticWeb, tmp_path: Path, db: Path, *, kills: int) -> None:
    """Crawl once undisturbed and once with kills, and compare."""
    rng = Random(kills)
    with web.serve_in_thread() as url:
        finish(url, tmp_path / "peace.db")
        web.forget()
        share = web.expected().requests
        survived = 0
        for _ in range(kills):
            wanted = web.requests.total() + rng.randint(1, 2 * sum(share.values()) // (3 * kills))
            with start_command(("--seed", url, *FLAGS, "--db", db)) as process:
                survived += not killed_after(process, web, wanted, rng)
            assert check_invariants(db, finished=False) == []
        assert survived == 0, "the crawl was over before the last kill: draw a larger web"
        finish(url, db)

        assert differences(db, web.expected()) == []
        assert equal_crawls(db, tmp_path / "peace.db") == []
        again = {path: count - share[path] for path, count in web.requests.items()}
        assert min(again.values()) >= 0
        assert sum(again.values()) <= kills * IN_FLIGHT


def killed_after(process: subprocess.Popen[str], web: SyntheticWeb, requests: int, rng: Random) -> bool:
    """Kill the process a moment after the web has seen so many requests; False if it ended before."""
    while web.requests.total() < requests and process.poll() is None:
        time.sleep(0.001)
    time.sleep(rng.uniform(0, 0.02))
    process.kill()
    process.communicate()
    return process.returncode == -signal.SIGKILL


def finish(url: str, db: Path) -> None:
    ended = run_command(("--seed", url, *FLAGS, "--db", db))
    assert ended.code == 0, ended.stderr


class TestSignals:
    @pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
    def test_one_signal_stops_gently_and_shows_the_command_that_resumes(
        self, db: Path, number: int, code: int
    ) -> None:
        """The printed line is complete: typed as it is, it finishes the crawl."""
        web = SyntheticWeb(seed=56, latency=8)
        with web.serve_in_thread() as url:
            with start_command(("--seed", url, *FLAGS, "--db", db)) as process:
                wait_for_requests(web, 30)
                process.send_signal(number)
                _, stderr = process.communicate(timeout=20)
            assert process.returncode == code, stderr
            assert check_invariants(db, finished=False) == []
            asked = web.requests.total()
            assert asked < sum(web.expected().requests.values())

            found = re.search(r"resume with: (.+)", stderr)
            assert found, stderr
            ended = subprocess.run(
                shlex.split(found[1]), cwd=ROOT, capture_output=True, text=True, timeout=60
            )
            assert ended.returncode == 0, ended.stderr

        assert differences(db, web.expected()) == []
        assert web.requests == web.expected().requests

    def test_a_second_signal_does_not_wait_for_requests_in_flight(self, db: Path) -> None:
        web = SyntheticWeb(pages=0)
        web.page("/", "/quick", "/slow")
        web.page("/quick")
        web.page("/slow", delay=6)
        with web.serve_in_thread() as url:
            with start_command(("--seed", url, *FLAGS, "--db", db)) as process:
                web.wait_for("/slow")
                web.wait_for("/quick")
                process.send_signal(signal.SIGINT)
                time.sleep(0.3)
                assert process.poll() is None, "one signal waits for what is in flight"
                process.send_signal(signal.SIGINT)
                before = time.monotonic()
                process.communicate(timeout=20)
                assert time.monotonic() - before < 3
            assert process.returncode == 130

            web.resources["/slow"].delay = 0
            finish(url, db)

        assert differences(db, web.expected()) == []


def wait_for_requests(web: SyntheticWeb, count: int) -> None:
    deadline = time.monotonic() + 30
    while web.requests.total() < count and time.monotonic() < deadline:
        time.sleep(0.002)
