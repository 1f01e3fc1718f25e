"""One spelling of each URL, as browsers have it, without fragment and without userinfo."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.crawler.messages import CanonicalUrl
from penstock.crawler.urls import Joiner, canonical, host_name, is_http, origin, resolve, split, unsplit
from tests.support.conformance import Compared, disagreements, read_bytes, read_cases

# What browsers make of a URL is the standard's business; where we differ, we say why.
DEVIATIONS: Mapping[str, str] = {
    "http:g": "RFC 3986 section 5.4.2 leaves it as it is; browsers read it as relative, as old pages mean it",
    "//g": "the RFC does not normalise here; a host without a path has the path /",
}

BASES = st.sampled_from(
    [
        "http://h/",
        "https://h:81/a/b",
        "http://h/a/b/?x/y",
        "http://h/a?b/../c",
        "http://h/a/..b/c",
        "http://h//a//",
        "http://h/%2e%2f/x;y",
        "http://[::1]/x/y",
    ]
)
PIECES = [
    "a", "b.html", "0", "é", "。", "/", "//", "\\", ".", "..", "%2e", "%2E%2e", "%", "~", "_", ";", "|", "?",
    "#", "@", ":", "[", "]", " ", "\t", "\n", "\0", "\xa0", "http:", "https:", "//x", "C:", "mailto:",
    "javascript:", "data:", "ftp://",
]  # fmt: skip
HREFS = st.lists(st.sampled_from(PIECES), max_size=6).map("".join)


def without_user_and_fragment(case: Mapping[str, Any]) -> str:
    """The standard's answer in our spelling."""
    href = str(case["href"]).partition("#")[0]
    head, _, path = href.partition("://")[2].partition("/")
    return f"{case['protocol']}//{head.rpartition('@')[2]}/{path}"


class TestConformance:
    def test_http_urls_resolve_as_in_browsers(self) -> None:
        """The web-platform tests' own table: all http and https rows, valid and not."""
        compared = []
        for case in read_cases("url/wpt_urltestdata.json"):
            base, text = case["base"], case["input"]
            ours = canonical(text) if base is None else resolve(base, text)
            if case.get("failure"):
                compared.append(Compared(f"{text!r} on {base!r}", ours, None))
            elif case["protocol"] in ("http:", "https:"):
                compared.append(Compared(f"{text!r} on {base!r}", ours, without_user_and_fragment(case)))

        assert len(compared) > 500
        assert disagreements(compared, {}) == []

    def test_no_other_scheme_turns_into_http(self) -> None:
        others = [
            case
            for case in read_cases("url/wpt_urltestdata.json")
            if not case.get("failure") and case["protocol"] not in ("http:", "https:")
        ]
        ours = [
            canonical(c["input"]) if c["base"] is None else resolve(c["base"], c["input"]) for c in others
        ]

        assert len(others) > 300
        assert [url for url in ours if url is not None and is_http(url)] == []

    def test_host_names_are_the_ascii_that_browsers_ask_for(self) -> None:
        compared = [
            Compared(
                ascii(case["input"]),
                canonical(f"https://{case['input']}/x"),
                case["output"] and f"https://{case['output']}/x",
            )
            for case in read_cases("url/wpt_toascii.json")
        ]

        assert disagreements(compared, {}) == []

    def test_references_resolve_as_in_the_rfc(self) -> None:
        """RFC 3986 section 5.4."""
        data = json.loads(read_bytes("url/rfc3986_5_4.json"))
        compared = [
            Compared(case["ref"], resolve(data["base"], case["ref"]), case["expected"].partition("#")[0])
            for case in data["normal"] + data["abnormal"]
        ]

        assert disagreements(compared, DEVIATIONS) == []

    def test_spellings_that_browsers_treat_as_equal_are_one(self) -> None:
        """RFC 3986 section 6.2, without the steps that the URL standard leaves out."""
        data = json.loads(read_bytes("url/rfc3986_5_4.json"))
        compared = [Compared(one, canonical(one), other) for one, other in data["normalisation_6_2"]]
        escapes = "escapes of other schemes are kept as written; of http ones too, the server may care"

        assert disagreements(compared, {"eXAMPLE://a/./b/../b/%63/%7bfoo%7d": escapes}) == []


class TestCanonical:
    @pytest.mark.parametrize(
        ("text", "spelling"),
        [
            ("HTTP://Example.COM", "http://example.com/"),
            ("http://h:80/", "http://h/"),
            ("https://h:443/", "https://h/"),
            ("http://h:443/", "http://h:443/"),
            ("  http://h/a\n", "http://h/a"),
            ("http://h/#", "http://h/"),
            ("http://h/?#top", "http://h/?"),
            ("http://h/a/../b/./c", "http://h/b/c"),
            ("http://h/it's", "http://h/it's"),
            ("http://h/%27%2F%3a", "http://h/%27%2F%3a"),
            ("http://h/ä?ö", "http://h/%C3%A4?%C3%B6"),
            ("http://münchen.de/", "http://xn--mnchen-3ya.de/"),
            ("http://0x7f.1/", "http://127.0.0.1/"),
            ("http:\\\\h\\a", "http://h/a"),
            ("http://h//a//", "http://h//a//"),
            ("http://h?b=2&a=1", "http://h/?b=2&a=1"),
        ],
    )
    def test_each_url_has_one_canonical_spelling(self, text: str, spelling: str) -> None:
        """Case, port, dots and host are settled; what a server may tell apart is kept."""
        assert canonical(text) == spelling

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "/a",
            "//h/",
            "h/a",
            "http://",
            "http://h:99999/",
            "http://a b/",
            "http://[::1/",
            "http://h\ud800/",
        ],
    )
    def test_text_that_is_no_absolute_url_gives_none(self, text: str) -> None:
        assert canonical(text) is None

    @pytest.mark.parametrize(
        ("text", "spelling"),
        [
            ("http://user:secret@h/a@b", "http://h/a@b"),
            ("https://user@h:81/", "https://h:81/"),
            ("http://a@b@h/?c@d", "http://h/?c@d"),
            ("http://@h/", "http://h/"),
            ("http://h/@", "http://h/@"),
            ("mailto:me@h", "mailto:me@h"),
            ("ftp://user:secret@h/a", "ftp://h/a"),
            ("x://h?b@c", "x://h?b@c"),
            ("x://user@h?b@c/d", "x://h?b@c/d"),
        ],
    )
    def test_a_password_survives_in_no_spelling(self, text: str, spelling: str) -> None:
        """It must reach neither the database nor a log; the target of a redirect may have any scheme."""
        assert canonical(text) == spelling

    @settings(deadline=None)
    @given(BASES, HREFS)
    def test_a_canonical_url_is_its_own_canonical_form(self, base: str, href: str) -> None:
        """To canonicalise twice changes nothing, so what is stored is what is compared."""
        url = resolve(base, href)

        assert url is None or canonical(url) == url


