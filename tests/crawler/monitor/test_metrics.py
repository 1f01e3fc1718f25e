"""Metrics: the numbers that Prometheus reads of a running crawl, and who may read them."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from penstock.crawler.config.crawl_config import CrawlConfig
from penstock.crawler.engine.pool import Pill, Pool, work
from penstock.crawler.errors import BadConfig
from penstock.crawler.messages import Dead, Message, RetryAt
from penstock.crawler.monitor.metrics import LOOPBACK, serving
from penstock.crawler.monitor.run_counts import RunCounts
from penstock.crawler.monitor.telemetry import Telemetry
from tests.support.command_line import SEED
from tests.support.crawls import run_command
from tests.support.fakes import MemoryCrawl, done, task
from tests.support.frontier_rig import Rig


class Step:
    """A stage that takes in anything."""

    name = "fetch"
    is_last = False

    async def handle(self, message: Message) -> list[Message]:
        return []


def watched(counts: RunCounts, *pools: Pool) -> Telemetry:
    return Telemetry(counts, Rig(MemoryCrawl()).frontier, pools, started=0.0)


def free_port() -> int:
    with socket.socket() as finder:
        finder.bind((LOOPBACK, 0))
        return int(finder.getsockname()[1])


async def ask(port: int, request: bytes) -> tuple[bytes, str]:
    """The status line's number and what follows the head."""
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    writer.write(request)
    async with asyncio.timeout(5):
        answer = await reader.read()
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.split(b" ")[1], body.decode()


