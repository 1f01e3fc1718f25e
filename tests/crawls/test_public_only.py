"""--public-only: no socket is made for an address that is not public."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from penstock.crawler.policies.addresses import is_public
from penstock.stages.http.resolver import AddressNotPublic, PublicResolver, public_socket

PUBLIC = "93.184.216.34"

Connect = Callable[[str], Awaitable[int]]


class Names(AbstractResolver):
    """A resolver that answers from a script: each lookup of a name takes its next line."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self.answers = answers
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked += 1
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)
            for address in self.answers[host].pop(0)
        ]

    async def close(self) -> None:
        pass


class TestResolver:
    async def test_only_public_addresses_of_a_name_are_left(self) -> None:
        resolver = PublicResolver(Names(mixed=[["10.0.0.1", PUBLIC, "::1"]]))

        assert [result["host"] for result in await resolver.resolve("mixed")] == [PUBLIC]

    async def test_a_name_without_public_addresses_is_rejected(self) -> None:
        resolver = PublicResolver(Names(inside=[["10.0.0.1", "fd00::1"]]))

        with pytest.raises(AddressNotPublic, match="inside is no public address"):
            await resolver.resolve("inside")

    @pytest.mark.parametrize("name", ["localhost", "LOCALHOST", "localhost.", "a.b.localhost"])
    async def test_this_machine_is_rejected_by_name_without_a_lookup(self, name: str) -> None:
        """RFC 6761 §6.3; a resolver that has never heard of it would make it a `dns` failure."""
        names = Names()

        with pytest.raises(AddressNotPublic):
            await PublicResolver(names).resolve(name)

        assert names.asked == 0

    async def test_a_name_that_does_not_exist_is_a_dns_failure(self) -> None:
        with pytest.raises(OSError, match="no address"):
            await PublicResolver(Names(gone=[[]])).resolve("gone")

    async def test_the_systems_resolver_is_the_default(self) -> None:
        resolver = PublicResolver()

        with pytest.raises(AddressNotPublic):
            await resolver.resolve("127.0.0.1")

        await resolver.close()


def only_127_0_0_1(address: str) -> bool:
    """For tests that must reach a server: 127.0.0.1 stands for the public internet."""
    return address == "127.0.0.1"


class TestConnections:
    """Against a server of our own that must hear nothing."""

    @pytest.mark.parametrize("host", ["127.0.0.1", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"])
    async def test_an_address_for_a_host_never_gets_a_socket(self, host: str) -> None:
        """aiohttp asks no resolver here; the socket's maker is the last who can refuse."""
        async with server() as heard, client(Names()) as get:
            with pytest.raises(AddressNotPublic):
                await get(f"http://{host}:{heard.port}/")

        assert heard.connections == 0

    async def test_a_name_for_a_private_address_is_rejected(self) -> None:
        async with server() as heard, client(Names(inside=[["127.0.0.1"]])) as get:
            with pytest.raises(AddressNotPublic):
                await get(f"http://inside:{heard.port}/")

        assert heard.connections == 0

    async def test_a_name_is_checked_each_time_it_is_resolved(self) -> None:
        """DNS rebinding: public when first asked, this machine when asked again."""
        names = Names(turncoat=[["127.0.0.1"], ["127.0.0.2"]])
        async with server() as heard, client(names, allows=only_127_0_0_1) as get:
            assert await get(f"http://turncoat:{heard.port}/") == 200
            with pytest.raises(AddressNotPublic):
                await get(f"http://turncoat:{heard.port}/")

        assert heard.connections == 1

    async def test_the_address_that_was_checked_is_the_one_connected_to(self) -> None:
        """No second lookup lies between: the name leads nowhere but to what was checked."""
        names = Names(**{"example.com": [["127.0.0.1"]]})
        async with server() as heard, client(names, allows=only_127_0_0_1) as get:
            assert await get(f"http://example.com:{heard.port}/") == 200

        assert (heard.connections, names.asked) == (1, 1)

    async def test_a_redirect_hop_is_a_request_like_any_other(self) -> None:
        """Also where aiohttp itself follows it, which ours never does."""
        names = Names(outside=[["127.0.0.1"]])
        async with server() as heard, client(names, allows=only_127_0_0_1) as get:
            with pytest.raises(AddressNotPublic):
                await get(f"http://outside:{heard.port}/to?http://127.0.0.2:{heard.port}/")

        assert heard.connections == 1


class Heard:
    def __init__(self, port: int) -> None:
        self.port = port
        self.connections = 0


@asynccontextmanager
async def server() -> AsyncIterator[Heard]:
    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        heard.connections += 1
        if request.path == "/to":
            raise web.HTTPFound(request.query_string)
        return web.Response(text="inside")

    heard = Heard(0)
    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    heard.port = site.port
    try:
        yield heard
    finally:
        await runner.cleanup()


@asynccontextmanager
async def client(
    names: AbstractResolver, *, allows: Callable[[str], bool] = is_public
) -> AsyncIterator[Connect]:
    """aiohttp as the fetcher is to build it. No DNS cache, so that each request resolves."""
    connector = aiohttp.TCPConnector(
        use_dns_cache=False,
        force_close=True,
        resolver=PublicResolver(names, allows=allows),
        socket_factory=partial(public_socket, allows=allows),
    )

    async def get(url: str) -> int:
        async with session.get(URL(url, encoded=True)) as response:
            return response.status

    async with aiohttp.ClientSession(connector=connector, trust_env=False) as session:
        yield get
