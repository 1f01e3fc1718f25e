"""Connections: one request, one answer, and a bounded head of each."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp.client_proto import ResponseHandler

from penstock.crawler.engine.body_budget import BodyBudget
from penstock.crawler.errors import BadConfig
from penstock.crawler.messages import Failed, Fetched
from penstock.stages.fetchers import FetchContext
from penstock.stages.fetchers.plain import PlainFetcher
from penstock.stages.http.aiohttp_inside import MAX_LINES_AT_ONCE, check_version
from tests.support.crawls import COMMAND
from tests.support.fakes import task
from tests.support.raw_server import RawServer, html

ANSWER = html(body=b"<title>asked for</title>")
CLOSE = b"(closes here)"
FOREIGN = html(body=b"<title>foreign</title>")


class ScriptedServer:
    """A server that keeps its connections and says what each next request is to hear."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.connections: list[asyncio.StreamWriter] = []
        self.ended = asyncio.Event()  # a client closed its connection
        self.requests = 0
        self.url = ""
        self.closes = False  # behind the last answer

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[ScriptedServer]:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        try:
            yield self
        finally:
            server.close()
            for writer in self.connections:
                writer.close()
            await server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.append(writer)
        try:
            while self.answers:
                await reader.readuntil(b"\r\n\r\n")
                self.requests += 1
                answer = self.answers.pop(0)
                writer.write(answer.removesuffix(CLOSE))
                if answer.endswith(CLOSE):
                    writer.close()
            if self.closes:
                writer.close()
            await reader.read()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        self.ended.set()


@asynccontextmanager
async def fetching(*answers: bytes) -> AsyncIterator[tuple[ScriptedServer, PlainFetcher]]:
    budget = BodyBudget(1 << 26)
    context = FetchContext(user_agent="x", headers={}, timeout=5.0, max_body=1 << 20, budget=budget)
    async with ScriptedServer(*answers).serve() as server:
        fetcher = PlainFetcher(context)
        try:
            yield server, fetcher
        finally:
            await fetcher.close()


