"""Credentials: what may be given, how it is read, and that no message repeats it."""

from __future__ import annotations

import base64
import json

import pytest

from penstock.crawler.config.credentials import SET, basic_authorization, dropped_credentials, parse_proxy
from tests.crawler.config.test_crawl_config import config, refusal


class TestAuth:
    @pytest.mark.parametrize(
        "auth", ["bob:hunter2", "bob:a:b::c", "bob:", ":token", "bøb:pässwörd ключ", "bob: with blanks "]
    )
    def test_auth_is_sent_as_basic_authentication_in_utf8(self, auth: str) -> None:
        """RFC 7617; the first colon divides, so a password may have more of them."""
        ((name, value),) = config(auth=auth).headers

        assert (name, value.split()[0]) == ("Authorization", "Basic")
        assert base64.b64decode(value.split()[1]).decode() == auth

    @pytest.mark.parametrize(
        "auth", ["", ":", "hunter2", "bob:hun\nter2", "bob:hunter2\x00", "bob:hun\udcff", 5]
    )
    def test_an_invalid_auth_is_refused_and_not_repeated(self, auth: object) -> None:
        message = refusal(auth=auth)

        assert message.startswith("--auth (or PENSTOCK_AUTH): ")
        assert "hun" not in message


class TestProxy:
    @pytest.mark.parametrize(
        ("text", "url", "user", "password"),
        [
            ("http://proxy:3128", "http://proxy:3128", "", ""),
            ("http://PROXY:3128/", "http://proxy:3128", "", ""),
            ("http://proxy:80", "http://proxy:80", "", ""),
            ("https://bob:hunter2@proxy:443", "https://proxy:443", "bob", "hunter2"),
            ("http://bob:p%40ss%3A%2F%C3%A4@proxy:1", "http://proxy:1", "bob", "p@ss:/ä"),
            ("http://bob@proxy:1", "http://proxy:1", "bob", ""),
            ("http://[::1]:8080", "http://[::1]:8080", "", ""),
            ("http://bücher.example:8080", "http://xn--bcher-kva.example:8080", "", ""),
            ("socks5://proxy:1080", "socks5://proxy:1080", "", ""),
            ("socks5h://bob:hunter2@10.0.0.1:1080", "socks5h://10.0.0.1:1080", "bob", "hunter2"),
        ],
    )
    def test_the_url_of_a_proxy_is_split_into_address_user_and_password(
        self, text: str, url: str, user: str, password: str
    ) -> None:
        found = parse_proxy(text)

        assert (found.url, found.user, found.password) == (url, user, password)
        assert config(proxy=text).exit == found

    @pytest.mark.parametrize(
        "proxy",
        [
            "",
            "proxy:3128",
            "ftp://proxy:3128",
            "http://proxy",
            "http://proxy:0",
            "http://proxy:hunter2",
            "http://proxy:99999",
            "http://:3128",
            "http://bob:hunter2@:1",
            "http://bob:hunter2/x@proxy:3128",
            "http://bob:hunter2#x@proxy:3128",
            "http://bob:hunter2?x@proxy:3128",
            "http://bob:hunter2%0a@proxy:3128",
            "http://b%3Ab:hunter2@proxy:3128",
            "http://bob:hunter2@pro xy:3128",
            "http://bob:hunter2@[::1:3128",
            "socks5://bob@proxy:1",
            "socks5://bob:hunter2%C3%A4@proxy:1",
            "socks5://bob:" + "hunter2" * 40 + "@proxy:1",
            3128,
        ],
    )
    def test_an_invalid_proxy_is_refused_and_not_repeated(self, proxy: object) -> None:
        message = refusal(proxy=proxy)

        assert message.startswith("--proxy (or PENSTOCK_PROXY): ")
        assert "hunter2" not in message

    def test_socks_without_its_library_says_how_to_get_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("penstock.crawler.config.credentials.find_spec", lambda name: None)

        assert "penstock-crawler[socks]" in refusal(proxy="socks5://proxy:1080")

    def test_public_only_behind_a_proxy_is_refused(self) -> None:
        """The proxy connects; which address that was is not to be seen from here."""
        assert refusal(proxy="http://proxy:1", public_only=True).startswith("--public-only: ")


class TestRecipients:
    def test_credentials_go_to_the_origins_of_seeds_and_those_of_credentials_to(self) -> None:
        made = config(seeds=["http://a/x", "https://b:444/"], credentials_to=["http://C:80", "https://d/"])

        assert made.credential_origins == {"http://a", "https://b:444", "http://c", "https://d"}

    @pytest.mark.parametrize("text", ["", "a.example", "*", "ftp://a/", "http://a/path", "http://a/?q"])
    def test_only_an_origin_is_one(self, text: str) -> None:
        assert refusal(credentials_to=text).startswith("--credentials-to: ")


class TestContradictions:
    def test_one_header_is_not_set_from_two_sides(self) -> None:
        assert "--auth: " in refusal(auth="a:b", header="authorization: x")
        assert "--cookies: " in refusal(cookies="file", header="COOKIE: x")

    def test_the_proxys_header_is_never_sent_to_a_site(self) -> None:
        assert "use --proxy" in refusal(header="Proxy-Authorization: Basic hunter2")


SECRETS = {
    "auth": "bob:hunter2",
    "header": ["X-Mine: hunter2"],
    "proxy": "http://bob:hunter2@proxy:3128",
    "cookies": "cookies.txt",
}


class TestSecrecy:
    def test_the_public_configuration_shows_only_that_credentials_were_given(self) -> None:
        public = config(**SECRETS).public()

        assert (public["auth"], public["header"]) == (SET, ["X-Mine"])
        assert (public["proxy"], public["cookies"]) == ("http://***@proxy:3128", "cookies.txt")
        assert "hunter2" not in json.dumps(public)

    def test_credentials_are_not_part_of_the_identity(self) -> None:
        assert config(**SECRETS).identity() == config().identity()

    def test_no_repr_shows_them(self) -> None:
        """A repr ends in tracebacks and logs."""
        made = config(**SECRETS)

        assert "hunter2" not in repr(made) + repr(made.exit)

    def test_what_a_run_has_no_longer_is_known(self) -> None:
        assert dropped_credentials(config(**SECRETS).public(), config(auth="c:d").public()) == [
            "header",
            "cookies",
            "proxy",
        ]
        assert dropped_credentials({}, config().public()) == []

    def test_basic_is_known_by_example(self) -> None:
        """RFC 7617 §2."""
        assert basic_authorization("Aladdin:open sesame") == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
