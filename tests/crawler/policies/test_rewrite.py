"""URL rules on request: what they leave out, and that they touch nothing else."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.crawler.messages import CanonicalUrl
from penstock.crawler.policies.rewrite import Rewrite
from penstock.crawler.urls import MAX_URL_CHARS, canonical

HEX = "0123456789abcdef0123456789abcdef"


def rewritten(rest: str, rules: Rewrite) -> str:
    """The rest of a URL, path and query, after the rules."""
    url = f"http://example.com{rest}"
    assert canonical(url) == url
    return rules(CanonicalUrl(url)).removeprefix("http://example.com")


class TestStripParams:
    @pytest.mark.parametrize(
        ("globs", "rest", "left"),
        [
            (["utm_*"], "/?utm_source=x", "/"),
            (["utm_*"], "/a?b=1&utm_source=x&c=2&utm_medium=y", "/a?b=1&c=2"),
            (["utm_*"], "/a?utm=1", "/a?utm=1"),
            (["utm_*"], "/a?my_utm_x=1", "/a?my_utm_x=1"),
            (["utm_*"], "/utm_x?a=utm_y&b", "/utm_x?a=utm_y&b"),
            (["utm_*", "fbclid"], "/a?fbclid=1&b&utm_x", "/a?b"),
            (["ref"], "/a?ref&ref=1&ref=2&refer=3", "/a?refer=3"),
            (["?"], "/a?a=1&bb=2", "/a?bb=2"),
            (["*"], "/a?a=1&b=2&&c", "/a"),
            (["*_id"], "/a?item_id=1&id=2", "/a?id=2"),
            (["*a*b*"], "/a?xaybz=1&ba=2", "/a?ba=2"),
            (["f[0]"], "/a?f[0]=1&f0=2", "/a?f0=2"),
            (["a b"], "/a?a+b=1&a%20b=2&a%2bb=3", "/a?a%2bb=3"),
            (["utm_*"], "/a?utm%5Fx=1&%75tm_x=2&b=%5F", "/a?b=%5F"),
        ],
    )
    def test_parameters_are_left_out_by_name(self, globs: list[str], rest: str, left: str) -> None:
        """The name is compared decoded and whole; a query of which nothing is left goes."""
        assert rewritten(rest, Rewrite(strip_params=globs)) == left

    @pytest.mark.parametrize("rest", ["/", "/?", "/?&&", "/a?&b=&=c&d==e&b", "/a?UTM_x=1", "/a?x=%zz&%zz=1"])
    def test_kept_parameters_keep_their_order_and_spelling(self, rest: str) -> None:
        assert rewritten(rest, Rewrite(strip_params=["utm_*"])) == rest

    def test_separators_between_kept_parameters_are_kept(self) -> None:
        assert rewritten("/a?&b&&utm_x&c&", Rewrite(strip_params=["utm_*"])) == "/a?&b&&c&"

    def test_no_glob_takes_long(self) -> None:
        """A backtracking match of many stars would take for ever."""
        url = CanonicalUrl("http://example.com/?" + "a" * (MAX_URL_CHARS - 20))
        started = time.perf_counter()

        assert Rewrite(strip_params=["*a*a*a*a*a*a*a*a*b", "*" * 50 + "b"])(url) == url
        assert time.perf_counter() - started < 1


class TestOtherRules:
    @pytest.mark.parametrize(
        ("rest", "left"),
        [
            ("/a?PHPSESSID=1&b=2", "/a?b=2"),
            ("/a;jsessionid=1.node2/b?c=1", "/a/b?c=1"),
            (f"/a?sid={HEX}", "/a"),
            ("/story?sid=24", "/story?sid=24"),
            ("/a/..;jsessionid=1", "/"),
            ("/a/%2e%2e;sid=1?b", "/?b"),
            ("/a;v=2", "/a;v=2"),
        ],
    )
    def test_session_ids_are_stripped_and_the_url_is_canonical_again(self, rest: str, left: str) -> None:
        assert rewritten(rest, Rewrite(strip_sessions=True)) == left

    @pytest.mark.parametrize(
        ("rest", "left"),
        [
            ("/?b=1&a=2&b=0&c", "/?a=2&b=1&b=0&c"),
            ("/?b&%61=1", "/?%61=1&b"),
            ("/?b&&a", "/?&a&b"),
            ("/", "/"),
        ],
    )
    def test_a_query_is_sorted_by_name_alone(self, rest: str, left: str) -> None:
        """Equal names keep their order: it may mean something to the site."""
        assert rewritten(rest, Rewrite(sort_query=True)) == left

    @pytest.mark.parametrize(
        ("rest", "left"),
        [
            ("/index.html", "/"),
            ("/a/Index.HTM?q=/index.html", "/a/?q=/index.html"),
            ("/a/default.aspx", "/a/"),
            ("/index.html/a", "/index.html/a"),
            ("/myindex.html", "/myindex.html"),
            ("/index.html.bak", "/index.html.bak"),
            ("/?u=/index.html", "/?u=/index.html"),
            ("/a/index.html;jsessionid=1", "/a/index.html;jsessionid=1"),
        ],
    )
    def test_an_index_page_becomes_its_folder(self, rest: str, left: str) -> None:
        assert rewritten(rest, Rewrite(fold_index=True)) == left

    def test_all_rules_work_together(self) -> None:
        rules = Rewrite(strip_params=["utm_*"], strip_sessions=True, sort_query=True, fold_index=True)

        assert rewritten("/a/index.php;jsessionid=1?z=1&utm_x=2&a=3", rules) == "/a/?a=3&z=1"

    def test_without_rules_nothing_changes(self) -> None:
        assert rewritten("/a/index.html;jsessionid=1?PHPSESSID=1&a", Rewrite()) == (
            "/a/index.html;jsessionid=1?PHPSESSID=1&a"
        )

    @pytest.mark.parametrize("host", ["http://a;sid=1", "https://index.html", "http://[::1]:81"])
    def test_the_host_is_never_touched(self, host: str) -> None:
        url = canonical(f"{host}/index.html;sid=2?sid={HEX}")
        rules = Rewrite(strip_params=["*"], strip_sessions=True, fold_index=True)

        if url is not None:
            assert rules(CanonicalUrl(url)) == f"{host}/"


_PIECES = st.sampled_from(
    [
        "index.html",
        "/",
        ".",
        "..",
        "%2e",
        ";sid=",
        ";jsessionid=1",
        "a",
        "=",
        "&",
        "?",
        "utm_x",
        "PHPSESSID",
        HEX,
        "%5F",
        "+",
    ]
)


class TestPromises:
    @given(
        pieces=st.lists(_PIECES | st.text(max_size=3), max_size=12),
        globs=st.lists(st.text(st.sampled_from("*?[]!-autm_x"), max_size=5), max_size=3),
        flags=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    )
    def test_rewriting_is_idempotent_and_canonical(
        self, pieces: list[str], globs: list[str], flags: tuple[bool, bool, bool]
    ) -> None:
        url = canonical(f"http://example.com/{''.join(pieces)}")
        sessions, sort, fold = flags
        rules = Rewrite(strip_params=globs, strip_sessions=sessions, sort_query=sort, fold_index=fold)

        if url is not None:
            once = rules(CanonicalUrl(url))
            assert rules(once) == once
            assert canonical(once) == once
