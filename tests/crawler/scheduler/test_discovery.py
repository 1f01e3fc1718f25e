"""Discovery: which URLs are found, whether each is admitted, at what depth. No file and no event loop."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.crawler.messages import CanonicalUrl, Link, Links
from penstock.crawler.policies.reach import UNREACHED, Reach
from penstock.crawler.policies.traps import Traps
from penstock.crawler.ports import Saved
from penstock.crawler.scheduler import discovery as module
from penstock.crawler.scheduler.discovery import (
    MAX_SITEMAP_NESTING,
    SITEMAPS_OFF,
    Admission,
    Discovery,
    UrlKind,
    UrlState,
    redirect_target,
)
from penstock.crawler.urls import host_of
from tests.support.fakes import answer, url
from tests.support.open_store import SEED, admission

A, B, C, D, X = (f"{SEED}{name}" for name in "abcdx")
OUTSIDE = "http://other/"


@dataclass(eq=False, slots=True)
class Known:
    """A row as Discovery sees it."""

    url: CanonicalUrl
    kind: UrlKind
    depth: int
    hops: int
    followed: bool
    listed: bool
    run: int
    state: int
    reason: str | None

    @property
    def reach(self) -> Reach:
        return Reach(self.depth, self.hops, self.followed, self.listed, self.run)


@dataclass
class Web:
    """A crawl in memory: its rows, and the links and redirects of what is stored.

    It does for Discovery what storage does, in plain dictionaries.
    """

    door: Admission
    belongs_here: Callable[[str], bool] | None = None
    rows: dict[tuple[str, UrlKind], Known] = field(default_factory=dict)
    pages: dict[str, Known] = field(default_factory=dict)
    links: dict[str, list[tuple[str, bool]]] = field(default_factory=dict)
    redirects: dict[tuple[str, UrlKind], str] = field(default_factory=dict)

    def find(self, url: CanonicalUrl, kind: UrlKind) -> Known | None:
        return self.rows.get((url, kind))

    def add(
        self, url: CanonicalUrl, reach: Reach, state: UrlState, reason: str | None, kind: UrlKind
    ) -> Known:
        row = self.rows[url, kind] = Known(url, kind, *reach, state, reason)
        if kind == UrlKind.PAGE:
            self.pages[url] = row
        return row

    def discovery(self) -> Discovery[Known]:
        return Discovery(self, self.door, self.belongs_here)

    def settle(self, source: str, kind: UrlKind = UrlKind.PAGE) -> Known:
        row = self.rows[source, kind]
        row.state, row.reason = UrlState.DONE, None
        return row

    def page(self, source: str, *targets: str | tuple[str, bool]) -> Discovery[Known]:
        """A page and its links arrive; (target, False) may not be followed."""
        found, row = self.discovery(), self.settle(source)
        links = [(target, True) if isinstance(target, str) else target for target in targets]
        self.links[source] = links
        found.follow_links(row, Links.of(Link(url(target), "", "", may) for target, may in links))
        return self.spread(found)

    def redirect(self, source: str, target: str, kind: UrlKind = UrlKind.PAGE) -> Discovery[Known]:
        found, row = self.discovery(), self.settle(source, kind)
        self.redirects[source, kind] = target
        found.follow_redirect(row, url(target))
        return self.spread(found)

    def spread(self, found: Discovery[Known]) -> Discovery[Known]:
        self._widen(found)
        while sources := found.take_spreading():
            for source in sources:
                target = self.redirects.get((source.url, source.kind))
                if target is not None:
                    found.spread_redirect(source, self.rows[target, source.kind])
                for name, followed in self.links.get(source.url, ()):
                    found.spread_link(source, self.pages[name], followed=followed)
            self._widen(found)
        return found

    def _widen(self, found: Discovery[Known]) -> None:
        if found.take_widened():
            found.judge_scope_again(list(self.rows.values()))

    def verdicts(self) -> dict[str, tuple[str, str | None]]:
        return {name: (UrlState(row.state).name.lower(), row.reason) for name, row in self.pages.items()}

    def depths(self) -> dict[str, int]:
        return {name: row.depth for name, row in self.pages.items()}


def web(
    *seeds: str,
    kind: str = "any",
    depth: int | None = None,
    hops: int = 20,
    traps: Traps | None = None,
    belongs_here: Callable[[str], bool] | None = None,
    sitemaps: bool = True,
) -> Web:
    seeds = seeds or (SEED,)
    made = Web(admission(*seeds, kind=kind, depth=depth, hops=hops, traps=traps), belongs_here)
    made.door.sitemaps = sitemaps
    found = made.discovery()
    for seed in seeds:
        found.add_seed(url(seed))
    return made


class TestDepth:
    def test_a_link_is_one_hop_and_a_redirect_none(self) -> None:
        crawl = web()
        crawl.redirect(SEED, A)
        crawl.page(A, B)

        assert crawl.depths() == {SEED: 0, A: 0, B: 1}

    def test_a_better_depth_flows_on_along_stored_links_and_redirects(self) -> None:
        crawl = web()
        for source, *targets in [(SEED, A, D), (A, B), (B, C), (C, X), (X, f"{X}1")]:
            crawl.page(source, *targets)
        crawl.redirect(f"{X}1", f"{X}2")
        crawl.page(f"{X}2", f"{X}3")
        assert [crawl.pages[X + n].depth for n in ("", "1", "2", "3")] == [4, 5, 5, 6]

        found = crawl.page(D, X)

        assert [crawl.pages[X + n].depth for n in ("", "1", "2", "3")] == [2, 3, 3, 4]
        assert [row.url for row in found.improved] == [X, f"{X}1", f"{X}2", f"{X}3"]

    def test_a_page_that_is_not_stored_yet_does_not_spread(self) -> None:
        crawl = web(SEED, D)
        crawl.page(SEED, A)
        crawl.page(A, B)
        found = crawl.discovery()

        found.follow_links(crawl.settle(D), Links.of([Link(url(B), "", "", True)]))

        assert crawl.pages[B].depth == 1
        assert found.take_spreading() == []

    def test_each_improvement_is_taken_once(self) -> None:
        crawl = web(SEED, D)
        for source, target in [(SEED, A), (A, B), (B, C)]:
            crawl.page(source, target)
        found, again = crawl.discovery(), Links.of([Link(url(B), "", "", True)])

        for _ in range(2):
            found.follow_links(crawl.pages[D], again)

        assert [row.url for row in found.take_spreading()] == [B]
        assert found.take_spreading() == []

    def test_the_rows_of_targets_come_in_the_order_of_the_links(self) -> None:
        crawl = web()
        crawl.page(SEED, B)
        links = Links.of(Link(url(target), "", "", True) for target in (C, B, A))

        rows = crawl.discovery().follow_links(crawl.pages[SEED], links)

        assert [row.url for row in rows] == [C, B, A]

    @settings(deadline=None)
    @given(
        st.lists(st.lists(st.integers(0, 7), max_size=4), min_size=8, max_size=8),
        st.sets(st.integers(1, 7), max_size=3),
        st.integers(0, 10**6),
    )
    def test_depth_is_the_shortest_distance_in_any_order_of_arrival(
        self, graph: list[list[int]], redirecting: set[int], order: int
    ) -> None:
        """Compared with a breadth-first walk; redirects cost nothing there either."""
        names = [SEED, *(f"{SEED}{number}" for number in range(1, 8))]
        crawl, chance = web(), random.Random(order)
        arrived: set[str] = set()
        while todo := [name for name in crawl.pages if name not in arrived]:
            source = chance.choice(todo)
            arrived.add(source)
            number = names.index(source)
            if number in redirecting and graph[number]:
                crawl.redirect(source, names[graph[number][0]])
            else:
                crawl.page(source, *dict.fromkeys(names[target] for target in graph[number]))

        assert crawl.depths() == self.distances(graph, redirecting, names)

    def distances(
        self, graph: list[list[int]], redirecting: set[int], names: Sequence[str]
    ) -> dict[str, int]:
        known, todo = {0: 0}, deque([0])
        while todo:
            source = todo.popleft()
            free = source in redirecting and bool(graph[source])
            for target in graph[source][:1] if free else graph[source]:
                distance = known[source] + (not free)
                if distance < known.get(target, 99):
                    known[target] = distance
                    todo.append(target)
        return {names[number]: distance for number, distance in known.items()}


class TestVerdict:
    """A URL's verdict is the best over all its discoveries."""

    def test_a_link_that_may_not_be_followed_admits_nothing(self) -> None:
        crawl = web()
        crawl.page(SEED, (A, False))

        assert crawl.verdicts()[A] == ("skipped", "nofollow")

    def test_a_link_that_may_be_followed_lifts_nofollow_even_from_further_away(self) -> None:
        crawl = web()
        crawl.page(SEED, (X, False), A)

        found = crawl.page(A, X)

        assert (crawl.verdicts()[X], crawl.pages[X].depth) == (("pending", None), 2)
        assert [row.url for row in found.admitted] == [X]

    def test_a_shorter_way_lifts_depth(self) -> None:
        crawl = web(depth=2)
        for source, *targets in [(SEED, A, D), (A, B), (B, C)]:
            crawl.page(source, *targets)
        assert crawl.verdicts()[C] == ("skipped", "depth")

        assert crawl.page(D, C).summary([]) == Saved(grown=frozenset({"h"}), pending=1, skipped=-1)

    def test_redirects_in_a_row_are_counted_and_limited(self) -> None:
        crawl = web(hops=2)
        for source, target in [(SEED, A), (A, B), (B, X)]:
            crawl.redirect(source, target)

        assert [crawl.pages[one].hops for one in (A, B, X)] == [1, 2, 3]
        assert crawl.verdicts()[X] == ("skipped", "redirect_limit")

    def test_a_link_ends_a_row_of_redirects_and_lifts_its_limit(self) -> None:
        crawl = web(SEED, D, hops=2)
        for source, target in [(SEED, A), (A, B), (B, X)]:
            crawl.redirect(source, target)

        crawl.page(D, X)

        assert (crawl.pages[X].hops, crawl.verdicts()[X]) == (0, ("pending", None))

    @pytest.mark.parametrize("state", [UrlState.WAITING, UrlState.DONE, UrlState.FAILED])
    def test_a_settled_url_is_not_admitted_again_by_a_better_way(self, state: UrlState) -> None:
        crawl = web(SEED, D)
        crawl.page(SEED, A)
        crawl.page(A, X)
        crawl.pages[X].state = state

        found = crawl.page(D, X)

        assert (crawl.pages[X].state, crawl.pages[X].depth) == (state, 1)
        assert found.admitted == []

    def test_no_way_lifts_the_scope_or_robots(self) -> None:
        crawl = web(SEED, D, kind="host")
        crawl.page(SEED, A)
        crawl.page(A, OUTSIDE, X)
        crawl.pages[X].state, crawl.pages[X].reason = UrlState.SKIPPED, "robots"

        crawl.page(D, OUTSIDE, X)

        assert [crawl.verdicts()[one] for one in (OUTSIDE, X)] == [
            ("skipped", "scope"),
            ("skipped", "robots"),
        ]
        assert [crawl.pages[one].depth for one in (OUTSIDE, X)] == [1, 1]

    def test_too_many_hops_along_one_shape_are_a_trap_until_another_way_leads_there(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "RUNS_FROM", 1)
        crawl = web(SEED, D, traps=Traps(shape_hops=2))
        endless = [f"{SEED}{number}" for number in range(1, 5)]
        for source, target in pairwise([SEED, *endless]):
            crawl.page(source, target)
        assert crawl.verdicts()[endless[-1]] == ("skipped", "trap:shape")

        crawl.page(D, endless[-1])

        assert crawl.verdicts()[endless[-1]] == ("pending", None)


