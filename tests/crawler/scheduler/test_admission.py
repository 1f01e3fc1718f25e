"""Policies of place and distance: scope, reach, horizon, and the one door that asks them all."""

from __future__ import annotations

from functools import reduce
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.crawler.config.patterns import Patterns
from penstock.crawler.messages import CanonicalUrl
from penstock.crawler.policies.reach import DYNAMIC_RULES, LISTED, SEED, UNREACHED, Horizon, Reach
from penstock.crawler.policies.scope import Scope
from penstock.crawler.policies.traps import Traps
from penstock.crawler.scheduler.discovery import Admission
from tests.support.open_store import registrable

REACHES = st.builds(
    Reach, st.integers(0, 5), st.integers(0, 5), st.booleans(), st.booleans(), st.integers(0, 5)
)


def scope(kind: str, *seeds: str, include: tuple[str, ...] = (), exclude: tuple[str, ...] = ()) -> Scope:
    return Scope(
        kind,
        [CanonicalUrl(seed) for seed in seeds],
        Patterns(include) if include else None,
        Patterns(exclude) if exclude else None,
        registrable,
    )


class TestScope:
    @pytest.mark.parametrize(
        ("seed", "url", "inside"),
        [
            ("http://h/a/b", "http://h/", True),
            ("http://h/", "https://h/", True),  # each on its default port
            ("https://h/", "http://h/x", True),
            ("http://h/", "http://h:8080/", False),
            ("http://h:8080/", "http://h:8080/x", True),
            ("http://h:8080/", "https://h:8080/x", True),  # an origin of the same name
            ("http://h:8080/", "http://h/", False),
            ("http://h/", "http://www.h/", False),
            ("http://www.h/", "http://h/", False),
            ("http://h/", "http://h.evil/", False),
            ("http://h/", "http://other/http://h/", False),
            ("http://[::1]/", "http://[::1]/x", True),
            ("http://[::1]/", "http://[::1]:81/", False),
        ],
    )
    def test_host_is_name_and_port_of_a_seed(self, seed: str, url: str, inside: bool) -> None:
        expected = None if inside else "scope"

        assert scope("host", seed).rule(CanonicalUrl(url)) == expected

    @pytest.mark.parametrize(
        ("seed", "url", "inside"),
        [
            ("http://h/docs/", "http://h/docs/", True),
            ("http://h/docs/", "http://h/docs/a/b?c", True),
            ("http://h/docs/", "http://h/docs", False),
            ("http://h/docs/", "http://h/docs2/", False),
            ("http://h/docs/index.html", "http://h/docs/other", True),
            ("http://h/docs?x=/a/b", "http://h/other", True),  # slashes of the query are no folders
            ("http://h/docs?x=/a/b", "http://h/", True),
            ("http://h/", "http://h:81/", False),
            ("http://h/docs/", "http://other/docs/", False),
        ],
    )
    def test_prefix_is_a_seed_up_to_the_last_slash_of_its_path(
        self, seed: str, url: str, inside: bool
    ) -> None:
        expected = None if inside else "scope"

        assert scope("prefix", seed).rule(CanonicalUrl(url)) == expected

    @pytest.mark.parametrize(
        ("seed", "url", "inside"),
        [
            ("http://www.a.b/", "https://shop.a.b:8080/", True),
            ("http://www.a.b/", "http://a.b/", True),
            ("http://www.a.b/", "http://c.b/", False),
            ("http://localhost/", "http://localhost:81/", True),  # a domain of its own, as an address is
            ("http://[::1]/", "http://[::1]:81/", True),
            ("http://[::1]/", "http://[::2]/", False),
        ],
    )
    def test_domain_is_what_a_seeds_owner_registered(self, seed: str, url: str, inside: bool) -> None:
        expected = None if inside else "scope"

        assert scope("domain", seed).rule(CanonicalUrl(url)) == expected

    @pytest.mark.parametrize("kind", ["host", "domain", "prefix"])
    def test_one_more_seed_widens_it_and_changes_nothing_else(self, kind: str) -> None:
        wide = scope(kind, "http://a.b/", exclude=("secret",))
        assert wide.rule(CanonicalUrl("http://c.d/")) == "scope"

        wide.extend(CanonicalUrl("http://c.d/"))

        assert [wide.rule(CanonicalUrl(f"http://{one}/")) for one in ("a.b", "c.d", "e.f")] == [
            None,
            None,
            "scope",
        ]
        assert wide.rule(CanonicalUrl("http://c.d/secret")) == "exclude"

    @pytest.mark.parametrize(
        ("kind", "hosts"),
        [
            ("host", ["www.a.org", "b.org:81"]),
            ("domain", ["www.a.org", "a.org", "x.a.org:8080", "b.org:81", "b.org"]),
            ("prefix", ["www.a.org", "b.org:81"]),
        ],
    )
    def test_a_part_of_it_names_the_hosts_that_a_few_seeds_bring_in(
        self, kind: str, hosts: list[str]
    ) -> None:
        part = scope(kind, "http://far.org/").of(
            [CanonicalUrl("http://www.a.org/"), CanonicalUrl("http://b.org:81/")]
        )
        known = ["far.org", "www.a.org", "a.org", "x.a.org:8080", "aa.org", "b.org:81", "b.org", "org"]
        assert part.hosts_of(known) == hosts

    def test_any_is_anywhere(self) -> None:
        assert scope("any", "http://h/").rule(CanonicalUrl("https://elsewhere:81/")) is None

    @pytest.mark.parametrize("kind", ["host", "prefix"])
    def test_one_seed_of_several_is_enough(self, kind: str) -> None:
        both = scope(kind, "http://a/", "http://b/")

        assert both.rule(CanonicalUrl("http://b/x")) is None
        assert both.rule(CanonicalUrl("http://c/x")) == "scope"

    @pytest.mark.parametrize(
        ("include", "exclude", "url", "rule"),
        [
            ((), (), "http://h/x", None),
            (("/a",), (), "http://h/a", None),
            (("/a",), (), "http://h/b", "include"),
            (("/a", "/b"), (), "http://h/b", None),
            ((), ("/a",), "http://h/a", "exclude"),
            ((), ("/a", "/b"), "http://h/b", "exclude"),
            (("/a",), ("secret",), "http://h/a/secret", "exclude"),
            (("/a",), ("secret",), "http://h/b/secret", "include"),
            (("/a",), (), "http://other/a", "scope"),
            ((r"h/a$",), (), "http://h/a", None),
            (("^/a",), (), "http://h/a", "include"),
            ((r"\?page=\d+$",), (), "http://h/x?page=12", None),
        ],
    )
    def test_patterns_are_searched_in_the_whole_url_after_the_scope(
        self, include: tuple[str, ...], exclude: tuple[str, ...], url: str, rule: str | None
    ) -> None:
        assert scope("host", "http://h/", include=include, exclude=exclude).rule(CanonicalUrl(url)) == rule


