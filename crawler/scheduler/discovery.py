"""Discovery: which URLs a page leads to, whether each is admitted, and at what depth.

May touch: policies, messages, ports, urls.
Never: SQL, row numbers, await. The caller gives the event loop its turns: it calls with parts of a long list.

Storage calls Discovery with what the pages of one commit contain and then writes what changed: `new`,
`improved` and `admitted` rows. Two decisions need rows that may not be in memory, so storage loads
them: `take_spreading` (better reaches flow on along stored links and redirects) and `take_widened`
(a seed's redirect has widened the scope). Depth and hops are minima, so the result does not depend on
the order in which the pages arrive.

`Admission` is the one door for URLs; seeds, links and redirects all pass it:
canonical → scheme → scope → include/exclude → traps → depth → seen. The first two are checked where
a URL is read (`penstock.crawler.urls`: a URL that is not canonical http(s) is dropped there, and
`is_too_long` is counted there). The middle ones are checked here. The last is the frontier's unique
key, behind the seen set. Discovery asks once per URL, when the URL is new, and again only when a
better way to the URL is found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import IntEnum
from typing import Generic, Protocol, TypeVar, cast

from msgspec import Struct

from penstock.crawler.messages import MAX_REDIRECTS, Answer, CanonicalUrl, Links
from penstock.crawler.policies.reach import (
    AFTER_ALL,
    DYNAMIC_RULES,
    LISTED,
    RUNS_FROM,
    SEED,
    UNREACHED,
    Horizon,
    Reach,
)
from penstock.crawler.policies.scope import Scope
from penstock.crawler.policies.traps import Traps, run_of, shape
from penstock.crawler.ports import Saved
from penstock.crawler.urls import MAX_URL_CHARS, host_of, is_http

MAX_SITEMAP_NESTING = 3  # the protocol knows one level of index; some sites have two

RESOURCES_OFF = "resources_off"
"""The reason of a resource or an external link in a run that checks none of its kind."""
SITEMAPS_OFF = "sitemaps_off"
"""The reason of a sitemap that robots.txt names in a run that reads none."""
_SITEMAP_RULES = frozenset({"scope", SITEMAPS_OFF, "sitemap_nesting", "redirect_limit"})
_RESOURCES = Horizon(depth=None)  # resources are requested at any depth, on any host


class UrlState(IntEnum):
    """What became of a URL. The numbers are those of the column url.state."""

    PENDING = 0
    WAITING = 1  # for a retry
    DONE = 2
    FAILED = 3
    SKIPPED = 4
    FOREIGN = 5  # another shard's host: its owner decides


class UrlKind(IntEnum):
    """What a URL is requested as. The numbers are those of the column url.kind."""

    PAGE = 0
    SITEMAP = 1
    RESOURCE = 2


class KnownUrl(Protocol):
    """One known URL. Discovery reads and changes it in place."""

    depth: int
    hops: int
    followed: bool
    listed: bool
    run: int
    state: int
    reason: str | None

    @property
    def url(self) -> CanonicalUrl: ...
    @property
    def kind(self) -> UrlKind: ...
    @property
    def reach(self) -> Reach: ...


Row = TypeVar("Row", bound=KnownUrl)
Known = TypeVar("Known", bound=KnownUrl, covariant=True)


class KnownUrls(Protocol[Known]):
    """The known URLs that a batch needs, all loaded before Discovery is called."""

    @property
    def pages(self) -> Mapping[str, Known]:
        """The rows of kind PAGE, by URL."""
        ...

    def find(self, url: CanonicalUrl, kind: UrlKind) -> Known | None: ...
    def add(
        self, url: CanonicalUrl, reach: Reach, state: UrlState, reason: str | None, kind: UrlKind
    ) -> Known: ...


class Discovery(Generic[Row]):
    """What the pages of one commit discover."""

    def __init__(
        self,
        known: KnownUrls[Row],
        admission: Admission,
        belongs_here: Callable[[str], bool] | None = None,
        moves: dict[CanonicalUrl, int] | None = None,
    ) -> None:
        """`belongs_here` tells whether a host (name and port) is this crawl's own; None: all are.
        `moves`: the least number of refreshes between a seed and a URL of depth 0, where there are
        any; updated."""
        self._known = known
        self._admission = admission
        self._belongs_here = belongs_here
        self._spreading: dict[Row, None] = {}
        self._moves = {} if moves is None else moves
        self.moved: dict[Row, int] = {}  # rows whose number of moves changed, with the new one
        self._unproven: list[tuple[Row, str]] = []  # sitemaps, with the host that names them
        self._widened: list[CanonicalUrl] = []
        self.new: list[Row] = []
        self.seeds: set[Row] = set()  # of the new ones
        self.improved: dict[Row, None] = {}  # rows whose reach, state or reason changed
        self.admitted: list[Row] = []  # of these, skipped before and pending now
        self.foreign: dict[Row, None] = {}  # other shards' URLs, new or with a better reach: offer them

    # -- what pages contain

    def add_seed(self, url: CanonicalUrl) -> None:
        """A seed is in scope by definition and exempt from patterns."""
        self.seeds.add(self._add(url, SEED, None, UrlKind.PAGE))

    def follow_links(self, source: Row, links: Links) -> list[Row]:
        """Return the rows of a page's link targets, in order. Each is new, improved or unchanged."""
        depth = min(source.depth + 1, UNREACHED)
        rows = list(map(self._known.pages.get, links.urls))
        for at, row in enumerate(rows):
            if row is None or row.depth > depth or row.hops or row.run or not row.followed:
                run = self._run(source, links.urls[at], hops=1)
                offered = Reach(depth, 0, at not in links.nofollow, False, run)
                if row is None:
                    rows[at] = self._add_page(links.urls[at], offered)
                else:
                    self._improve(row, offered)
        return cast(list[Row], rows)

    def follow_redirect(self, source: Row, url: CanonicalUrl) -> Row:
        """Return the row of a redirect's target. It has the source's kind."""
        if source.kind == UrlKind.SITEMAP:
            return self.add_sitemap(url, source, is_redirect=True)
        if source.kind == UrlKind.RESOURCE:
            return self.add_resource(url, hops=source.hops + 1)
        reach = source.reach.by_redirect(self._run(source, url, hops=0))
        self._widen(url, reach)
        if reach.depth or not self._moves:
            return self._offer(url, reach)
        return self._offer_seed(url, reach, self._moves.get(source.url, 0))

    def follow_move(self, source: Row, url: CanonicalUrl) -> None:
        """A refresh of `source` leads to `url`, one of its links. From a seed on it is a redirect: the
        crawl goes on where the site has moved, at depth 0. From any other page it is a link alone."""
        if source.depth or url == source.url or url not in self._known.pages:
            return
        moves = self._moves.get(source.url, 0) + 1
        if moves <= MAX_REDIRECTS:
            reach = source.reach.by_redirect()
            self._widen(url, reach)
            self._offer_seed(url, reach, moves)

    def add_listed(self, urls: Sequence[CanonicalUrl]) -> None:
        """The entries of a sitemap: at no depth, unless links lead there too."""
        for url in urls:
            self._offer(url, LISTED)

    def add_sitemap(self, url: CanonicalUrl, source: Row | None = None, *, is_redirect: bool = False) -> Row:
        """A sitemap that the operator names (`source` None), or an index or a redirect that was read.

        It may lie anywhere: who may read the one is told to read the other.
        """
        if source is None:
            return self._offer_sitemap(url, 0, 0, None)
        if is_redirect:
            return self._offer_sitemap(url, source.depth, source.hops + 1, None)
        return self._offer_sitemap(url, source.depth + 1, 0, None)

    def add_named_sitemap(self, url: CanonicalUrl, host: str) -> Row:
        """A sitemap that the robots.txt of `host` names. It may lie anywhere if the host is in scope:
        robots.txt is the proof that the site itself says so (sitemaps.org, "Sitemaps & Cross Submits")."""
        rule = self._admission.sitemap_rule(url, host)
        row = self._offer_sitemap(url, 0, 0, rule)
        if rule == "scope":
            self._unproven.append((row, host))
        return row

    def add_resource(self, url: CanonicalUrl, *, hops: int = 0) -> Row:
        """A resource that a page loads, or a link out of scope that is checked like one; or where one of
        them redirects to, after `hops` redirects."""
        row = self._known.find(url, UrlKind.RESOURCE)
        if row is None:
            reach = Reach(AFTER_ALL, hops, True)
            return self._add(url, reach, _RESOURCES.rule(reach), UrlKind.RESOURCE)
        self._improve_resource(row, hops)
        if row.state == UrlState.SKIPPED and row.reason == RESOURCES_OFF:
            self._rule_again(row, _RESOURCES.rule(row.reach))
        return row

    # -- decisions that need stored rows

    def take_spreading(self) -> Sequence[Row]:
        """Stored rows whose reach improved since the last call. Call `spread_link` for each of their
        stored links and `spread_redirect` for each redirect, and take again until there are none."""
        taken = list(self._spreading)
        self._spreading.clear()
        return taken

    def spread_again(self, row: Row) -> None:
        """A row that was waiting has its stored links and redirect back, or new ones."""
        self._spreading[row] = None

    def spread_link(self, source: Row, target: Row, *, followed: bool) -> None:
        run = self._run(source, target.url, hops=1)
        self._improve(target, source.reach.by_link(followed, run))

    def spread_redirect(self, source: Row, target: Row) -> None:
        if source.kind == UrlKind.RESOURCE:
            self._improve_resource(target, source.hops + 1)
            return
        if source.kind == UrlKind.SITEMAP:
            self._improve_sitemap(target, source.depth, source.hops + 1, None)
            return
        self.follow_redirect(source, target.url)

    def spread_move(self, source: Row, target: Row) -> None:
        self.follow_move(source, target.url)

    def spread_index(self, source: Row, target: Row) -> None:
        """`spread_link`, for a sitemap that an index names."""
        self._improve_sitemap(target, source.depth + 1, 0, None)

    def take_widened(self) -> tuple[Sequence[CanonicalUrl], Scope]:
        """Redirect targets that widened the scope since the last call, and the part that they added.

        Call `judge_scope_again` with the stored rows that the scope kept out on hosts of that part, and
        with the new ones.
        """
        taken, self._widened = self._widened, []
        return taken, self._admission.scope.of(taken)

    def is_outside(self, url: CanonicalUrl) -> bool:
        """True if the scope, as it is now, does not hold the URL."""
        return not self._admission.scope.inside(url)

    def judge_scope_again(self, rows: Iterable[Row]) -> None:
        """Admit the rows that were kept out by a scope that was narrower then."""
        for row in rows:
            if row.state != UrlState.SKIPPED or row.reason != "scope":
                continue
            if row.kind == UrlKind.SITEMAP:
                self._rule_again(row, self._admission.sitemap_rule(row.url, host_of(row.url)))
            else:
                self._rule_again(row, self._admission.rule(row.url, row.reach))

    def judge_sitemaps_again(self, named: Iterable[tuple[Row, str]]) -> None:
        """The same for sitemaps, each with a host whose robots.txt names it; and for those of this commit."""
        for row, host in (*named, *self._unproven):
            if row.state == UrlState.SKIPPED and row.reason == "scope":
                self._rule_again(row, self._admission.sitemap_rule(row.url, host))

    def summary(self, grown: Iterable[str]) -> Saved:
        """What the commit changed. `grown` are the hosts of the new pending rows."""
        states = Counter(row.state for row in self.new if row.kind == UrlKind.PAGE)
        pending, skipped = states[UrlState.PENDING], states[UrlState.SKIPPED]
        hosts = set(grown)
        if self.admitted:
            new = set(self.new)
            pages = sum(row.kind == UrlKind.PAGE for row in set(self.admitted) - new)
            pending, skipped = pending + pages, skipped - pages
            hosts.update(host_of(row.url) for row in self.admitted)
        return Saved(grown=frozenset(hosts), pending=pending, skipped=skipped)

    # -- within

    def _add_page(self, url: CanonicalUrl, reach: Reach) -> Row:
        return self._add(url, reach, self._admission.rule(url, reach), UrlKind.PAGE)

    def _add(self, url: CanonicalUrl, reach: Reach, rule: str | None, kind: UrlKind) -> Row:
        if self._belongs_here is not None and not self._belongs_here(host_of(url)):
            row = self._known.add(url, reach, UrlState.FOREIGN, None, kind)
            self.foreign[row] = None
        else:
            state = UrlState.PENDING if rule is None else UrlState.SKIPPED
            row = self._known.add(url, reach, state, rule, kind)
        self.new.append(row)
        return row

    def _offer(self, url: CanonicalUrl, reach: Reach) -> Row:
        row = self._known.pages.get(url)
        if row is None:
            return self._add_page(url, reach)
        self._improve(row, reach)
        return row

    def _offer_seed(self, url: CanonicalUrl, reach: Reach, moves: int) -> Row:
        """Offer a way of depth 0, and count the refreshes on it: without a limit, a seed that always
        moves on would never end. (Hops are no limit for pages, which links may lead to as well.)"""
        row = self._known.pages.get(url)
        known = self._moves.get(url, 0) if row is not None and row.depth == 0 else None
        row = self._offer(url, reach)
        if moves if known is None else moves < known:
            self.moved[row] = moves
            if moves:
                self._moves[url] = moves
            else:
                del self._moves[url]
            if row.state == UrlState.DONE:
                self._spreading[row] = None
        return row

    def _improve(self, row: Row, offered: Reach) -> None:
        known = row.reach
        best = known.joined(offered)
        if best == known:
            return
        row.depth, row.hops, row.followed, row.listed, row.run = best
        self.improved[row] = None
        if row.state == UrlState.SKIPPED:
            self._rule_again(row, self._admission.rule_again(row.reason, row.url, best))
        elif row.state == UrlState.DONE:
            self._spreading[row] = None
        elif row.state == UrlState.FOREIGN:
            self.foreign[row] = None

    def _improve_resource(self, row: Row, hops: int) -> None:
        if hops >= row.hops:
            return
        row.hops = hops
        self.improved[row] = None
        if row.state == UrlState.DONE:
            self._spreading[row] = None
        elif row.state == UrlState.FOREIGN:
            self.foreign[row] = None
        elif row.reason == "redirect_limit" and _RESOURCES.rule(row.reach) is None:
            self._rule_again(row, None)

    def _offer_sitemap(self, url: CanonicalUrl, nesting: int, hops: int, rule: str | None) -> Row:
        row = self._known.find(url, UrlKind.SITEMAP)
        if row is None:
            reach = Reach(nesting, hops, True)
            return self._add(url, reach, rule or self._admission.nesting_rule(reach), UrlKind.SITEMAP)
        self._improve_sitemap(row, nesting, hops, rule)
        return row

    def _improve_sitemap(self, row: Row, nesting: int, hops: int, rule: str | None) -> None:
        """Nesting and hops are minima; one who may name a sitemap is enough."""
        if nesting < row.depth or hops < row.hops:
            row.depth, row.hops = min(row.depth, nesting), min(row.hops, hops)
            self.improved[row] = None
            if row.state == UrlState.DONE:
                self._spreading[row] = None
            elif row.state == UrlState.FOREIGN:
                self.foreign[row] = None
        if row.state != UrlState.SKIPPED or row.reason not in _SITEMAP_RULES:
            return
        if rule is None or row.reason not in ("scope", SITEMAPS_OFF):
            rule = self._admission.nesting_rule(row.reach)
        if rule != row.reason:
            self._rule_again(row, rule)

    def _rule_again(self, row: Row, rule: str | None) -> None:
        row.reason = rule
        self.improved[row] = None
        if rule is None:
            row.state = UrlState.PENDING
            self.admitted.append(row)

    def _run(self, source: Row, url: CanonicalUrl, *, hops: int) -> int:
        if source.depth < RUNS_FROM:
            return 0
        return self._admission.run(source.url, source.run, url, hops=hops)

    def _widen(self, url: CanonicalUrl, reach: Reach) -> None:
        """Depth 0 is a seed, or a redirect's target reached from one: the crawl follows its seed there."""
        if reach.depth == 0 and self._admission.widen(url):
            self._widened.append(url)


