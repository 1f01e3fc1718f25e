"""HttpClient: what takes too long is ended, and a connection that had been closed is no failure."""

from __future__ import annotations

import asyncio
import errno
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

from penstock.stages.http import exchange
from penstock.stages.http.aiohttp_inside import Connector
from penstock.stages.http.exchange import MAX_SILENT_SECONDS, Deadlines, Exchange, HttpClient
from penstock.stages.http.request import CredentialSender, RequestTemplates
from tests.support.fakes import in_virtual_time, url
from tests.support.raw_server import PAGE, RawServer, html


@pytest.fixture
async def half() -> AsyncIterator[Exchange]:
    """One that may take a minute, whose server has said half of its answer and says no more."""

    async def respond(writer: asyncio.StreamWriter) -> None:
        writer.write(html(length=99))
        await writer.drain()
        await asyncio.Event().wait()

    async with RawServer().serve() as server, asking(timeout=60.0) as client:
        server.answers["/"] = respond
        asked = await client.request("GET", url(server.url + "/"))
        assert await asked.chunk()
        yield asked
        asked.close()


@asynccontextmanager
async def asking(**options: Any) -> AsyncIterator[HttpClient]:
    client = HttpClient(
        RequestTemplates({}, None), CredentialSender({}, None, None, None), **{"timeout": 5.0, **options}
    )
    try:
        yield client
    finally:
        await client.close()


class TestShorterTime:
    async def test_a_request_may_have_less_time_than_the_others_of_its_client(self) -> None:
        async with RawServer().serve() as server, asking(timeout=60.0) as client:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(10.0) as guard:
                    await client.request("GET", url(server.url + "/"), timeout=0.01)
        assert not guard.expired()


