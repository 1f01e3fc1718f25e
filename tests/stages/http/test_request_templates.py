"""RequestTemplate requests: byte for byte what aiohttp's own session would send."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
from yarl import URL

from penstock.crawler.config.credentials import Proxy, parse_proxy
from penstock.stages.http.exchange import HttpClient
from penstock.stages.http.request_templates import RequestTemplates
from penstock.stages.http.sent_credentials import NO_CREDENTIALS, SentCredentials
from tests.support.fakes import url
from tests.support.raw_server import RawServer, html, http

OURS = {"Accept": "text/html", "Accept-Encoding": "gzip, deflate", "User-Agent": "Penstock/9 (ü)"}
WHO = ("Proxy-Authorization", "Basic d2hv")

CARRIED = [
    NO_CREDENTIALS,
    SentCredentials((("Cookie", "a=b; c=d"), ("Authorization", "Basic eA=="))),
    SentCredentials((("user-agent", "Another"), ("X-Own", "ö, two"))),
    SentCredentials((("host", "elsewhere"),)),
]


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    async with RawServer().serve() as running:
        yield running


async def of_session(address: str, carried: SentCredentials, proxy: Proxy | None = None) -> None:
    """Ask as we did before there was anything prepared."""
    session = aiohttp.ClientSession(
        headers=OURS, cookie_jar=aiohttp.DummyCookieJar(), proxy=None if proxy is None else proxy.url
    )
    async with (
        session,
        session.get(
            URL(address, encoded=True),
            headers=dict(carried.in_request),
            proxy_headers=dict(carried.in_tunnel),
            allow_redirects=False,
        ),
    ):
        pass


class TestWhatIsSent:
    @pytest.mark.parametrize("carried", CARRIED)
    async def test_to_a_host(self, server: RawServer, carried: SentCredentials) -> None:
        address = server.url + "/it's?b=%20+&a=%E4"
        server.answers["/it's?b=%20+&a=%E4"] = html()
        await of_session(address, carried)

        _, ours = RequestTemplates(OURS, None).request("GET", url(address), carried)

        assert ours.decode("latin-1") == server.heads[-1]

    @pytest.mark.parametrize("carried", [*CARRIED, SentCredentials((WHO,))])
    @pytest.mark.parametrize(
        "asked", ["http://site.test", "http://site.test:81", "http://[::1]:81", "http://h."]
    )
    async def test_to_a_proxy(self, server: RawServer, asked: str, carried: SentCredentials) -> None:
        """The whole URL stands in the first line there, and the host may be any."""
        proxy, address = parse_proxy(server.url), f"{asked}/x?y"
        server.answers[address] = html()
        await of_session(address, carried, proxy)

        _, ours = RequestTemplates(OURS, proxy).request("GET", url(address), carried)

        assert ours.decode("latin-1") == server.heads[-1]

    async def test_to_ask_a_proxy_for_a_tunnel(self, server: RawServer) -> None:
        proxy, address = parse_proxy(server.url), "https://site.test/x"
        carried = SentCredentials((("Cookie", "for=the-site"),), (WHO,))
        server.answers["site.test:443"] = http(status="403 Forbidden")
        requests = RequestTemplates(OURS, proxy)
        exchanges = HttpClient(requests, timeout=5.0, public_only=False, proxy=proxy)
        key = requests.request("GET", url(address), carried)[0].connection_key

        with pytest.raises(aiohttp.ClientHttpProxyError):
            await of_session(address, carried, proxy)
        with pytest.raises(aiohttp.ClientHttpProxyError):
            await exchanges.begin("GET", url(address), carried)
        await exchanges.close()

        assert server.heads[0] == server.heads[1]
        assert "site.test:443 HTTP/1.1" in server.heads[1]
        # aiohttp writes into the headers it is given, which say whose a connection in its pool is.
        assert requests.request("GET", url(address), carried)[0].connection_key == key

    async def test_an_empty_query_is_sent_as_it_is_spelt(self) -> None:
        """To a server `/a?` may be another page than `/a`; yarl knows no empty query."""
        assert self.line("http://h/a?") == "GET /a? HTTP/1.1"
        assert self.line("http://h/a?", proxy=parse_proxy("http://p:1")) == "GET http://h/a? HTTP/1.1"
        assert self.line("https://h/a?", proxy=parse_proxy("http://p:1")) == "GET /a? HTTP/1.1"

    @staticmethod
    def line(address: str, proxy: Proxy | None = None) -> str:
        _, request = RequestTemplates(OURS, proxy).request("GET", url(address), NO_CREDENTIALS)
        return request.decode().partition("\r\n")[0]


class TestWhatIsNot:
    @pytest.mark.parametrize("path", ["a b", "a\r\nX-Injected: 1", "a\tb", "ä", "\x7f", "\ud800"])
    async def test_a_target_of_more_than_one_word(self, path: str) -> None:
        """Canonical URLs have none; what reaches the wire does not depend on that."""
        with pytest.raises(aiohttp.InvalidURL):
            RequestTemplates(OURS, None).request("GET", url(f"http://h/{path}"), NO_CREDENTIALS)

    @pytest.mark.parametrize("value", ["a\r\nX-Injected: 1", "a\nb", "a\0"])
    async def test_a_header_of_more_than_one_line(self, value: str) -> None:
        with pytest.raises(ValueError, match="one line"):
            RequestTemplates({"X": value}, None).request("GET", url("http://h/"), NO_CREDENTIALS)
