"""Which addresses are public: no other one may be connected to with --public-only."""

from __future__ import annotations

import ipaddress
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from penstock.crawler.messages import CanonicalUrl
from penstock.crawler.policies.addresses import is_local_name, is_public
from penstock.crawler.urls import canonical, host_name, split
from tests.support.conformance import read_bytes


def table() -> dict[str, Any]:
    data: dict[str, Any] = json.loads(read_bytes("ssrf/addresses.json"))
    return data


def host_of(url: str) -> str | None:
    """The host that a request for this URL would go to, as the crawler spells it; None: no request."""
    known = canonical(url)
    return None if known is None else host_name(split(CanonicalUrl(known)).host)


class TestAddresses:
    def test_no_private_address_of_the_table_is_public(self) -> None:
        """Whatever its spelling, the URL standard has made it an address or refused it before
        anything else sees it. What is left are names of this machine."""
        blocked: list[str] = [case["host"] for case in table()["blocked"]]
        assert len(blocked) == 55
        assert not any(map(is_public, blocked))

        for host in blocked:
            spelling = host_of(f"http://{host}/")
            if spelling is not None and not is_local_name(spelling):
                ipaddress.ip_address(spelling.strip("[]"))  # raises for a name
                assert not is_public(spelling)

    def test_every_public_address_of_the_table_is_public(self) -> None:
        """Embedded IPv4 addresses decide for NAT64 and IPv4-mapped ones, in both directions."""
        allowed: list[str] = table()["allowed"]

        assert len(allowed) == 20
        for host in allowed:
            assert is_public(host)
            assert is_public(host_of(f"http://{host}/") or "")

    def test_no_trick_makes_us_see_another_host_than_the_one_connected_to(self) -> None:
        """aiohttp connects to the host that yarl reads; the check must have read the same."""
        tricks = table()["url_tricks"]
        assert len(tricks) == 14

        for trick in tricks:
            host = host_of(trick)
            if host is not None:
                assert host.strip("[]") == URL(canonical(trick) or "", encoded=True).raw_host
                assert host == "example.com" or not is_public(host)

    @pytest.mark.parametrize(
        "address",
        [
            "",
            "example.com",
            "127.1",
            "1.2.3.4.5",
            "01.1.1.1",
            "1.1.1.1%eth0",
            "[1.1.1.1",
            "[",
            "2606:4700::1::",
        ],
    )
    def test_an_address_that_cannot_be_parsed_is_not_public(self, address: str) -> None:
        assert not is_public(address)

    @pytest.mark.parametrize(
        ("address", "public"),
        [
            ("2002:7f00:1::", False),  # 6to4 of 127.0.0.1
            ("2002:808:808::1", True),
            ("64:ff9b::a9fe:a9fe", False),
            ("64:ff9b:1::808:808", False),  # a network's own NAT64, RFC 8215
            ("2001::1", False),  # Teredo
            ("2001:200::1", True),
            ("3fff:fff::1", False),
            ("5f00::1", False),  # segment routing, RFC 9602
            ("fe80::1%eth0", False),
            ("192.88.99.1", False),
        ],
    )
    def test_addresses_of_further_blocks_are_judged_as_listed(self, address: str, public: bool) -> None:
        assert is_public(address) is public

    @given(st.text())
    def test_no_text_raises(self, text: str) -> None:
        is_public(text)
        is_local_name(text)

    @given(st.ip_addresses(v=4))
    def test_an_ipv4_address_inside_an_ipv6_address_keeps_its_verdict(
        self, address: ipaddress.IPv4Address
    ) -> None:
        number = int(address)
        clothes = [0xFFFF << 32 | number, 0x64_FF9B << 96 | number, 0x2002 << 112 | number << 80]

        assert {is_public(str(ipaddress.IPv6Address(value))) for value in clothes} == {
            is_public(str(address))
        }

    @given(st.ip_addresses())
    def test_nothing_that_python_calls_private_is_public(
        self, address: ipaddress.IPv4Address | ipaddress.IPv6Address
    ) -> None:
        """Ours is the stricter table. The carriers apart, whose IPv4 address decides."""
        if is_public(str(address)):
            assert address.is_global or int(address) >> 112 in (0x64, 0x2002) or int(address) >> 32 == 0xFFFF
