"""Session ids in URLs: found out by pages that are the same, without losing any other page."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.crawler.messages import CanonicalUrl
from penstock.crawler.policies.sessions import (
    MAX_COMPARED,
    Sessions,
    fingerprint,
    is_session,
    session_parameters,
    without_path_sessions,
)
from penstock.crawler.urls import canonical

HEX = "0123456789abcdef0123456789abcde"  # and one more digit: a session id
Page = tuple[str, str, int]  # path, content, depth


def at(path: str) -> CanonicalUrl:
    return CanonicalUrl(f"http://example.com{path}")


def taught(pages: Iterable[Page], sessions: Sessions | None = None) -> Sessions:
    sessions = sessions or Sessions()
    for path, content, depth in pages:
        sessions.note(at(path), content.encode(), depth)
    return sessions


SAME: list[Page] = [(f"/shop?sid={HEX}{number}", "shop", 1) for number in range(3)]


class TestSessionParameters:
    @pytest.mark.parametrize(
        ("path", "name", "rest"),
        [
            ("/a?PHPSESSID=7&b=1", "phpsessid", "/a?b=1"),
            ("/a?b=1&sid=x&c=2", "sid", "/a?b=1&c=2"),
            (f"/a?b=1&key={HEX}0", "key", "/a?b=1"),
            ("/a?k=9f86d081-8840-4f3a-bfef-abcdabcdabcd", "k", "/a?"),
            ("/a;jsessionid=AB12.node1/b?c=1", "jsessionid", "/a/b?c=1"),
        ],
    )
    def test_a_session_parameter_is_recognised_by_name_or_value(
        self, path: str, name: str, rest: str
    ) -> None:
        (found,) = session_parameters(at(path))

        assert (found.host, found.name, found.rest) == ("example.com", name, rest)

    @pytest.mark.parametrize(
        "path",
        [
            "/a",
            "/a?",
            "/a?page=12",
            "/a?id=1234567890123456789",
            "/a?q=thequickbrownfoxjumps",
            "/a?t=a-10-b-20-c-30",
            "/a;v=1",
        ],
    )
    def test_numbers_and_words_are_not_session_ids(self, path: str) -> None:
        """Pages and articles are numbered; a list's last page is the same under each."""
        assert list(session_parameters(at(path))) == []

    def test_a_url_may_have_several_session_parameters(self) -> None:
        found = session_parameters(at(f"/a;jsessionid=1?sid=2&x={HEX}3"))

        assert [(parameter.name, parameter.rest) for parameter in found] == [
            ("jsessionid", f"/a?sid=2&x={HEX}3"),
            ("sid", f"/a;jsessionid=1?x={HEX}3"),
            ("x", "/a;jsessionid=1?sid=2"),
        ]

    def test_the_value_decides_if_the_name_is_doubtful(self) -> None:
        """A story's `sid` must not be stripped from its URL without asking its page."""
        assert is_session("PHPSESSID", "")
        assert is_session("sid", HEX + "0")
        assert not is_session("sid", "24")
        assert not is_session("key", HEX + "0")
        assert without_path_sessions("/a;jsessionid=1/b;v=2;SID=3") == "/a/b;v=2"

    @given(st.text(max_size=200))
    def test_no_url_raises(self, text: str) -> None:
        url = canonical(f"http://example.com/{text}")

        if url is not None:
            sessions = Sessions(witnesses=1)
            sessions.note(CanonicalUrl(url), b"", 0)
            sessions.rule(CanonicalUrl(url), 1)


