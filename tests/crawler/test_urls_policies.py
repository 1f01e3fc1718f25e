"""Other crawlers' spellings of URLs, held against ours: each of them is a policy of its own.

They sort queries, undo escapes and collapse slashes, which makes one URL of what a server may
tell apart. So two answers count as agreeing when nothing but that lies between them; what is
left is listed, with the reason why ours is another.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote, unquote_to_bytes

import pytest

from penstock.crawler.urls import canonical, is_http, resolve
from tests.support.conformance import Compared, as_bytes, disagreements, read_bytes, read_cases

HTTP = re.compile(r"(https?://)(?:[^/?#@]*@)?([^/?#]*)([^?#]*)\??([^#]*)", re.IGNORECASE)

STRAY = "a % that escapes nothing stays as it is: so browsers send it"
PORT = "the default port of its scheme is left out: RFC 3986 section 6.2.3"
NO_HOST = "it has no host, so it is no URL; there it is passed on as it came"
IDN = "hosts are written in ASCII, as they are asked for"
ODD_HOST = "there such a host stays as it came; in ASCII the name server may say what it is worth"
EMPTY_LABEL = "http://.éxamplé.com/résumé?q=résumé"
LONG_LABEL = f"http://www.{'éxamplé' * 11}.com/résumé?q=résumé"

DEVIATIONS: Mapping[str, Mapping[str, str]] = {
    "crawler_commons_normalizer": {
        "http:////": NO_HOST,
        "http:///////": NO_HOST,
        "https://www.last.fm/music/Prefuse+73/_/90%+of+My+Mind+Is+With+You": STRAY,
        "http://www.example.com/a/c/../b/search?q=foobar%": STRAY,
        "http://www.example.com/p%zz%77%v": STRAY,
        "http://www.example.com/search?q=foobar%": STRAY,
        "http://www.example.com/search?q=foobar%2": STRAY,
        "https://www.example.org./": "a name with the root's dot may be another virtual host",
        "http://foo.com/index?&=1&a=1": "a parameter without a name is kept",
        "http://foo.com/index?=1&b=1&a=1": "a parameter without a name is kept",
        "http://[::ffff:127.0.0.1]/": "an IPv6 address is written in the standard's one way",
    },
    "nutch_basic_normalizer": {
        "http://bücher.de/": IDN,
        "https://www.0251-sachverst%c3%a4ndiger.de/": IDN,
        "http:////": NO_HOST,
        "http:///////": NO_HOST,
        "http://www.example.com/a/c/../b/search?q=foobar%": STRAY,
        "http://www.example.com/p%zz%77%v": STRAY,
        "http://www.example.com/search?q=foobar%": STRAY,
        "http://www.example.com/search?q=foobar%2": STRAY,
    },
    "w3lib_canonicalize": {EMPTY_LABEL: ODD_HOST, LONG_LABEL: ODD_HOST},
    "w3lib_safe_url": {
        EMPTY_LABEL: ODD_HOST,
        LONG_LABEL: ODD_HOST,
        "https://[2402:4e00:40:40::2:3b6]:443": PORT,
        "https://example.com:443": PORT,
        "http://www.example.com:80/résumé?q=résumé": PORT,
        "http://新华网.中国:80": PORT,
        "http://[v6a.ip]": "brackets hold an IPv6 address, or it is no URL",
    },
}


def loosely(url: object) -> object:
    """What is left of a URL's spelling when all of these policies are applied to it."""
    match = HTTP.fullmatch(str(url).partition("#")[0]) if url is not None else None
    if match is None:
        return url
    scheme, host, path, query = match.groups()
    path = re.sub("/+", "/", _plain(path)) or "/"
    parts = sorted(part.removesuffix("=") for part in _plain(query).replace("+", "%20").split("&"))
    return f"{scheme.lower()}{host}{path}?{'&'.join(filter(None, parts))}"


def _plain(text: str) -> str:
    """Every octet in one spelling: escaped, but for those that mean nothing. A stray % stays one."""
    parts = re.split("(%[0-9A-Fa-f]{2})", text)
    safe = "%/?&=+~!$'()*,;:@-._"
    octets = (unquote_to_bytes(part) if index % 2 else part.encode() for index, part in enumerate(parts))
    return "".join(
        quote(octet, safe="-._~!$'()*,;:@") if index % 2 else quote(octet, safe=safe)
        for index, octet in enumerate(octets)
    )


def http_cases(name: str) -> Iterator[Compared]:
    """The cases that are absolute http(s) URLs and ask for no option of theirs."""
    for case in read_cases(f"url/{name}.json"):
        given = case["input"]
        if case.get("options") or case.get("args") or isinstance(given, int):
            continue
        text = as_bytes(given).decode("utf-8", "replace")
        if re.match("https?:/", text, re.IGNORECASE) and "\ufffd" not in text:
            yield Compared(text, loosely(canonical(text)), loosely(case.get("expected")))


class TestPolicies:
    @pytest.mark.parametrize(
        ("name", "least"),
        [
            ("crawler_commons_normalizer", 100),
            ("nutch_basic_normalizer", 70),
            ("w3lib_canonicalize", 59),
            ("w3lib_safe_url", 150),
        ],
    )
    def test_other_policies_differ_from_ours_only_where_listed(self, name: str, least: int) -> None:
        compared = list(http_cases(name))

        assert len(compared) >= least
        assert disagreements(compared, DEVIATIONS[name]) == []

    @pytest.mark.parametrize("name", sorted(DEVIATIONS))
    def test_urls_that_others_reject_are_no_pages_of_ours(self, name: str) -> None:
        """Other schemes, relative references, files: whatever their spelling, nobody asks for them."""
        for case in read_cases(f"url/{name}.json"):
            text = case["input"] if isinstance(case["input"], str) else ""
            if not re.match("https?:", re.sub("[\\0- ]", "", text), re.IGNORECASE):
                assert not is_http(canonical(text) or "")

    def test_crawler_commons_resolves_urls_as_we_do(self) -> None:
        """Fragments and passwords apart, which we keep nowhere."""
        deviations = {
            "http://user:pass@foo:21/bar;par?b#c": "neither user nor fragment is kept",
            "#right-menu": "the fragment is not kept",
        }
        compared = [
            Compared(
                case["input"],
                resolve(case["base"], case["input"]) if case["base"] else canonical(case["input"]),
                case["expected"],
            )
            for case in json.loads(read_bytes("url/crawler_commons_resolve.json"))["cases"]
        ]

        assert len(compared) == 22
        assert disagreements(compared, deviations) == []