class TestListed:
    def listed(self, crawl: Web, *urls: str) -> Discovery[Known]:
        found = crawl.discovery()
        found.add_listed([url(one) for one in urls])
        return crawl.spread(found)

    def test_a_listed_url_is_admitted_at_no_depth(self) -> None:
        crawl = web(depth=0)
        self.listed(crawl, X)

        assert crawl.verdicts()[X] == ("pending", None)
        assert crawl.pages[X].depth == UNREACHED

    def test_what_a_listed_page_links_to_is_out_of_reach_until_links_lead_to_the_page(self) -> None:
        crawl = web(SEED, depth=2)
        self.listed(crawl, X)
        crawl.page(X, A)
        assert crawl.verdicts()[A] == ("skipped", "depth")

        crawl.page(SEED, X)

        assert (crawl.pages[X].depth, crawl.verdicts()[A]) == (1, ("pending", None))

    def test_a_sitemap_lifts_depth_and_nofollow_but_not_the_scope(self) -> None:
        crawl = web(depth=0, kind="host")
        crawl.page(SEED, A, (B, False), OUTSIDE)

        self.listed(crawl, A, B, OUTSIDE)

        assert [crawl.verdicts()[one][0] for one in (A, B, OUTSIDE)] == ["pending", "pending", "skipped"]


