"""robots.txt as hostile input: nothing raises, nothing runs away, and the quick matcher is right.

It is held against one that is slow and easy to believe.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Sequence
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.crawler.policies.robots_rules import TOO_MANY, RuleBook, path_of, rule
from penstock.crawler.policies.robots_txt import read

STAR, END = "any", "end"  # no octet is spelt so

LINES = ["User-agent: *", "user-agent: Penstock", "User-agent", "Disallow:", "Allow: /", "Disallow: /a*b$",
         "#", "Crawl-delay: 1", "Sitemap: http://h/", "Sitemap: http://[", ":", "\ufeff", "\0", "Allow: %%2",
         "x" * 99]  # fmt: skip
ENDS = ["\n", "\r", "\r\n", "", " ", "\t"]
bodies = (
    st.binary()
    | st.lists(st.sampled_from(LINES + ENDS)).map("".join).map(str.encode)
    | st.text().map(str.encode)
)

octets = ["/", "a", "b", "*", "$", "?", "=", "%"]
codes = ["%2F", "%2f", "%61", "%2A", "%3F", "%3D", "%25", "%E9"]
patterns = st.lists(st.sampled_from([*octets, *codes, " ", "\xe9"]), max_size=7).map("".join) | st.text(
    "/ab*$", max_size=8
)
paths = st.lists(st.sampled_from([*octets, *codes]), max_size=9).map("".join) | st.text("ab/", max_size=9)


def spelt(text: str) -> list[str]:
    """The octets as they are compared: an encoded one is three."""
    found: list[str] = []
    for octet in re.findall("%[0-9A-Fa-f]{2}|.", text, re.S):
        char = chr(int(octet[1:], 16)) if len(octet) == 3 else octet
        keep = len(octet) == 3 and char in "%/?#&="
        found += char if "!" <= char <= "~" and not keep else f"%{ord(char):02X}"
    return found


def in_query(spelt: Sequence[str]) -> list[str]:
    start = spelt.index("?") + 1 if "?" in spelt else len(spelt)
    encoded = {"/": ["%", "2", "F"], "?": ["%", "3", "F"]}
    return [*spelt[:start], *(each for octet in spelt[start:] for each in encoded.get(octet, [octet]))]


def read_pattern(text: str) -> list[str]:
    body, end = (text[:-1], [END]) if text.endswith("$") else (text, [])
    first, *rest = (spelt(part) for part in re.split("[*]+", body))
    return first + [octet for part in rest for octet in (STAR, *part)] + end


def match(pattern: Sequence[str], path: Sequence[str]) -> bool:
    @cache
    def tail(i: int, j: int) -> bool:
        if i == len(pattern):
            return True
        if pattern[i] == STAR:
            return tail(i + 1, j) or (j < len(path) and tail(i, j + 1))
        if pattern[i] == END:
            return j == len(path)
        return j < len(path) and pattern[i] == path[j] and tail(i + 1, j + 1)

    return tail(0, 0)


def believed(written: Sequence[tuple[bool, str]], path: str) -> tuple[int, bool] | None:
    """The octets of the rule that decides, and what it says."""
    url = spelt(path)
    read = [(allow, read_pattern(text)) for allow, text in written]
    matching = [
        (len(in_query(pattern)), allow)
        for allow, pattern in read
        if match(pattern, url) or match(in_query(pattern), in_query(url))
    ]
    return max(matching, default=None)


def book(*written: str) -> RuleBook:
    return RuleBook(rule(line, False, text) for line, text in enumerate(written, 1))


class TestAnyInput:
    @settings(deadline=None)
    @given(bodies, st.sampled_from(["Penstock", "a", ""]))
    def test_any_body_can_be_read_and_asked_about_any_path(self, body: bytes, token: str) -> None:
        said = read(body, token)

        for path in ("/", "/a", "/a?b/c", "/%E9", path_of("http://h/\ud800 é")):
            found = said.rules.rule_for(path)
            assert said.rules.allows(path) is (found is None or found.allow)
            assert found is None or str(found)
        assert said.crawl_delay is None or 0 <= said.crawl_delay < 1e9

    @settings(max_examples=500, deadline=None)
    @given(st.lists(st.tuples(st.booleans(), patterns), max_size=6), paths)
    def test_the_fast_matcher_agrees_with_the_slow_one(
        self, written: list[tuple[bool, str]], path: str
    ) -> None:
        found = RuleBook(rule(n, allow, text) for n, (allow, text) in enumerate(written)).rule_for(
            path_of("http://h/" + path)
        )

        assert (None if found is None else (found.rank // 2, found.allow)) == believed(written, "/" + path)

    @pytest.mark.parametrize("count", [20, 2000])
    def test_looking_up_many_patterns_agrees_with_trying_each(self, count: int) -> None:
        """Few and many of them take different ways."""
        chance = random.Random(count)
        pieces = [f"{chance.choice('/?-=')}{number}" for number in range(count // 4)]
        ends = ["", "", "$"]
        rules = [
            rule(
                line,
                chance.random() < 0.5,
                "/*" + "*".join(chance.choices(pieces, k=2)) + chance.choice(ends),
            )
            for line in range(count)
        ]
        known = RuleBook(rules)
        matched = 0

        for _ in range(300):
            path = "/" + "".join(chance.choices(pieces, k=count // 20 + 2))
            best = max((each.rank for each in rules if each.matches(path)), default=None)
            found = known.rule_for(path)
            assert (found and found.rank) == best
            matched += found is not None
        assert matched > 50


class TestCost:
    @pytest.mark.parametrize(
        "patterns",
        [
            ["/" + "a*" * 250_000 + "b"],
            [f"/{'a*' * 500}b{n}" for n in range(500)],
            [f"/*{'a' * 50}b{n}{'a' * 45}" for n in range(4_500)],
            [f"/*{'a' * n}b" for n in range(1, 900)],
            [f"/{'a' * n}b" for n in range(1, 900)],
            [f"/*{n:x}" for n in range(40_000)],
            [f"/*{n % 256:02x}*{n // 256:02x}z" for n in range(35_000)],
            ["/*?" + "/%2F" * 100_000],
        ],
        ids=["stars", "many stars", "almost", "lengths", "heads", "short", "pairs", "query"],
    )
    def test_hostile_patterns_cost_a_bounded_time(self, patterns: list[str]) -> None:
        """500 KiB of them and URLs of 2,000 characters. A backtracking matcher needs years for some."""
        body = ("User-agent: *\nDisallow: " + "\nDisallow: ".join(patterns))[: 500 * 1024].encode()
        paths = ["/" + "a" * 2000, "/" + "".join(f"{n:02x}" for n in range(256)) * 4, "/?" + "/" * 2000]
        started = time.process_time()

        rules = read(body).rules
        for path in paths * 10:
            rules.allows(path)

        assert time.process_time() - started < 10  # seconds; about one is usual

    def test_a_path_that_would_cost_too_much_is_disallowed(self) -> None:
        """A file that is made for it loses its own pages, and only those that hit it."""
        rules = book(*(f"/*a{n}-*z" for n in range(2000)))
        path = "/" + "".join(f"a{n}-" for n in range(2000))

        assert rules.rule_for(path) is TOO_MANY
        assert not rules.allows(path)
        assert rules.allows("/a1-a2-a3-")
        assert not rules.allows("/a1-z")

    def test_a_thousand_filters_of_a_shop_are_within_the_bound(self) -> None:
        rules = book(
            *(f"/*?*filter{n}=" for n in range(1000)), *(f"/*?*filter{n}=*&sort=" for n in range(1000))
        )
        query = "&".join(f"filter{n}x={n}" for n in range(60))

        assert rules.allows(f"/c/shoes?{query}")
        assert not rules.allows(f"/c/shoes?{query}&filter7=1")