class TestSessions:
    def test_three_equal_pages_prove_a_session_parameter(self) -> None:
        assert taught(SAME[:2]).rule(at(f"/shop?sid={HEX}f"), 2) is None
        assert taught(SAME).rule(at(f"/shop?sid={HEX}f"), 2) == "trap:session"

    def test_the_same_page_three_times_proves_nothing(self) -> None:
        assert taught(SAME[:1] * 3).rule(at(f"/shop?sid={HEX}f"), 2) is None

    def test_a_page_that_is_not_stored_yet_is_admitted(self) -> None:
        """Where every link carries a session, each page must still be fetched once."""
        sessions = taught(SAME)

        assert sessions.rule(at(f"/cart?sid={HEX}f"), 2) is None
        taught([(f"/cart?sid={HEX}f", "cart", 2)], sessions)
        assert sessions.rule(at(f"/cart?sid={HEX}b"), 3) == "trap:session"

    def test_other_parameters_and_hosts_are_not_affected(self) -> None:
        sessions = taught(SAME)

        assert sessions.rule(at(f"/shop?key={HEX}9"), 2) is None
        assert sessions.rule(at("/shop"), 2) is None
        assert sessions.rule(CanonicalUrl(f"http://other.example/shop?sid={HEX}f"), 2) is None

    def test_a_parameter_whose_value_matters_is_refuted(self) -> None:
        """Stories that are gone look alike; the others do not."""
        gone: list[Page] = [(f"/story?sid={number}", "gone", 1) for number in range(10)]
        sessions = taught(gone)
        assert sessions.rule(at("/story?sid=99"), 2) == "trap:session"

        taught([("/story?sid=10", "News", 1)], sessions)

        assert sessions.rule(at("/story?sid=99"), 2) is None

    def test_a_doubtful_parameter_needs_more_witnesses(self) -> None:
        """A handful of stories that are gone must not hide all the others."""
        gone: list[Page] = [(f"/story?sid={number}", "gone", 1) for number in range(9)]

        assert taught(gone).rule(at("/story?sid=99"), 2) is None

    def test_a_name_with_ids_proves_nothing_about_the_same_name_with_numbers(self) -> None:
        sessions = taught(SAME)

        assert sessions.rule(at("/shop?sid=24"), 2) is None

    def test_a_sure_name_is_never_refuted(self) -> None:
        """Some page or other shows the time, and is a new one each second."""
        same: list[Page] = [(f"/shop?PHPSESSID={number}", "shop", 1) for number in range(3)]
        clock: list[Page] = [(f"/clock?PHPSESSID={number}", f"{number} o'clock", 1) for number in range(3)]

        assert taught(same + clock).rule(at("/shop?PHPSESSID=new"), 2) == "trap:session"

    def test_only_nearer_pages_count(self) -> None:
        """So the answer for a depth is settled once all pages of lesser depth are in."""
        sessions = taught(
            [(path, content, depth + number) for number, (path, content, depth) in enumerate(SAME)]
        )

        assert sessions.rule(at(f"/shop?sid={HEX}f"), 3) is None
        assert sessions.rule(at(f"/shop?sid={HEX}f"), 4) == "trap:session"

    def test_a_url_is_a_copy_only_of_a_nearer_page(self) -> None:
        sessions = taught([*SAME, (f"/cart?sid={HEX}a", "cart", 3)])

        assert sessions.rule(at(f"/cart?sid={HEX}f"), 3) is None
        assert sessions.rule(at(f"/cart?sid={HEX}f"), 4) == "trap:session"

    def test_only_a_nearer_page_refutes_a_parameter(self) -> None:
        sessions = taught([*SAME, (f"/shop?sid={HEX}9", "another shop", 4)])

        assert sessions.rule(at(f"/shop?sid={HEX}f"), 4) == "trap:session"
        assert sessions.rule(at(f"/shop?sid={HEX}f"), 5) is None

    def test_a_depth_that_falls_is_noted_again(self) -> None:
        sessions = taught([(path, content, 5) for path, content, _ in SAME])
        assert sessions.rule(at(f"/shop?sid={HEX}f"), 2) is None

        assert taught(SAME, sessions).rule(at(f"/shop?sid={HEX}f"), 2) == "trap:session"

    def test_a_parameter_is_refuted_even_when_the_memory_is_full(self) -> None:
        sessions = taught([*SAME, (f"/shop?sid={HEX}9", "another shop", 2)], Sessions(most_contents=1))

        assert sessions.rule(at(f"/shop?sid={HEX}f"), 2) == "trap:session"
        assert sessions.rule(at(f"/shop?sid={HEX}f"), 3) is None

    def test_memory_is_bounded_and_pages_beyond_are_admitted(self) -> None:
        sessions = taught(SAME, Sessions(most_contents=0))

        assert sessions.rule(at(f"/shop?sid={HEX}f"), 2) is None

    @given(
        pages=st.lists(
            st.tuples(
                st.builds(
                    "/{}?{}={}".format,
                    st.sampled_from("xy"),
                    st.sampled_from(["sid", "phpsessid"]),
                    st.integers(0, 5),
                ),
                st.sampled_from("ab"),
                st.integers(0, 4),
            ),
            max_size=20,
        ),
        order=st.randoms(use_true_random=False),
    )
    def test_the_order_of_arrival_does_not_change_the_traps(
        self, pages: list[Page], order: random.Random
    ) -> None:
        """Facts that arrive twice, late, or with a depth that fell on the way give the same answers."""
        content_of = {path: content for path, content, _ in pages}  # a URL has one content
        facts = [(path, content_of[path], depth) for path, _, depth in pages]
        shuffled = order.sample(facts, len(facts))
        asked = [
            (at(f"/{page}?{name}=new"), depth)
            for page in "xy"
            for name in ("sid", "phpsessid")
            for depth in range(6)
        ]

        first, second = (
            taught(facts, Sessions(witnesses=2, more_witnesses=2)),
            taught(shuffled, Sessions(witnesses=2, more_witnesses=2)),
        )

        assert [first.rule(*question) for question in asked] == [second.rule(*question) for question in asked]


