"""Traps that a URL's own spelling betrays, and how long a way along one shape may be."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.crawler.messages import CanonicalUrl
from penstock.crawler.policies.traps import Traps, run_of, shape
from penstock.crawler.urls import MAX_URL_CHARS, canonical

HOST = "http://example.com"


def rule(rest: str, traps: Traps | None = None) -> str | None:
    """The rule for a path and query, which must be canonical."""
    url = HOST + rest
    assert canonical(url) == url
    return (traps or Traps()).rule(CanonicalUrl(url))


def folded(rest: str) -> str:
    url = HOST + rest
    assert canonical(url) == url
    return shape(CanonicalUrl(url)).removeprefix("example.com")


def numbered(count: int) -> str:
    return "".join(f"/s{number}" for number in range(count))


class TestSegments:
    @pytest.mark.parametrize(
        "rest", ["/", "/a", "/a/", numbered(30), numbered(30) + "/", numbered(30) + "?q=/"]
    )
    def test_thirty_segments_are_admitted(self, rest: str) -> None:
        """A slash at the end begins no segment."""
        assert rule(rest) is None

    @pytest.mark.parametrize("rest", [numbered(31), numbered(31) + "/", numbered(300) + "?a=1"])
    def test_more_are_a_trap(self, rest: str) -> None:
        assert rule(rest) == "trap:segments"

    def test_slashes_of_the_query_do_not_count(self) -> None:
        """`?next=` carries whole URLs, and paths are pasted into queries."""
        assert rule("/login?next=" + "/a" * 50) is None


class TestRepeats:
    @pytest.mark.parametrize(
        "rest",
        ["/a/a/a", "/x/a/a/a/y", "/a/b/a/b/a/b/a/b/a", "/a/a/a/b/a/a", "//x//y//z//", "/aa/aaa/aaaa/aaaaa"],
    )
    def test_three_repeats_in_a_row_and_five_in_all_are_admitted(self, rest: str) -> None:
        assert rule(rest) is None

    @pytest.mark.parametrize(
        "rest",
        ["/a/a/a/a", "/x/a/a/a/a/y/", "/////", "/a/b/a/b/a/b/a/b/a/b/a", "/a/a/x/a/a/x/a/a", "/a/a/a/a?a/a"],
    )
    def test_more_are_a_trap(self, rest: str) -> None:
        """A relative link that should have been absolute, followed again and again; an empty
        segment is one too."""
        assert rule(rest) == "trap:repeat"

    def test_case_tells_segments_apart(self) -> None:
        assert rule("/a/A/a/A/a/A/a/A") is None


class TestQuery:
    def test_twelve_query_keys_are_admitted(self) -> None:
        assert rule("/?" + "&".join(f"k{number}=v" for number in range(12))) is None

    @pytest.mark.parametrize("key", ["k%d=v", "k%d", "f[]=%d", "=%d"])
    def test_more_are_a_trap(self, key: str) -> None:
        """Filters that can all be combined. One key that is repeated counts each time: some
        filters are written so, and make as many pages."""
        assert rule("/?" + "&".join(key % number for number in range(13))) == "trap:query"

    @pytest.mark.parametrize(
        "rest", ["/?" + "&" * 40, "/?a=1" + "&" * 40 + "b=2", "/a&b&c&d&e&f&g&h&i&j&k&l&m&n&o"]
    )
    def test_empty_query_parts_do_not_count_as_keys(self, rest: str) -> None:
        assert rule(rest) is None


class TestRules:
    def test_every_bound_is_a_setting(self) -> None:
        strict = Traps(segments=2, repeats_in_a_row=1, repeats=2, query_keys=1, shape_hops=5)

        rules = [rule(rest, strict) for rest in ("/a/b", "/a/b/c", "/a/a", "/?a", "/?a&b")]

        assert rules == [None, "trap:segments", "trap:repeat", None, "trap:query"]
        assert rule("/a/b/c", Traps(segments=2)) == "trap:segments"
        assert rule("/a/b/a/c/a", Traps(repeats=2)) == "trap:repeat"
        assert [strict.rule_along(run) for run in (0, 5, 6)] == [None, None, "trap:shape"]

    def test_a_thousand_hops_along_one_shape_are_admitted(self) -> None:
        assert Traps().rule_along(1_000) is None
        assert Traps().rule_along(1_001) == "trap:shape"

    @given(st.text(max_size=300))
    def test_no_url_raises_and_none_takes_long(self, text: str) -> None:
        url = canonical(f"{HOST}/{text}")

        if url is not None:
            Traps().rule(CanonicalUrl(url))
            assert shape(CanonicalUrl(url)) == shape(CanonicalUrl(url.replace("http://", "https://", 1)))

    def test_the_longest_urls_are_folded_quickly(self) -> None:
        """No part of the pattern can backtrack into another."""
        room = MAX_URL_CHARS - len(HOST) - 1
        started = time.perf_counter()

        for unit in ("a", "A", "aB", "Ab", "1", "a1", "a-", "%C3", "&", "a&", "[", "abcdefgh-", "aBc/"):
            for start in ("/", "/?"):
                shape(CanonicalUrl(HOST + (start + unit * room)[:room]))

        assert time.perf_counter() - started < 1


class TestShape:
    @pytest.mark.parametrize(
        ("rest", "shown"),
        [
            ("/", "/"),
            ("/blog/some-title.html", "/blog/some-title.html"),
            ("/blog/2024/05/page-12.html", "/blog/#/#/page-#.html"),
            ("/item/3f2a9c1b", "/item/#"),
            ("/item/deadbeef", "/item/#"),
            ("/item/9f86d081-8840-4f3a-bfef-abcdabcdabcd/x", "/item/#/x"),
            ("/v/dQwXgWcQab", "/v/#"),
            ("/cafe/facade/indeadbeef", "/cafe/facade/indeadbeef"),
            ("/wiki/Web_crawler", "/wiki/Web_crawler"),
            ("/cal?year=2024&month=5", "/cal?month&year"),
            ("/cal?month=6&year=2025&year=2026", "/cal?month&year"),
            ("/list?f[1]=a&f[22]=b", "/list?f[#]"),
            ("/list?", "/list"),
            ("/list?7261", "/list?#"),
        ],
    )
    def test_numbers_ids_and_values_are_folded(self, rest: str, shown: str) -> None:
        assert folded(rest) == shown

    def test_a_counter_keeps_its_shape_in_any_base(self) -> None:
        """Else a run along it would begin anew whenever its digits change kind."""
        counts = range(1_000_000, 1_001_000)

        assert len({folded(f"/page/{count}") for count in range(1_000)}) == 1
        assert len({folded(f"/page/{count:032x}") for count in counts}) == 1
        assert len({folded(f"/page/id{count:x}") for count in counts}) == 1

    def test_the_host_is_part_of_the_shape_and_folded_too(self) -> None:
        """Sites that answer for any name invent those as well."""
        urls = [
            CanonicalUrl(f"https://{name}/x")
            for name in ("u17.example.com", "u18.example.com", "w.example.com")
        ]

        assert [shape(url) for url in urls] == ["#.example.com/x", "#.example.com/x", "w.example.com/x"]


class Web:
    """Numbered pages with shapes, and links and redirects between them; page 0 is the seed."""

    def __init__(self, shapes: str, edges: list[tuple[int, int, bool]]) -> None:
        self.shapes = shapes
        self.edges = [(a % len(shapes), b % len(shapes), redirect) for a, b, redirect in edges]

    def crawl(self, order: random.Random, *, hops: int) -> dict[int, int]:
        """Pages that are let in and their runs, found by following edges in any order."""
        traps = Traps(shape_hops=hops)
        runs = {0: 0}
        waiting = list(self.from_page(0))
        while waiting:
            source, target, redirect = waiting.pop(order.randrange(len(waiting)))
            offered = run_of(runs[source], self.shapes[source], self.shapes[target], hops=not redirect)
            if offered < runs.get(target, hops + 1):
                assert traps.rule_along(offered) is None
                runs[target] = offered
                waiting += self.from_page(target)  # what is let in passes it on, also when it improves
        return runs

    def from_page(self, page: int) -> Iterator[tuple[int, int, bool]]:
        return (edge for edge in self.edges if edge[0] == page)


class TestRuns:
    def test_a_run_ends_where_the_shape_changes(self) -> None:
        assert run_of(7, "/page/#", "/page/#") == 8
        assert run_of(7, "/page/#", "/") == 0

    def test_a_redirect_is_no_hop_but_carries_the_run_on(self) -> None:
        assert run_of(7, "/page/#", "/page/#", hops=0) == 7
        assert run_of(7, "/page/#", "/", hops=0) == 0

    def test_a_chain_of_one_shape_ends_after_its_allowed_hops(self) -> None:
        endless = Web("s" + "p" * 50, [(page, page + 1, False) for page in range(50)])

        assert sorted(endless.crawl(random.Random(0), hops=9)) == list(range(11))

    def test_a_second_way_into_a_chain_starts_its_count_again(self) -> None:
        """A calendar that is entered at today has as many days before it as after."""
        middle = Web("s" + "p" * 50, [(0, 25, False), *((page, page + 1, False) for page in range(1, 50))])
        backwards = [(page + 1, page, False) for page in range(1, 50)]

        assert sorted(middle.crawl(random.Random(0), hops=9)) == [0, *range(25, 35)]
        assert sorted(Web(middle.shapes, middle.edges + backwards).crawl(random.Random(0), hops=9)) == [
            0,
            *range(16, 35),
        ]

    @given(
        shapes=st.text(st.sampled_from("pqs"), min_size=1, max_size=12),
        edges=st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11), st.booleans()), max_size=40),
        hops=st.integers(0, 4),
        orders=st.tuples(st.integers(), st.integers()),
    )
    def test_the_order_of_arrival_does_not_change_the_admitted_urls(
        self, shapes: str, edges: list[tuple[int, int, bool]], hops: int, orders: tuple[int, int]
    ) -> None:
        """The same crawl at any speed: both the pages let in and their runs."""
        web = Web(shapes, edges)

        first, second = (web.crawl(random.Random(order), hops=hops) for order in orders)

        assert first == second