class TestOneResponsePerRequest:
    async def test_a_connection_serves_one_request_after_another(self) -> None:
        async with fetching(ANSWER, ANSWER) as (server, fetcher):
            for _ in range(2):
                assert isinstance(await fetcher.get(task(server.url)), Fetched)

            assert len(server.connections) == 1

    async def test_an_unsolicited_response_is_not_taken_for_the_next_one(self) -> None:
        """aiohttp keeps it, and hands it to the next request on that connection."""
        async with fetching(ANSWER, ANSWER) as (server, fetcher):
            await fetcher.get(task(server.url))
            server.connections[0].write(FOREIGN)
            async with asyncio.timeout(5):  # left idle it would be closed after 15
                await server.ended.wait()

            result = await fetcher.get(task(server.url))

        assert isinstance(result, Fetched)
        assert result.body == b"<title>asked for</title>"

    async def test_a_second_response_right_behind_the_first_is_not_taken_for_the_next_one(self) -> None:
        async with fetching(ANSWER + FOREIGN, ANSWER) as (server, fetcher):
            for _ in range(2):
                result = await fetcher.get(task(server.url))

                assert isinstance(result, Fetched)
                assert result.body == b"<title>asked for</title>"

    @pytest.mark.parametrize(
        "flood",
        [
            b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 10_000,
            b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: %b\r\n" % (n, b"y" * 60_000) for n in range(9)),
        ],
        ids=["1xx", "headers"],
    )
    async def test_an_endless_head_is_cut_off(self, flood: bytes) -> None:
        """aiohttp bounds a line and their number: that allows 60 MiB of headers, and 1xx for ever."""
        async with fetching(flood) as (server, fetcher):
            result = await fetcher.get(task(server.url))

        assert isinstance(result, Failed)
        assert result.reason == "bad_http"

    async def test_a_few_1xx_responses_are_skipped(self) -> None:
        async with fetching(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 3 + ANSWER) as (server, fetcher):
            assert isinstance(await fetcher.get(task(server.url)), Fetched)

    @pytest.mark.parametrize("count", [1, 999, 1_001, 20_000])
    async def test_chunks_of_one_byte_are_parsed_in_small_parts_and_add_up(
        self, count: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Parsed at once, 256 KiB of them hold up the event loop for 0.2 s."""
        lines_at_once: list[int] = []
        data_received = ResponseHandler.data_received

        def noted(self: ResponseHandler, data: bytes) -> None:
            lines_at_once.append(data.count(b"\r\n"))
            data_received(self, data)

        monkeypatch.setattr(ResponseHandler, "data_received", noted)
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n"
        async with fetching(head + b"1\r\nx\r\n" * count + b"0\r\n\r\n", ANSWER) as (server, fetcher):
            result = await fetcher.get(task(server.url))

        assert isinstance(result, Fetched)
        assert result.body == b"x" * count
        assert max(lines_at_once) <= MAX_LINES_AT_ONCE

    @pytest.mark.parametrize("count", [5_000, 40_000])
    async def test_data_that_is_not_parsed_yet_when_the_server_closes_is_not_lost(self, count: int) -> None:
        """Nor if the reader is behind, so that reading pauses meanwhile."""
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n"
        last = head + b"1\r\nx\r\n" * count + b"0\r\n\r\n"
        async with fetching(last) as (server, fetcher):
            server.closes = True
            result = await fetcher.get(task(server.url))

        assert isinstance(result, Fetched)
        assert result.body == b"x" * count

    async def test_reading_pauses_while_many_short_lines_are_parsed(self) -> None:
        """A server sends them faster than they can be parsed; they must not pile up in memory."""

        async def endless(writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n")
            while True:
                writer.write(b"1\r\nx\r\n" * 10_000)
                await writer.drain()
                server.sent += 60_000

        budget = BodyBudget(1 << 26)
        context = FetchContext(user_agent="x", headers={}, timeout=30.0, max_body=200_000, budget=budget)
        async with RawServer().serve() as server:
            server.answers["/"] = endless
            fetcher = PlainFetcher(context)
            result = await fetcher.get(task(f"{server.url}/"))
            await fetcher.close()

        assert isinstance(result, Failed)
        assert result.reason == "too_large"
        assert server.sent < 8 << 20


class TestVersion:
    @pytest.mark.parametrize("version", ["4.0.0", "4.0.0a2.dev0", "2.3.10", "30.0"])
    def test_another_major_version_is_refused_with_one_line(self, version: str) -> None:
        with pytest.raises(BadConfig) as refused:
            check_version(version)

        assert str(refused.value).startswith(f"aiohttp {version} is installed, but Penstock needs aiohttp 3")
        assert "\n" not in str(refused.value)

    @pytest.mark.parametrize("version", ["3.14.4", "3.15.0rc1"])
    def test_any_minor_version_is_accepted(self, version: str) -> None:
        check_version(version)

    def test_a_crawl_with_another_major_version_ends_before_it_begins(self, tmp_path: Path) -> None:
        """Exit code 2, and no traceback of a class that the version does not have."""
        (tmp_path / "aiohttp").mkdir()
        (tmp_path / "aiohttp/__init__.py").write_text("__version__ = '4.0.0'\n")
        command = [*COMMAND, "--seed", "http://h.test/", "--db", str(tmp_path / "x.db")]
        environment = {**os.environ, "PYTHONPATH": str(tmp_path)}

        finished = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

        assert finished.returncode == 2
        assert finished.stderr.splitlines() == [
            "penstock: error: aiohttp 4.0.0 is installed, but Penstock needs aiohttp 3: "
            "pip install 'aiohttp>=3.14.4,<4'"
        ]
        assert not (tmp_path / "x.db").exists()


class TestClosedConnections:
    """RFC 9112 section 9.3.1: a server may close an idle connection just when we ask on it."""

    async def test_a_request_on_a_closed_idle_connection_is_sent_once_more(self) -> None:
        async with fetching(ANSWER, CLOSE, ANSWER) as (server, fetcher):
            for _ in range(2):
                assert isinstance(await fetcher.get(task(server.url)), Fetched)

            assert (len(server.connections), server.requests) == (2, 3)

    async def test_a_request_is_sent_no_more_than_twice(self) -> None:
        """However many old connections there are."""
        async with fetching(ANSWER, ANSWER, CLOSE, CLOSE, ANSWER) as (server, fetcher):
            await asyncio.gather(*(fetcher.get(task(server.url)) for _ in range(2)))
            result = await fetcher.get(task(server.url))

            assert isinstance(result, Failed)
            assert (result.reason, len(server.connections), server.requests) == ("reset", 2, 4)

    async def test_a_reset_of_a_new_connection_is_a_failure(self) -> None:
        async with fetching(CLOSE, ANSWER) as (server, fetcher):
            result = await fetcher.get(task(server.url))

            assert isinstance(result, Failed)
            assert (result.reason, server.requests) == ("reset", 1)

    async def test_a_request_with_half_a_response_is_not_sent_again(self) -> None:
        """It was asked in time, and another request might cost the server twice."""
        async with fetching(ANSWER, html(length=99) + CLOSE, ANSWER) as (server, fetcher):
            await fetcher.get(task(server.url))
            result = await fetcher.get(task(server.url))

            assert isinstance(result, Failed)
            assert (result.reason, server.requests) == ("truncated", 2)
