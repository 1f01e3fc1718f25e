"""Which rule of a robots.txt decides: RFC 9309 sections 2.2.2 and 2.2.3."""

from __future__ import annotations

import pytest

from penstock.crawler.policies.robots_rules import RuleBook, path_of
from penstock.crawler.policies.robots_txt import read


def rules(lines: str) -> RuleBook:
    return read(f"User-agent: *\n{lines}".encode()).rules


def allows(lines: str, path: str) -> bool:
    return rules(lines).allows(path_of("http://h" + path))


class TestPrecedence:
    @pytest.mark.parametrize(
        ("lines", "path", "allowed"),
        [
            ("Disallow: /a\nAllow: /a/b", "/a/b/c", True),
            ("Allow: /a/b\nDisallow: /a", "/a/c", False),
            ("Allow: /aa\nDisallow: /*aa", "/aaa", False),
            ("Disallow: /a*\nAllow: /a", "/a", False),
            ("Disallow: /a$\nAllow: /a", "/a", False),
            ("Disallow: /a?b*cd\nAllow: /a?b/c", "/a?b/cd", True),
            ("Disallow: /%C3%A9\nAllow: /*****é", "/%C3%A9", True),
        ],
    )
    def test_the_most_octets_win(self, lines: str, path: str, allowed: bool) -> None:
        """Wildcards count, a run of them as one; what is encoded counts encoded."""
        assert allows(lines, path) is allowed

    @pytest.mark.parametrize(
        ("lines", "path"),
        [
            ("Disallow: /a\nAllow: /a", "/a"),
            ("Disallow: /*\nAllow: *$", "/a"),
            ("Disallow: /a*\nAllow: /*$", "/a"),
            ("Disallow: /a?b\nAllow: /a*b", "/a?b"),
            ("Disallow: /aa\nAllow: /a*", "/aa"),
            ("Disallow: /aa\nAllow: /a$", "/a"),
            ("Disallow: /%61\nAllow: /a", "/a"),
        ],
    )
    def test_allow_wins_a_tie(self, lines: str, path: str) -> None:
        assert allows(lines, path)
        assert allows("\n".join(reversed(lines.split("\n"))), path)

    def test_a_path_that_no_rule_matches_is_allowed(self) -> None:
        assert allows("Disallow: /a", "/b")

    @pytest.mark.parametrize("lines", ["Disallow:", "Disallow: \t", "Allow:", "Disallow: # /", "Disallow: $"])
    def test_an_empty_pattern_matches_nothing(self, lines: str) -> None:
        assert allows(lines, "/")


class TestPatterns:
    @pytest.mark.parametrize(
        ("pattern", "path"),
        [
            ("/", "/"),
            ("/a", "/ab?c"),
            ("*", "/"),
            ("/**a", "/xa"),
            ("*.gif$", "/a/b.gif"),
            ("/a*$", "/abc"),
            ("/*a*b$", "/xaxbxb"),
            ("/*ab$", "/ab/ab"),
            ("/ab*b$", "/abb"),
            ("/a$b", "/a$bc"),
            ("/$", "/"),
        ],
    )
    def test_a_pattern_is_a_beginning_with_wildcards_and_an_end(self, pattern: str, path: str) -> None:
        assert not allows(f"Disallow: {pattern}", path)

    @pytest.mark.parametrize(
        ("pattern", "path"),
        [
            ("/A", "/a"),
            ("a", "/a"),
            ("http://h/a", "/a"),
            ("/ab*b$", "/ab"),
            ("/a*b*b", "/axxb"),
            ("/a*b*bc$", "/axbc"),
            ("/*b*a", "/abx"),
            ("/a$", "/ab"),
            ("/a$", "/a$"),
            ("/*a$", "/aab"),
            ("/a?", "/a"),
        ],
    )
    def test_a_pattern_matches_no_other_path(self, pattern: str, path: str) -> None:
        """Case matters, an octet serves one part of a pattern, and no path begins without a slash."""
        assert allows(f"Disallow: {pattern}", path)


class TestSpelling:
    @pytest.mark.parametrize(
        ("pattern", "path"),
        [
            ("/%7Ejoe", "/~joe"),
            ("/~joe", "/%7ejoe"),
            ("/caf%c3%a9", "/caf%C3%A9"),
            ("/a b", "/a%20b"),
            ("/a%2Ab$", "/a*b"),
            ("/a%24$", "/a$"),
            ("/a%3Ab", "/a:b"),
            ("/a:b", "/a%3ab"),
            ('/a"<b>', "/a%22%3Cb%3E"),
            ("/a%zz", "/a%zz"),
            ("/a?u=http://b", "/a?u=http%3A%2F%2Fb"),
            ("/a?u=http%3A%2F%2Fb", "/a?u=http://b"),
            ("/*?*u=%2Fb", "/a?x?u=/b"),
            ("/*%2F", "/a?b=%2F"),
        ],
    )
    def test_one_path_in_two_spellings_is_one_path(self, pattern: str, path: str) -> None:
        """Section 2.2.2: reserved characters equal their encoded forms, others are decoded."""
        assert not allows(f"Disallow: {pattern}", path)

    @pytest.mark.parametrize(
        ("pattern", "path"),
        [
            ("/a%2Fb", "/a/b"),
            ("/a/b", "/a%2Fb"),
            ("/*%2F", "/a/b"),
            ("/a%3Fb", "/a?b"),
            ("/*?a%3Db", "/?a=b"),
            ("/*&", "/AT%26T"),
            ("/a%2Ab", "/axb"),
            ("/%2561", "/a"),
            ("/%25zz", "/%zz"),
            ("/a+b", "/a%20b"),
        ],
    )
    def test_a_separator_is_not_its_encoded_form(self, pattern: str, path: str) -> None:
        """Nor is a path decoded twice."""
        assert allows(f"Disallow: {pattern}", path)
