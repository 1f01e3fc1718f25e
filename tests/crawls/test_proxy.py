"""Proxies: every request leaves through the one that was named, and only it learns its password."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from penstock.crawler.config.credentials import parse_proxy
from tests.stages.fetchers.test_plain_fetcher import MakeFetcher, fetched, fetcher, free_port, reason
from tests.support.raw_server import RawServer, html, http

__all__ = ["fetcher"]

WHO = "bøb:p@ss"
BASIC = "Basic " + base64.b64encode(WHO.encode()).decode()


@pytest.fixture
async def proxy() -> AsyncIterator[RawServer]:
    async with RawServer().serve() as running:
        yield running


def named(proxy: RawServer, user: str = "") -> dict[str, object]:
    return {"proxy": parse_proxy(proxy.url.replace("://", f"://{user}"))}


class TestHttp:
    @pytest.mark.parametrize("path", ["/", "/it's", "/%27%2F%3a%7e", "/?b=%20+&a=%E4", "/[x]|y"])
    async def test_a_proxy_is_asked_for_the_canonical_url(
        self, proxy: RawServer, fetcher: MakeFetcher, path: str
    ) -> None:
        url = f"http://site.test{path}"
        proxy.answers[url] = html()

        page = await fetched(fetcher(**named(proxy)), url)

        assert (page.answer.status, proxy.paths) == (200, [url])
        assert proxy.header("Proxy-Authorization") == []

    async def test_the_proxy_gets_our_credentials_with_every_request(
        self, proxy: RawServer, fetcher: MakeFetcher
    ) -> None:
        """Not with the first on a connection only, whatever the site's credentials are."""
        made = fetcher(
            **named(proxy, "b%C3%B8b:p%40ss@"),
            headers={"Authorization": "Basic site"},
            header_origins=frozenset({"http://site.test"}),
        )
        for url in ("http://site.test/", "http://other.test/"):
            proxy.answers[url] = html()
            await fetched(made, url)
            assert proxy.header("Proxy-Authorization") == [BASIC]

        assert ["Authorization: Basic site" in head for head in proxy.heads] == [True, False]

    @pytest.mark.parametrize(
        ("status", "word"),
        [
            ("407 Proxy Authentication Required", "proxy:auth"),
            ("403 Forbidden", "proxy:denied"),
            ("500 Error", "proxy"),
            ("502 Bad Gateway", "connect"),
        ],
    )
    async def test_a_tunnel_is_asked_for_without_the_sites_secrets(
        self, proxy: RawServer, fetcher: MakeFetcher, status: str, word: str
    ) -> None:
        """What is said before the tunnel stands is read by the proxy; what the host is to blame for, too."""
        proxy.answers["site.test:443"] = f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode()
        made = fetcher(
            **named(proxy, "b%C3%B8b:p%40ss@"),
            headers={"Authorization": "Basic site"},
            header_origins=frozenset({"https://site.test"}),
        )

        assert await reason(made, "https://site.test/") == word

        assert proxy.header("Proxy-Authorization") == [BASIC]
        assert "site\r" not in proxy.heads[-1]

    async def test_a_407_of_the_proxy_is_not_taken_for_the_sites_answer(
        self, proxy: RawServer, fetcher: MakeFetcher
    ) -> None:
        """A robots.txt that answers 4xx allows everything, and it was not even asked."""
        url = "http://site.test/robots.txt"
        proxy.answers[url] = http(status="407 Proxy Authentication Required")

        assert await reason(fetcher(**named(proxy)), url, "robots") == "proxy:auth"

    async def test_a_proxy_that_does_not_exist_is_the_reason_proxy(self, fetcher: MakeFetcher) -> None:
        dead = {"proxy": parse_proxy(f"http://127.0.0.1:{free_port()}")}

        assert await reason(fetcher(**dead), "http://site.test/") == "proxy:refused"


class Socks:
    """A SOCKS 5 proxy (RFC 1928, RFC 1929) that leads everybody to one server."""

    def __init__(self, target: RawServer, reply: int) -> None:
        self.asked: list[tuple[str, int]] = []
        self.users: list[tuple[str, str]] = []
        self.url = ""
        self._target = target
        self._reply = reply

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def text() -> str:
            return (await reader.readexactly((await reader.readexactly(1))[0])).decode()

        methods = await reader.readexactly((await reader.readexactly(2))[1])
        writer.write(b"\x05\x02" if 2 in methods else b"\x05\x00")
        if 2 in methods:
            await reader.readexactly(1)
            self.users.append((await text(), await text()))
            writer.write(b"\x01\x00")
        assert await reader.readexactly(4) == b"\x05\x01\x00\x03"  # CONNECT, to a name
        self.asked.append((await text(), int.from_bytes(await reader.readexactly(2), "big")))
        writer.write(bytes((5, self._reply, 0, 1, 0, 0, 0, 0, 0, 0)))
        if not self._reply:
            port = int(self._target.url.rpartition(":")[2])
            back, forth = await asyncio.open_connection("127.0.0.1", port)
            forth.write(await reader.readuntil(b"\r\n\r\n"))
            writer.write(await back.read())
            forth.close()
        writer.close()


@asynccontextmanager
async def socks(target: RawServer, reply: int = 0) -> AsyncIterator[Socks]:
    proxy = Socks(target, reply)
    server = await asyncio.start_server(proxy.connected, "127.0.0.1", 0)
    proxy.url = f"socks5://bob:hunter2@127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield proxy


class TestSocks:
    async def test_a_socks_proxy_resolves_the_name_and_gets_our_credentials(
        self, proxy: RawServer, fetcher: MakeFetcher
    ) -> None:
        """A name that was resolved here would tell the local resolver which hosts are visited."""
        proxy.answers["/x"] = html("Connection: close")
        async with socks(proxy) as way:
            page = await fetched(fetcher(proxy=parse_proxy(way.url)), "http://site.test:81/x")

        assert page.answer.status == 200
        assert (way.asked, way.users) == ([("site.test", 81)], [("bob", "hunter2")])
        assert "Proxy-Authorization" not in proxy.heads[-1]

    @pytest.mark.parametrize(("reply", "word"), [(1, "proxy"), (2, "proxy"), (4, "connect"), (5, "refused")])
    async def test_a_socks_error_about_the_host_is_the_hosts_failure(
        self, proxy: RawServer, fetcher: MakeFetcher, reply: int, word: str
    ) -> None:
        async with socks(proxy, reply) as way:
            assert await reason(fetcher(proxy=parse_proxy(way.url)), "http://site.test/") == word

    async def test_responses_through_socks_have_the_same_bounds(
        self, proxy: RawServer, fetcher: MakeFetcher
    ) -> None:
        """The library brings a protocol of its own, which would take hints without end."""
        hints = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 10_000
        proxy.answers["/"] = hints + html("Connection: close")
        async with socks(proxy) as way:
            assert await reason(fetcher(proxy=parse_proxy(way.url)), "http://site.test/") == "bad_http"

    async def test_a_proxy_that_does_not_exist_is_the_reason_proxy(self, fetcher: MakeFetcher) -> None:
        dead = parse_proxy(f"socks5://127.0.0.1:{free_port()}")

        assert await reason(fetcher(proxy=dead), "http://site.test/") == "proxy:refused"