class TestSitemaps:
    SITEMAP = url(f"{SEED}sitemap.xml")

    def test_a_sitemap_and_a_page_of_one_url_are_two_rows(self) -> None:
        crawl = web()
        row = crawl.discovery().add_sitemap(url(SEED))

        assert row is not crawl.pages[SEED]
        assert crawl.discovery().add_sitemap(url(SEED)) is row

    def test_the_operator_and_hosts_in_scope_may_name_a_sitemap_anywhere(self) -> None:
        """robots.txt is the proof that the site says so itself; that of another host proves nothing."""
        by_operator = web(kind="host").discovery().add_sitemap(url(OUTSIDE))
        by_host = web(kind="host").discovery().add_named_sitemap(url(OUTSIDE), host_of(url(SEED)))
        by_other = web(kind="host").discovery().add_named_sitemap(url(OUTSIDE), "cdn.example")

        assert [row.reason for row in (by_operator, by_host, by_other)] == [None, None, "scope"]

    @pytest.mark.parametrize("proof_first", [True, False])
    def test_one_proof_is_enough_in_any_order(self, proof_first: bool) -> None:
        crawl = web(kind="host")
        hosts = [host_of(url(SEED)), "cdn.example"]
        for host in hosts if proof_first else reversed(hosts):
            row = crawl.discovery().add_named_sitemap(url(OUTSIDE), host)

        assert (row.state, row.reason) == (UrlState.PENDING, None)

    @pytest.mark.parametrize("deep_first", [True, False])
    def test_the_least_nesting_counts_in_any_order(self, deep_first: bool) -> None:
        crawl = web()
        found = crawl.discovery()
        deep = found.add_sitemap(self.SITEMAP)
        for number in range(MAX_SITEMAP_NESTING):
            deep = found.add_sitemap(url(f"{self.SITEMAP}{number}"), deep)
        sources = [deep, None] if deep_first else [None, deep]
        for source in sources:
            row = crawl.discovery().add_sitemap(url(OUTSIDE), source)

        assert (row.state, row.reason, row.depth) == (UrlState.PENDING, None, 0)

    def test_a_run_without_sitemaps_reads_only_those_that_the_operator_names(self) -> None:
        crawl = web(sitemaps=False)
        named = crawl.discovery().add_named_sitemap(self.SITEMAP, host_of(url(SEED)))
        assert (named.state, named.reason) == (UrlState.SKIPPED, SITEMAPS_OFF)

        crawl.discovery().add_sitemap(self.SITEMAP)

        assert (named.state, named.reason) == (UrlState.PENDING, None)

    def test_a_redirect_of_a_sitemap_is_no_nesting(self) -> None:
        crawl = web()
        crawl.discovery().add_sitemap(self.SITEMAP)
        targets = [f"{OUTSIDE}{number}" for number in range(21)]
        for source, target in pairwise([self.SITEMAP, *targets]):
            crawl.redirect(source, target, UrlKind.SITEMAP)

        rows = [crawl.rows[target, UrlKind.SITEMAP] for target in targets]
        assert {row.depth for row in rows} == {0}
        assert [row.reason for row in rows] == [None] * 20 + ["redirect_limit"]

    def test_indexes_within_indexes_are_followed_so_far_only(self) -> None:
        found = web().discovery()
        row = found.add_sitemap(self.SITEMAP)
        reasons = []
        for number in range(MAX_SITEMAP_NESTING + 1):
            row = found.add_sitemap(url(f"{self.SITEMAP}{number}"), row)
            reasons.append(row.reason)

        assert reasons == [None] * MAX_SITEMAP_NESTING + ["sitemap_nesting"]

    def test_a_sitemap_that_redirects_leads_to_a_sitemap(self) -> None:
        crawl = web()
        crawl.discovery().add_sitemap(self.SITEMAP)

        crawl.redirect(self.SITEMAP, X, UrlKind.SITEMAP)

        assert (url(X), UrlKind.SITEMAP) in crawl.rows
        assert X not in crawl.pages


