"""Registrable domains, held against the public suffix list's own tests."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.crawler.config.domains import registrable_domain
from penstock.crawler.messages import CanonicalUrl
from penstock.crawler.urls import canonical, split
from tests.support.conformance import Compared, disagreements, read_bytes


def cases() -> list[tuple[str, str | None]]:
    """(host, registrable domain); the list writes None as `null`, also where there is no host."""
    lines = read_bytes("psl/tests.txt").decode().splitlines()
    rows = [line.split() for line in lines if line and not line.startswith("//")]
    return [("" if host == "null" else host, None if domain == "null" else domain) for host, domain in rows]


class TestConformance:
    def test_the_lists_own_tests_agree(self) -> None:
        compared = [Compared(host, registrable_domain(host), domain) for host, domain in cases()]

        assert len(compared) == 78
        assert disagreements(compared, {}) == []

    def test_canonical_and_given_host_names_have_the_same_domain(self) -> None:
        """There a host is lower case and punycode, and what is no host never arrives."""
        compared = []
        for host, domain in cases():
            url, wanted = canonical(f"http://{host}/"), canonical(f"http://{domain}/")
            if url is not None and not host.startswith("."):
                ours = registrable_domain(split(CanonicalUrl(url)).host)
                assert wanted is not None
                compared.append(Compared(host, ours, domain and split(CanonicalUrl(wanted)).host))

        assert len(compared) == 73
        assert disagreements(compared, {}) == []


class TestRegistrable:
    @pytest.mark.parametrize("host", ["127.0.0.1", "8.8.8.8", "8.8.8.8.", "[::1]", "[2001:db8::1]", "::1"])
    def test_an_address_belongs_to_no_domain(self, host: str) -> None:
        """Else 10.0.0.1 and 192.168.0.1 would both be of the domain 0.1."""
        assert registrable_domain(host) is None

    @pytest.mark.parametrize("host", ["com", "co.uk", "github.io", "localhost", "intranet", "", ".", "a..b"])
    def test_a_public_suffix_or_a_single_label_has_no_registrable_domain(self, host: str) -> None:
        """Who crawls one of them means that host alone."""
        assert registrable_domain(host) is None

    @pytest.mark.parametrize(
        ("host", "domain"),
        [
            ("www.example.com", "example.com"),
            ("a.b.example.co.uk", "example.co.uk"),
            ("WWW.Example.COM", "example.com"),
            ("www.example.com.", "example.com"),
            ("one.github.io", "one.github.io"),
            ("deep.one.github.io", "one.github.io"),
            ("wiki.office.intranet", "office.intranet"),
            ("a.1e100.net", "1e100.net"),
        ],
    )
    def test_the_registrable_domain_is_the_suffix_and_one_label(self, host: str, domain: str) -> None:
        assert registrable_domain(host) == domain

    @given(st.text())
    def test_no_text_raises(self, host: str) -> None:
        registrable_domain(host)

    @given(st.from_regex(r"[a-z0-9-]{1,8}(\.[a-z0-9-]{1,8}){0,5}", fullmatch=True))
    def test_the_domain_of_a_domain_is_itself(self, host: str) -> None:
        domain = registrable_domain(host)

        assert domain is None or (registrable_domain(domain) == domain and f".{host}".endswith(f".{domain}"))


def test_the_list_is_read_only_when_it_is_asked() -> None:
    """A crawl of one host must not pay for it."""
    code = "import sys, penstock.crawler.config.domains; assert 'publicsuffixlist' not in sys.modules"

    subprocess.run([sys.executable, "-c", code], check=True)