class TestFingerprint:
    """What is compared of two pages: all but the session ids in their links."""

    @staticmethod
    def same(one: tuple[str, str], other: tuple[str, str]) -> bool:
        marks = [fingerprint(at(path), body.encode()) for path, body in (one, other)]
        assert None not in marks
        return marks[0] == marks[1]

    @pytest.mark.parametrize("name", ["PHPSESSID", "sid", "jsessionid"])
    def test_ids_that_a_site_writes_into_its_links_do_not_change_the_fingerprint(self, name: str) -> None:
        """phpBB and PHP's own transparent sessions write the visitor's, others a new one each time."""
        pages = [
            (
                f"/a?{name}={HEX}{n}",
                f'<a href="/b?{name.lower()}={HEX}{n}&amp;c=1">b</a>;{name}={HEX}{n + 1}"',
            )
            for n in (1, 3)
        ]

        assert self.same(*pages)

    def test_any_other_difference_changes_the_fingerprint(self) -> None:
        assert not self.same((f"/a?sid={HEX}1", "one"), (f"/a?sid={HEX}2", "two"))
        assert not self.same((f"/a?sid={HEX}1", "<a href=?x=1>"), (f"/a?sid={HEX}2", "<a href=?x=2>"))

    def test_an_id_by_value_alone_is_not_left_out(self) -> None:
        """Pages that show one photo each differ in nothing but its id."""
        assert not self.same(
            (f"/photo?id={HEX}1", f"<img src=/i?id={HEX}1>"), (f"/photo?id={HEX}2", f"<img src=/i?id={HEX}2>")
        )
        assert not self.same(("/story?sid=1", "<a href=?sid=2>"), ("/story?sid=2", "<a href=?sid=3>"))

    def test_ordinary_urls_have_no_fingerprint(self) -> None:
        assert fingerprint(at("/a?page=2"), b"x") is None

    def test_a_very_large_page_has_no_fingerprint(self) -> None:
        """It would hold up all others, and to let a copy in costs one request."""
        address = at(f"/a?sid={HEX}1")

        assert fingerprint(address, b"x" * MAX_COMPARED) is not None
        assert fingerprint(address, b"x" * (MAX_COMPARED + 1)) is None

    def test_no_page_makes_the_fingerprint_slow(self) -> None:
        started = time.perf_counter()

        for body in (b"sid=" * 250_000, b"sid=" + b"a" * 1_000_000, b"s" * 1_000_000):
            fingerprint(at(f"/a?sid={HEX}1"), body)

        assert time.perf_counter() - started < 2