class TestResources:
    def test_a_resource_is_admitted_on_any_host_at_any_depth(self) -> None:
        row = web(kind="host", depth=0).discovery().add_resource(url(OUTSIDE))

        assert (row.state, row.kind) == (UrlState.PENDING, UrlKind.RESOURCE)

    def test_fewer_redirects_to_a_resource_flow_on_and_lift_the_redirect_limit(self) -> None:
        """The limit for resources is that of browsers: 20 in a row."""
        crawl = web()
        names = [f"{SEED}{number}.png" for number in range(23)]
        crawl.discovery().add_resource(url(names[0]))
        for source, target in pairwise(names[:22]):
            crawl.redirect(source, target, UrlKind.RESOURCE)
        last = crawl.rows[names[21], UrlKind.RESOURCE]
        assert (last.hops, last.state, last.reason) == (21, UrlState.SKIPPED, "redirect_limit")

        found = crawl.discovery()
        found.add_resource(url(names[10]))
        crawl.spread(found)

        assert (last.hops, last.state, last.reason) == (11, UrlState.PENDING, None)
        assert found.summary([]).pending == 0  # a resource is no page


class TestMovingSeed:
    """The crawl follows a seed that redirects: the scope is widened by where it leads."""

    NEW = "http://new.example/"

    def test_where_a_seed_redirects_to_is_in_scope_from_then_on(self) -> None:
        crawl = web(kind="host")
        crawl.redirect(SEED, self.NEW)
        assert crawl.verdicts()[self.NEW] == ("pending", None)

        crawl.page(self.NEW, f"{self.NEW}a", OUTSIDE)

        assert [crawl.verdicts()[one][0] for one in (f"{self.NEW}a", OUTSIDE)] == ["pending", "skipped"]

    def test_pages_and_sitemaps_that_the_scope_had_kept_out_are_admitted(self) -> None:
        crawl = web(SEED, D, kind="host")
        crawl.page(SEED, f"{self.NEW}a", OUTSIDE)
        sitemap = crawl.discovery().add_named_sitemap(url(f"{self.NEW}sitemap.xml"), "cdn.example")
        assert (crawl.verdicts()[f"{self.NEW}a"], sitemap.reason) == (("skipped", "scope"), "scope")

        found = crawl.redirect(D, self.NEW)

        assert (crawl.verdicts()[f"{self.NEW}a"], sitemap.reason) == (("pending", None), None)
        assert crawl.verdicts()[OUTSIDE] == ("skipped", "scope")
        assert found.summary([]) == Saved(grown=frozenset({"new.example"}), pending=2, skipped=-1)

    def test_what_it_admits_is_still_judged_by_depth(self) -> None:
        crawl = web(SEED, D, kind="host", depth=1)
        crawl.page(SEED, A)
        crawl.page(A, f"{self.NEW}deep")

        crawl.redirect(D, self.NEW)

        assert crawl.verdicts()[f"{self.NEW}deep"] == ("skipped", "depth")

    def test_a_redirect_of_a_page_further_in_widens_nothing(self) -> None:
        crawl = web(kind="host")
        crawl.page(SEED, A)
        crawl.redirect(A, self.NEW)

        assert crawl.verdicts()[self.NEW] == ("skipped", "scope")

    def test_a_stored_redirect_widens_the_scope_when_its_depth_falls_to_zero(self) -> None:
        crawl = web(SEED, D, kind="host")
        crawl.page(SEED, A)
        crawl.redirect(A, self.NEW)

        crawl.redirect(D, A)

        assert crawl.verdicts()[self.NEW] == ("pending", None)