class TestParts:
    @pytest.mark.parametrize(
        ("url", "parts"),
        [
            ("http://h/", (False, "h", "/")),
            ("https://h:81/a?b=/c", (True, "h:81", "/a?b=/c")),
            ("http://[::1]:81/", (False, "[::1]:81", "/")),
        ],
    )
    def test_a_url_is_scheme_host_and_path(self, url: str, parts: tuple[bool, str, str]) -> None:
        assert split(CanonicalUrl(url)) == parts
        assert unsplit(*parts) == url

    @settings(deadline=None)
    @given(BASES, HREFS)
    def test_a_split_url_can_be_joined_again(self, base: str, href: str) -> None:
        url = resolve(base, href)
        if url is None or not is_http(url):
            return

        parts = split(CanonicalUrl(url))

        assert unsplit(*parts) == url
        assert parts.path.startswith("/")
        assert not set(parts.host) & set("@/?#")

    @pytest.mark.parametrize(
        ("url", "expected"),
        [("http://h/a?b", "http://h"), ("https://h:81/", "https://h:81"), ("http://[::1]/x", "http://[::1]")],
    )
    def test_the_origin_ends_before_the_path(self, url: str, expected: str) -> None:
        assert origin(CanonicalUrl(url)) == expected

    @pytest.mark.parametrize(
        ("host", "name"), [("h", "h"), ("h:81", "h"), ("[::1]", "[::1]"), ("[::1]:81", "[::1]")]
    )
    def test_the_name_of_a_host_has_no_port(self, host: str, name: str) -> None:
        assert host_name(host) == name


class TestJoiner:
    def test_long_hrefs_are_joined_and_not_cached(self) -> None:
        """A page may have any number of hrefs of any length; the memory counts entries."""
        joiner, href = Joiner(), "x" * 400

        assert joiner("http://h/a/", href) == f"http://h/a/{href}"
        assert not joiner._here

    @settings(deadline=None, max_examples=300)
    @given(st.lists(st.tuples(BASES, HREFS), min_size=1, max_size=5))
    def test_a_joiner_agrees_with_resolve_whatever_it_has_cached(self, pairs: list[tuple[str, str]]) -> None:
        joiner = Joiner()

        assert [joiner(*pair) for pair in pairs * 2] == [resolve(*pair) for pair in pairs * 2]

    @settings(deadline=None, max_examples=200)
    @given(BASES, st.lists(st.sampled_from(["a", "B", "0", "_", "-", ".", "/"]), min_size=1).map("".join))
    def test_a_joiner_agrees_with_resolve_on_plain_paths(self, base: str, href: str) -> None:
        assert Joiner()(base, href) == resolve(base, href)

    def test_a_joiner_agrees_with_resolve_on_the_cases_of_the_standard(self) -> None:
        joiner, compared = Joiner(), []
        for case in read_cases("url/wpt_urltestdata.json"):
            base, href = case["base"] and canonical(case["base"]), case["input"]
            if base and is_http(base):
                compared.append(Compared(f"{href!r} on {base}", joiner(base, href), resolve(base, href)))

        assert disagreements(compared, {}) == []

    def test_a_blank_before_the_fragment_belongs_to_the_path(self) -> None:
        """Only the blanks at the two ends of the whole href are stripped."""
        assert resolve("http://h/a", "b #top") == "http://h/b%20"
        assert Joiner()("http://h/a", "b #top") == "http://h/b%20"

    def test_one_name_in_two_folders_is_two_urls(self) -> None:
        joiner = Joiner()

        assert joiner("http://h/a/", "x") == "http://h/a/x"
        assert joiner("http://h/b/", "x") == "http://h/b/x"
        assert joiner("http://h/a/?/b/", "x") == "http://h/a/x"

    @pytest.mark.parametrize("folders", [1, 7])
    def test_a_joiner_drops_entries_that_were_not_used_for_long(
        self, monkeypatch: pytest.MonkeyPatch, folders: int
    ) -> None:
        """Its memory is bounded, also on a site that has all in one folder; what it forgets it works
        out again."""
        monkeypatch.setattr("penstock.crawler.urls._MEMO_ENTRIES", 10)
        joiner = Joiner()

        for number in range(1_000):
            base = f"http://h/{number % folders}/"
            assert joiner(f"{base}page{number}", f"p{number}") == f"{base}p{number}"

        remembered = [*joiner._recent.values(), *joiner._previous.values()]
        assert len(remembered) + sum(map(len, remembered)) <= 22