class TestReach:
    def test_a_link_is_one_hop_deeper_and_begins_a_new_chain(self) -> None:
        assert Reach(2, 5, True).by_link(True) == Reach(3, 0, True)
        assert Reach(2, 5, True).by_link(False) == Reach(3, 0, False)

    def test_a_redirect_keeps_the_depth_and_counts_a_hop(self) -> None:
        assert Reach(2, 5, True).by_redirect() == Reach(2, 6, True)

    def test_depth_and_hops_are_minima_of_their_own(self) -> None:
        """They need not come from one and the same way."""
        assert Reach(1, 7, True).joined(Reach(4, 0, True)) == Reach(1, 0, True)

    def test_a_way_that_may_be_followed_beats_a_nearer_one_that_may_not(self) -> None:
        near, far = Reach(1, 0, False), Reach(9, 3, True)

        assert near.joined(far) == far.joined(near) == far

    @settings(deadline=None)
    @given(st.lists(REACHES, min_size=1, max_size=4))
    def test_the_order_of_arrival_does_not_matter(self, ways: list[Reach]) -> None:
        best = {reduce(Reach.joined, order) for order in permutations(ways)}

        assert len(best) == 1

    @settings(deadline=None)
    @given(REACHES, REACHES, REACHES)
    def test_ways_may_be_joined_in_any_groups_and_more_than_once(self, a: Reach, b: Reach, c: Reach) -> None:
        assert a.joined(b).joined(c) == a.joined(b.joined(c))
        assert a.joined(b).joined(b) == a.joined(b)

    @settings(deadline=None)
    @given(REACHES, REACHES, st.one_of(st.none(), st.integers(0, 5)), st.integers(0, 5))
    def test_what_was_near_enough_stays_so(self, a: Reach, b: Reach, depth: int | None, hops: int) -> None:
        """A better way never takes back what was admitted, and so never unfetches a page."""
        horizon = Horizon(depth=depth, hops=hops)

        assert horizon.rule(a.joined(b)) is None or (horizon.rule(a) and horizon.rule(b))