class TestShards:
    """A URL of another shard's host is listed for its owner and never pending here."""

    @pytest.fixture
    def crawl(self) -> Web:
        return web(belongs_here=lambda host: host == "h")

    def foreign(self, found: Discovery[Known]) -> dict[str, int]:
        return {row.url: row.depth for row in found.foreign}

    def test_foreign_urls_come_out_as_a_list_and_get_no_pending_row(self, crawl: Web) -> None:
        found = crawl.page(SEED, A, OUTSIDE)

        assert crawl.verdicts() == {SEED: ("done", None), A: ("pending", None), OUTSIDE: ("foreign", None)}
        assert self.foreign(found) == {OUTSIDE: 1}
        assert found.summary([]) == Saved(pending=1)

    def test_every_way_to_a_url_is_covered(self, crawl: Web) -> None:
        crawl.page(SEED, A)
        found = crawl.discovery()
        found.follow_redirect(crawl.settle(A), url("http://redirected/"))
        found.add_listed([url("http://listed/")])
        found.add_sitemap(url("http://sitemap/"))
        found.add_resource(url("http://resource/"))
        found.add_seed(url("http://seed/"))

        assert [row.url for row in found.foreign] == [
            f"http://{name}/" for name in ("redirected", "listed", "sitemap", "resource", "seed")
        ]
        assert {row.state for row in found.foreign} == {UrlState.FOREIGN}

    def test_the_owner_judges_it_so_no_rule_of_this_shard_is_noted(self) -> None:
        crawl = web(kind="host", depth=0, belongs_here=lambda host: host == "h")

        crawl.page(SEED, A, (OUTSIDE, False))

        assert crawl.verdicts() == {
            SEED: ("done", None),
            A: ("skipped", "depth"),
            OUTSIDE: ("foreign", None),
        }

    def test_only_a_better_reach_is_listed_again(self, crawl: Web) -> None:
        crawl.page(SEED, A, D)
        crawl.page(A, B)
        crawl.page(B, OUTSIDE)

        assert self.foreign(crawl.page(D, OUTSIDE)) == {OUTSIDE: 2}
        assert self.foreign(crawl.page(A, B, OUTSIDE)) == {}

    def test_without_shards_every_host_is_ones_own(self) -> None:
        crawl = web()

        found = crawl.page(SEED, OUTSIDE)

        assert (found.foreign, crawl.verdicts()[OUTSIDE]) == ({}, ("pending", None))