class TestShortage:
    """What this machine lacks is no failure of a host."""

    @pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS])
    async def test_a_connection_waits_until_the_system_has_a_descriptor_for_it(
        self, number: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tries = 0
        connect = Connector.connect

        async def short(connector: Connector, *args: Any) -> Any:
            nonlocal tries
            tries += 1
            if tries < 3:
                raise OSError(number, os.strerror(number))
            return await connect(connector, *args)

        monkeypatch.setattr(Connector, "connect", short)
        monkeypatch.setattr(exchange, "MIN_SHORTAGE_WAIT", 0.0)
        async with RawServer().serve() as server, asking() as client:
            server.answers["/"] = html()
            asked = await client.request("GET", url(server.url + "/"))
            assert await asked.chunk() == PAGE
            asked.close()
        assert tries == 3

    async def test_the_wait_is_no_part_of_the_time_of_the_request(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with RawServer().serve() as server, asking(timeout=60.0) as client:
            server.answers["/"] = html()
            asked = await client.request("GET", url(server.url + "/"))
            asked._protocol.waited_until = time.monotonic() + 600.0
            late = Exchange(
                asked._connection, Deadlines(1.0), started=time.monotonic(), timeout=60.0, silence=1e9
            )
            late.check(time.monotonic() + 600.0 + 59.0)
            assert await asked.chunk() == PAGE
            asked.close()

    async def test_a_failure_of_the_host_is_raised_at_once(self) -> None:
        async with asking() as client:
            with pytest.raises(aiohttp.ClientConnectorError):
                await client.request("GET", url("http://127.0.0.1:1/"))

    async def test_connections_that_are_idle_for_the_longest_time_make_room_for_new_ones(self) -> None:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(html())
            await reader.read()
            writer.close()

        server = await asyncio.start_server(answer, "0.0.0.0", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, asking(max_sockets=2) as client:
            for at in (1, 2, 3, 4):
                asked = await client.request("GET", url(f"http://127.0.0.{at}:{port}/"))
                while await asked.chunk():
                    pass
                asked.release()
            kept = {key.host for key in client._connector._conns}
        assert "127.0.0.1" not in kept
        assert "127.0.0.4" in kept
        assert len(kept) <= 2


class TestTime:
    async def test_a_server_that_is_silent_too_long_ends_the_exchange(self, half: Exchange) -> None:
        heard = time.monotonic()
        reading = asyncio.create_task(half.chunk())
        await asyncio.sleep(0)

        half.check(heard + MAX_SILENT_SECONDS - 1)
        await asyncio.sleep(0)
        assert not reading.done()
        half.check(heard + MAX_SILENT_SECONDS + 1)

        with pytest.raises(aiohttp.SocketTimeoutError):
            await reading

    async def test_an_exchange_ends_when_its_whole_time_is_over(self, half: Exchange) -> None:
        """Another word than silence: a server that drips is never silent."""
        half.check(time.monotonic() + 61)

        with pytest.raises(TimeoutError) as ended:
            await half.chunk()
        assert not isinstance(ended.value, aiohttp.SocketTimeoutError)

    async def test_a_pause_of_our_own_counts_neither_as_silence_nor_as_time(
        self, half: Exchange, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Two minutes of it, in an exchange that may take one."""
        passed = 0.0
        monotonic = time.monotonic
        monkeypatch.setattr(exchange, "time", SimpleNamespace(monotonic=lambda: monotonic() + passed))
        over = asyncio.get_running_loop().create_future()
        pausing = asyncio.create_task(half.pause(over))
        await asyncio.sleep(0)

        passed = 120.0
        half.check(monotonic() + passed)
        over.set_result(None)
        await pausing
        half.check(monotonic() + passed + MAX_SILENT_SECONDS - 1)
        reading = asyncio.create_task(half.chunk())
        await asyncio.sleep(0)

        assert not reading.done()
        reading.cancel()

    async def test_a_response_that_has_arrived_completely_has_no_deadline_of_silence(self) -> None:
        """Taking in what has arrived may last; the server owes nothing more."""
        async with RawServer().serve() as server, asking(timeout=60.0) as client:
            server.answers["/"] = html()
            asked = await client.request("GET", url(server.url + "/"))
            assert await asked.chunk() == PAGE
            asked.check(time.monotonic() + MAX_SILENT_SECONDS + 1)

            assert await asked.chunk() == b""
            asked.close()

    @pytest.mark.parametrize("end", [Exchange.release, Exchange.close])
    async def test_an_exchange_that_ended_is_not_checked_any_more(
        self, end: Callable[[Exchange], None]
    ) -> None:
        async with RawServer().serve() as server, asking() as client:
            server.answers["/"] = html()
            asked = await client.request("GET", url(server.url + "/"))
            before = len(client._deadlines)

            end(asked)

            assert (before, len(client._deadlines)) == (1, 0)

    @pytest.mark.parametrize(
        ("hangs", "error"), [(True, TimeoutError), (False, aiohttp.ConnectionTimeoutError)]
    )
    async def test_the_whole_time_includes_connecting(
        self, monkeypatch: pytest.MonkeyPatch, hangs: bool, error: type[Exception]
    ) -> None:
        """aiohttp's own bound is for one address, and a host may have many."""

        async def create(*_: Any) -> Any:
            if hangs:
                await asyncio.Event().wait()
            raise TimeoutError

        monkeypatch.setattr(aiohttp.TCPConnector, "_create_connection", create)
        async with asking(timeout=0.05) as client:
            with pytest.raises(TimeoutError) as ended:
                await client.request("GET", url("http://h/"))

        assert type(ended.value) is error


class CountedChecks:
    def __init__(self) -> None:
        self.count = 0

    def check(self, now: float) -> None:
        self.count += 1


@in_virtual_time
class TestDeadlines:
    async def test_every_open_exchange_is_checked_at_every_tick(self) -> None:
        deadlines, one, other = Deadlines(0.5), CountedChecks(), CountedChecks()

        deadlines.add(one)
        await asyncio.sleep(1.1)
        deadlines.add(other)
        await asyncio.sleep(1)
        deadlines.close()
        await asyncio.sleep(1)

        assert (one.count, other.count) == (4, 2)

    async def test_without_open_exchanges_there_is_no_timer(self) -> None:
        """An idle crawl is not woken twice a second."""
        deadlines, one = Deadlines(0.5), CountedChecks()

        deadlines.add(one)
        deadlines.discard(one)
        await asyncio.sleep(1)

        assert (one.count, deadlines._timer) == (0, None)

    async def test_the_timer_starts_again_with_the_next_exchange(self) -> None:
        deadlines, one = Deadlines(0.5), CountedChecks()
        deadlines.add(one)
        deadlines.discard(one)
        await asyncio.sleep(1)

        deadlines.add(one)
        await asyncio.sleep(1.1)
        deadlines.close()

        assert one.count == 2