class TestHorizon:
    def test_what_a_sitemap_names_is_near_enough_at_any_depth(self) -> None:
        horizon = Horizon(depth=2, hops=3)

        assert horizon.rule(LISTED) is None
        assert horizon.rule(LISTED.joined(Reach(9, 0, True))) is None
        assert horizon.rule(LISTED.by_link(True)) == "depth"
        assert horizon.rule(LISTED._replace(hops=4)) == "redirect_limit"

    def test_no_number_of_links_leads_beyond_what_is_out_of_reach(self) -> None:
        assert LISTED.by_link(True).by_link(True).depth == UNREACHED

    @pytest.mark.parametrize(
        ("reach", "rule"),
        [
            (SEED, None),
            (Reach(2, 3, True), None),
            (Reach(3, 0, True), "depth"),
            (Reach(2, 4, True), "redirect_limit"),
            (Reach(3, 4, True), "depth"),
            (Reach(0, 0, False), "nofollow"),
            (Reach(3, 4, False), "nofollow"),
        ],
    )
    def test_the_first_rule_that_is_broken_is_named(self, reach: Reach, rule: str | None) -> None:
        assert Horizon(depth=2, hops=3).rule(reach) == rule

    def test_without_a_limit_no_depth_is_too_deep(self) -> None:
        assert Horizon(depth=None).rule(Reach(10**9, 0, True)) is None

    def test_twenty_redirects_in_a_row_are_followed(self) -> None:
        """What browsers do (Fetch standard, HTTP-redirect fetch)."""
        horizon = Horizon(depth=0)

        assert horizon.rule(Reach(0, 20, True)) is None
        assert horizon.rule(Reach(0, 21, True)) == "redirect_limit"


class TestAdmission:
    DOOR = Admission(
        scope("host", "http://h/", exclude=("secret",)),
        Horizon(depth=2, hops=3),
        Traps(segments=4, shape_hops=9),
    )
    NEAR, FAR, FORBIDDEN = Reach(1, 0, True), Reach(3, 0, True), Reach(1, 0, False)

    @pytest.mark.parametrize(
        ("url", "reach", "rule"),
        [
            ("http://h/", NEAR, None),
            ("http://h/", FAR, "depth"),
            ("http://h/", FORBIDDEN, "nofollow"),
            ("http://other/", FAR, "scope"),
            ("http://h/secret", FORBIDDEN, "exclude"),
            ("http://h/a/b/c/d/e", FAR, "trap:segments"),
            ("http://other/a/b/c/d/e", FAR, "scope"),
            ("http://h/", FAR._replace(run=10), "trap:shape"),
            ("http://h/", NEAR._replace(run=9), None),
        ],
    )
    def test_the_place_is_asked_before_the_distance(self, url: str, reach: Reach, rule: str | None) -> None:
        """So the reason of what can never come in does not depend on how it was found."""
        assert self.DOOR.rule(CanonicalUrl(url), reach) == rule

    @pytest.mark.parametrize("rule", sorted(DYNAMIC_RULES))
    def test_a_better_way_may_lift_a_rule_of_distance(self, rule: str) -> None:
        assert self.DOOR.rule_again(rule, CanonicalUrl("http://h/"), self.NEAR) is None
        assert self.DOOR.rule_again(rule, CanonicalUrl("http://h/"), self.FAR) == "depth"

    @pytest.mark.parametrize("rule", ["scope", "include", "exclude", "robots", "trap:segments", "address"])
    def test_no_way_lifts_any_other_rule(self, rule: str) -> None:
        assert self.DOOR.rule_again(rule, CanonicalUrl("http://h/"), SEED) == rule

    def test_a_run_counts_hops_along_one_shape(self) -> None:
        one, two, other = (CanonicalUrl(f"http://h/{path}") for path in ("p/1", "p/2", "q"))

        assert self.DOOR.run(one, 5, two, hops=1) == 6
        assert self.DOOR.run(one, 5, two, hops=0) == 5
        assert self.DOOR.run(one, 5, other, hops=1) == 0
        assert Admission(self.DOOR.scope, self.DOOR.horizon).run(one, 5, two, hops=1) == 0

    def test_a_sitemap_that_the_web_names_must_lie_in_scope(self) -> None:
        """Patterns are for pages; its depth and its shape are nobody's business."""
        assert self.DOOR.sitemap_rule(CanonicalUrl("http://h/secret/a/b/c/d/e"), "other") is None
        assert self.DOOR.sitemap_rule(CanonicalUrl("http://other/sitemap.xml"), "h") is None
        assert self.DOOR.sitemap_rule(CanonicalUrl("http://other/sitemap.xml"), "other") == "scope"

    def test_the_scope_is_widened_once_for_a_host(self) -> None:
        door = Admission(scope("host", "http://h/"), Horizon(depth=2))

        assert [door.widen(CanonicalUrl(f"http://new/{path}")) for path in "ab"] == [True, False]
        assert door.rule(CanonicalUrl("http://new/c"), self.NEAR) is None