class TestSummary:
    def test_a_url_that_is_new_and_admitted_by_the_same_commit_counts_once(self) -> None:
        crawl = web(SEED, D, depth=1)
        crawl.page(SEED, A)
        found = crawl.discovery()
        for source in (crawl.settle(A), crawl.settle(D)):
            found.follow_links(source, Links.of([Link(url(X), "", "", True)]))

        assert [row.url for row in found.admitted] == [X]
        assert found.summary(["h"]) == Saved(grown=frozenset({"h"}), pending=1)

    def test_seeds_are_marked(self) -> None:
        found = Web(admission(SEED)).discovery()
        found.add_seed(url(SEED))
        found.add_listed([url(A)])

        assert [row.url for row in found.new] == [SEED, A]
        assert [row.url for row in found.seeds] == [SEED]


@pytest.mark.parametrize(
    ("location", "target"),
    [
        (A, A),
        (None, None),
        ("mailto:me@h", None),
        (SEED + "x" * 2083, None),
    ],
    ids=["http", "none", "other scheme", "too long"],
)
def test_a_redirect_target_with_a_row_is_http_and_not_too_long(
    location: str | None, target: str | None
) -> None:
    assert redirect_target(answer(301, location=location)) == target


def test_every_column_number_stays_what_the_file_holds() -> None:
    """The numbers are stored: another value would change the meaning of every existing file."""
    assert {state.name: int(state) for state in UrlState} == {
        "PENDING": 0, "WAITING": 1, "DONE": 2, "FAILED": 3, "SKIPPED": 4, "FOREIGN": 5,
    }  # fmt: skip
    assert {kind.name: int(kind) for kind in UrlKind} == {"PAGE": 0, "SITEMAP": 1, "RESOURCE": 2}