def redirect_target(answer: Answer) -> CanonicalUrl | None:
    """The target of a redirect, if it gets a row of its own."""
    location = answer.location
    if location is None or not is_http(location) or len(location) > MAX_URL_CHARS:
        return None
    return CanonicalUrl(location)


class Admission(Struct):
    """Name the rule that keeps a URL out; None lets it in."""

    scope: Scope
    horizon: Horizon
    traps: Traps | None = None
    sitemaps: bool = True  # those that robots.txt names are read

    def rule(self, url: CanonicalUrl, reach: Reach) -> str | None:
        """The rule for a new URL with this reach."""
        if (rule := self.scope.rule(url)) is not None:
            return rule
        if self.traps is not None and (rule := self.traps.rule(url) or self.traps.rule_along(reach.run)):
            return rule
        return self.horizon.rule(reach)

    def run(self, source: CanonicalUrl, run: int, target: CanonicalUrl, *, hops: int) -> int:
        """Hops in a row along one shape that lead to `target` through `source`, whose own number is `run`."""
        return 0 if self.traps is None else run_of(run, shape(source), shape(target), hops=hops)

    def rule_again(self, rule: str | None, url: CanonicalUrl, reach: Reach) -> str | None:
        """The rule for a URL that `rule` keeps out and to which a better way was found."""
        return self.rule(url, reach) if rule in DYNAMIC_RULES else rule

    def sitemap_rule(self, url: CanonicalUrl, host: str) -> str | None:
        """The rule for a sitemap that the robots.txt of `host` names."""
        if not self.sitemaps:
            return SITEMAPS_OFF
        return None if self.scope.may_hold(host) or self.scope.inside(url) else "scope"

    def nesting_rule(self, reach: Reach) -> str | None:
        """The rule for a sitemap behind so many indexes (its depth) and redirects."""
        if reach.depth > MAX_SITEMAP_NESTING:
            return "sitemap_nesting"
        return "redirect_limit" if reach.hops > self.horizon.hops else None

    def widen(self, url: CanonicalUrl) -> bool:
        """Extend the scope by the target of a seed's redirect. False if the target was in scope already."""
        if self.scope.inside(url):
            return False
        self.scope.extend(url)
        return True
