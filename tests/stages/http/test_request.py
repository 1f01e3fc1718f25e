"""Requests: byte for byte what aiohttp's session would send, and credentials for their origins only."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
from yarl import URL

from penstock.crawler.config.credentials import Proxy, parse_proxy
from penstock.crawler.messages import CanonicalUrl
from penstock.crawler.urls import origin
from penstock.stages.http.exchange import HttpClient
from penstock.stages.http.request import NO_CREDENTIALS, CredentialSender, RequestTemplates, SentCredentials
from tests.support.fakes import url
from tests.support.raw_server import RawServer, html, http

OURS = {"Accept": "text/html", "Accept-Encoding": "gzip, deflate", "User-Agent": "Penstock/9 (ü)"}
WHO = ("Proxy-Authorization", "Basic d2hv")

CREDENTIALS = [
    NO_CREDENTIALS,
    SentCredentials((("Cookie", "a=b; c=d"), ("Authorization", "Basic eA=="))),
    SentCredentials((("user-agent", "Another"), ("X-Own", "ö, two"))),
    SentCredentials((("host", "elsewhere"),)),
]


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    async with RawServer().serve() as running:
        yield running


def located(address: str) -> tuple[CanonicalUrl, str]:
    """A URL and its origin."""
    return CanonicalUrl(address), origin(CanonicalUrl(address))


async def of_session(address: str, sent: SentCredentials, proxy: Proxy | None = None) -> None:
    """Send the request with aiohttp's own session."""
    session = aiohttp.ClientSession(
        headers=OURS, cookie_jar=aiohttp.DummyCookieJar(), proxy=None if proxy is None else proxy.url
    )
    async with (
        session,
        session.get(
            URL(address, encoded=True),
            headers=dict(sent.in_request),
            proxy_headers=dict(sent.in_tunnel),
            allow_redirects=False,
        ),
    ):
        pass


class TestWhatIsSent:
    @pytest.mark.parametrize("sent", CREDENTIALS)
    async def test_a_request_to_a_host_is_that_of_aiohttps_session(
        self, server: RawServer, sent: SentCredentials
    ) -> None:
        address = server.url + "/it's?b=%20+&a=%E4"
        server.answers["/it's?b=%20+&a=%E4"] = html()
        await of_session(address, sent)

        _, ours = RequestTemplates(OURS, None).request("GET", *located(address), sent)

        assert ours.decode("latin-1") == server.heads[-1]

    @pytest.mark.parametrize("sent", [*CREDENTIALS, SentCredentials((WHO,))])
    @pytest.mark.parametrize(
        "asked", ["http://site.test", "http://site.test:81", "http://[::1]:81", "http://h."]
    )
    async def test_a_request_to_a_proxy_is_that_of_aiohttps_session(
        self, server: RawServer, asked: str, sent: SentCredentials
    ) -> None:
        """The whole URL stands in the first line there, and the host may be any."""
        proxy, address = parse_proxy(server.url), f"{asked}/x?y"
        server.answers[address] = html()
        await of_session(address, sent, proxy)

        _, ours = RequestTemplates(OURS, proxy).request("GET", *located(address), sent)

        assert ours.decode("latin-1") == server.heads[-1]

    async def test_a_proxy_that_is_asked_for_a_tunnel_gets_no_header_for_the_site(
        self, server: RawServer
    ) -> None:
        proxy, address = parse_proxy(server.url.replace("://", "://who:pw@")), "https://site.test/x"
        sender = CredentialSender({"X-Key": "of-the-site"}, frozenset({"https://site.test"}), None, proxy)
        sent = sender.credentials_for(*located(address))
        server.answers["site.test:443"] = http(status="403 Forbidden")
        templates = RequestTemplates(OURS, proxy)
        client = HttpClient(templates, sender, timeout=5.0, proxy=proxy)
        key = templates.request("GET", *located(address), sent)[0].connection_key

        with pytest.raises(aiohttp.ClientHttpProxyError):
            await of_session(address, sent, proxy)
        with pytest.raises(aiohttp.ClientHttpProxyError):
            await client.request("GET", url(address))
        await client.close()

        assert server.heads[0] == server.heads[1]
        assert "site.test:443 HTTP/1.1" in server.heads[1]
        assert "X-Key" not in server.heads[1]
        # aiohttp changes the headers that it is given, and they are a part of the key in its pool.
        assert templates.request("GET", *located(address), sent)[0].connection_key == key

    async def test_an_empty_query_is_sent_as_it_is_spelt(self) -> None:
        """To a server `/a?` may be another page than `/a`; yarl knows no empty query."""
        assert self.line("http://h/a?") == "GET /a? HTTP/1.1"
        assert self.line("http://h/a?", proxy=parse_proxy("http://p:1")) == "GET http://h/a? HTTP/1.1"
        assert self.line("https://h/a?", proxy=parse_proxy("http://p:1")) == "GET /a? HTTP/1.1"

    @staticmethod
    def line(address: str, proxy: Proxy | None = None) -> str:
        _, request = RequestTemplates(OURS, proxy).request("GET", *located(address), NO_CREDENTIALS)
        return request.decode().partition("\r\n")[0]


class TestWhatIsNeverSent:
    @pytest.mark.parametrize("path", ["a b", "a\r\nX-Injected: 1", "a\tb", "ä", "\x7f", "\ud800"])
    async def test_a_target_of_more_than_one_word_is_never_sent(self, path: str) -> None:
        """Canonical URLs have none; what reaches the wire does not depend on that."""
        with pytest.raises(aiohttp.InvalidURL):
            RequestTemplates(OURS, None).request("GET", *located(f"http://h/{path}"), NO_CREDENTIALS)

    @pytest.mark.parametrize("value", ["a\r\nX-Injected: 1", "a\nb", "a\0"])
    async def test_a_header_of_more_than_one_line_is_never_sent(self, value: str) -> None:
        with pytest.raises(ValueError, match="one line"):
            RequestTemplates({"X": value}, None).request("GET", *located("http://h/"), NO_CREDENTIALS)
