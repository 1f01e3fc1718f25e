"""How many sockets fit under the limit of open files, and who may raise that limit."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest

from penstock.crawler.engine import open_files
from penstock.crawler.engine.open_files import MIN_SOCKETS, RESERVED_FILES, free_sockets, raise_limit

resource = pytest.importorskip("resource", reason="this system has no limit of open files")


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[int, int]]:
    """The limits of a process that is not this one: `set` is the last pair that was set."""
    held = {"limits": (1_024, 4_096)}

    def set_limits(_: int, pair: tuple[int, int]) -> None:
        held["limits"] = held["set"] = pair

    fake = SimpleNamespace(
        RLIM_INFINITY=resource.RLIM_INFINITY,
        RLIMIT_NOFILE=resource.RLIMIT_NOFILE,
        getrlimit=lambda _: held["limits"],
        setrlimit=set_limits,
    )
    monkeypatch.setattr(open_files, "resource", fake)
    return held


class TestFreeSockets:
    def test_a_limit_leaves_room_for_sockets_beside_the_other_files(
        self, limits: dict[str, tuple[int, int]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(open_files, "_open_files", lambda: 20)
        assert free_sockets(1) == 1_024 - 20 - RESERVED_FILES - 8

    def test_each_parser_process_takes_some_files(self, limits: dict[str, tuple[int, int]]) -> None:
        one, four = free_sockets(1), free_sockets(4)
        assert one is not None
        assert four is not None
        assert one > four

    def test_a_tiny_limit_still_leaves_a_few_sockets(self, limits: dict[str, tuple[int, int]]) -> None:
        limits["limits"] = (32, 32)
        assert free_sockets(1) == MIN_SOCKETS

    def test_without_a_limit_any_number_may_be_open(self, limits: dict[str, tuple[int, int]]) -> None:
        limits["limits"] = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        assert free_sockets(1) is None


class TestRaiseLimit:
    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ((1_024, 4_096), (4_096, 4_096)),
            ((1_024, 1 << 20), (65_536, 1 << 20)),
            ((256, resource.RLIM_INFINITY), (65_536, resource.RLIM_INFINITY)),
        ],
    )
    def test_the_soft_limit_is_raised_to_the_hard_one_within_reason(
        self, limits: dict[str, tuple[int, int]], before: tuple[int, int], after: tuple[int, int]
    ) -> None:
        limits["limits"] = before
        raise_limit()
        assert limits["set"] == after

    @pytest.mark.parametrize("soft", [4_096, 100_000, resource.RLIM_INFINITY])
    def test_a_limit_that_is_high_enough_or_cannot_be_raised_stays(
        self, limits: dict[str, tuple[int, int]], soft: int
    ) -> None:
        limits["limits"] = (soft, soft)
        raise_limit()
        assert "set" not in limits

    def test_importing_the_library_leaves_the_limit_alone(self) -> None:
        code = (
            "import resource as r\n"
            "before = r.getrlimit(r.RLIMIT_NOFILE)\n"
            "from penstock import Crawl, CrawlConfig\n"
            "Crawl(CrawlConfig(seeds=['http://127.0.0.1/']))\n"
            "assert r.getrlimit(r.RLIMIT_NOFILE) == before\n"
        )
        subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