async def values(port: int) -> dict[tuple[str, str], float]:
    """Every sample by its name and the values of its labels."""
    status, text = await ask(port, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    assert status == b"200"
    return {
        (sample.name, " ".join(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def counts() -> RunCounts:
    counts = RunCounts()
    counts.count_verdict(done(task("http://h/a")))
    counts.count_verdict(Dead(task=task("http://h/b"), reason="dns"))
    counts.count_verdict(RetryAt(task=task("http://h/c"), at=0, reason="http_503"))
    return counts


@pytest.fixture
def port() -> int:
    return free_port()


class TestValues:
    async def test_counts_have_their_labels(self, counts: RunCounts, port: int) -> None:
        async with serving(port, watched(counts)):
            found = await values(port)

        assert found["penstock_pages_total", ""] == 1
        assert found["penstock_retries_total", ""] == 1
        answers = {
            label: value for (name, label), value in found.items() if name == "penstock_requests_total"
        }
        assert answers == {"2xx": 1, "5xx": 1, "none": 1}
        assert found["penstock_failures_total", "dns"] == 1

    async def test_each_stage_has_its_queue_workers_and_durations(self, counts: RunCounts, port: int) -> None:
        pool = Pool(stage=Step(), workers=3, inbox=asyncio.Queue(8))
        for message in (task(), Pill.STOP, task(), task()):
            pool.inbox.put_nowait(message)
        await work(pool, 0, lambda message: asyncio.sleep(0))
        telemetry = watched(counts, pool)

        async with serving(port, telemetry):
            found = await values(port)

        assert found["penstock_queue_depth", "fetch"] == 2
        assert found["penstock_workers", "fetch"] == 3
        assert found["penstock_fetch_seconds_count", ""] == 1
        assert found["penstock_fetch_seconds_bucket", "+Inf"] == 1

    async def test_without_a_port_nothing_is_served(self, counts: RunCounts) -> None:
        async with serving(None, watched(counts)):
            assert len(asyncio.all_tasks()) == 1


class TestRequests:
    @pytest.mark.parametrize(
        ("request_line", "status"),
        [(b"GET / HTTP/1.1", b"404"), (b"POST /metrics HTTP/1.1", b"405"), (b"nonsense", b"405")],
    )
    async def test_a_wrong_request_gets_a_status_that_says_so(
        self, counts: RunCounts, port: int, request_line: bytes, status: bytes
    ) -> None:
        async with serving(port, watched(counts)):
            assert (await ask(port, request_line + b"\r\n\r\n"))[0] == status

    async def test_a_request_head_without_end_is_cut_off(self, counts: RunCounts, port: int) -> None:
        async with serving(port, watched(counts)):
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            writer.write(b"x" * 100_000)
            async with asyncio.timeout(5):
                with contextlib.suppress(ConnectionResetError):  # it need not read all of it
                    assert await reader.read() == b""
            writer.close()
            assert await values(port)

    async def test_a_silent_client_does_not_delay_the_end_of_the_crawl(
        self, counts: RunCounts, port: int
    ) -> None:
        async with asyncio.timeout(2):
            async with serving(port, watched(counts)):
                _, writer = await asyncio.open_connection(LOOPBACK, port)
                await values(port)
            writer.close()

        assert len(asyncio.all_tasks()) == 1

    async def test_another_address_is_served_on_request(self, counts: RunCounts, port: int) -> None:
        async with serving(port, watched(counts), address="127.0.0.3"):
            _, writer = await asyncio.open_connection("127.0.0.3", port)
            writer.close()
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection(LOOPBACK, port)

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({"metrics_address": "0.0.0.0"}, "--metrics-address: needs --metrics-port N"),
            ({"metrics_address": "127.0.0.1:9", "metrics_port": 9}, "without a port, not '127.0.0.1:9'"),
            ({"metrics_address": "", "metrics_port": 9}, "must be an IP address or a host name"),
        ],
    )
    def test_an_address_that_cannot_be_meant_is_refused(self, options: dict[str, Any], said: str) -> None:
        with pytest.raises(BadConfig, match=re.escape(said)):
            CrawlConfig(seeds=[SEED], **options)

    @pytest.mark.parametrize(
        ("given", "taken"), [("[::1]", "::1"), ("::", "::"), ("here.local", "here.local")]
    )
    def test_ipv6_may_stand_in_brackets(self, given: str, taken: str) -> None:
        assert CrawlConfig(seeds=[SEED], metrics_port=9, metrics_address=given).metrics_address == taken

    async def test_only_the_loopback_address_is_served(self, counts: RunCounts, port: int) -> None:
        async with serving(port, watched(counts)):
            with socket.socket() as other:
                other.bind(("127.0.0.2", port))  # free: it listens at one address only


class TestPortInUse:
    async def test_a_port_in_use_is_refused(self, counts: RunCounts) -> None:
        with socket.create_server((LOOPBACK, 0)) as taken:
            serves = serving(taken.getsockname()[1], watched(counts))
            with pytest.raises(BadConfig, match="--metrics-port: cannot listen on"):
                await serves.__aenter__()

    def test_a_port_in_use_is_one_line_of_the_command_and_no_file(self, tmp_path: Path) -> None:
        with socket.create_server((LOOPBACK, 0)) as taken:
            port = str(taken.getsockname()[1])
            db = tmp_path / "a.db"
            ended = run_command(["--seed", SEED, "--db", db, "--metrics-port", port])

        assert ended.code == 2
        assert ended.stderr.startswith("penstock: error: --metrics-port: cannot listen")
        assert ended.stderr.count("\n") == 1
        assert not db.exists()


class TestTheExtra:
    async def test_the_port_without_prometheus_client_is_refused_with_what_to_install(
        self, counts: RunCounts, port: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is an optional dependency, so a crawl must not fail at the first scrape without it."""
        monkeypatch.setitem(sys.modules, "prometheus_client", None)  # how Python marks what is not there

        with pytest.raises(BadConfig, match=r"pip install prometheus-client"):
            await serving(port, watched(counts)).__aenter__()

    async def test_without_a_port_prometheus_client_is_not_needed(
        self, counts: RunCounts, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "prometheus_client", None)

        async with serving(None, watched(counts)):
            pass
