"""The same crawl in any order: whatever arrives when, the tables are those of the web.

A small web is drawn, its pages arrive in a drawn order and in drawn batches, and the end is
compared with what the web itself says: the least over all ways, worked out by brute force.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.crawler.messages import Content, Dead, Done, Link, Links, RetryAt, Sitemap, Skipped, Verdict
from penstock.crawler.policies.reach import LISTED, Reach
from penstock.crawler.policies.reach import SEED as AT_SEED
from penstock.crawler.policies.traps import Traps
from penstock.crawler.ports import Pending
from penstock.crawler.scheduler.discovery import UrlState
from penstock.crawler.scheduler.seen import SeenFilter
from tests.support.fakes import answer, task, url
from tests.support.open_store import (
    LINKS,
    PAGES,
    SEED,
    URLS,
    AlwaysMaybe,
    admission,
    rows,
    stored,
    use_equal_digests,
)

HOPS = 2  # redirects in a row
RUNS_FROM = 1  # in place of 20: the webs here are small
SITEMAP = f"{SEED}sitemap.xml"
OUTSIDE = "http://other/"


@dataclass(frozen=True, slots=True)
class Site:
    """A web: each URL is a page with links, a redirect, a dead end, or forbidden by robots.txt."""

    pages: Mapping[str, Sequence[tuple[str, bool]]]  # target, followed
    redirects: Mapping[str, str]
    forbidden: frozenset[str] = frozenset()
    listed: Sequence[str] = ()  # in a sitemap
    depth: int | None = None
    kind: str = "any"  # of scope
    shape_hops: int = 1_000

    @property
    def rules(self) -> dict[str, Any]:
        traps = Traps(shape_hops=self.shape_hops)
        return {"depth": self.depth, "hops": HOPS, "kind": self.kind, "traps": traps}

    def verdict(self, found: Pending) -> Verdict:
        """What comes of asking for it."""
        address, of = found.url, task(found.url, kind=found.kind)
        if found.kind == "sitemap":
            listed = Sitemap(kind="urlset", locations=[url(one) for one in self.listed])
            return Done(task=of, answer=answer(), sitemap=listed)
        if address in self.forbidden:
            return Skipped(task=of, reason="robots")
        if address in self.redirects:
            return Done(task=of, answer=answer(301, location=self.redirects[address]))
        if address not in self.pages:
            return Dead(task=of, reason="http_404", answer=answer(404))
        links = [Link(url(target), f"to {target}", "", followed) for target, followed in self.pages[address]]
        return Done(task=of, answer=answer(), content=Content(links=Links.of(links)))


@st.composite
def sites(draw: st.DrawFn) -> Site:
    count = draw(st.integers(2, 9))
    names = [SEED, *(f"http://{'hi'[n % 2]}/{n}" for n in range(1, count))]
    pages: dict[str, list[tuple[str, bool]]] = {}
    redirects: dict[str, str] = {}
    for name in names:
        kind = draw(st.sampled_from(["page", "page", "page", "redirect", "redirect", "dead"]))
        if kind == "page":
            targets = draw(st.lists(st.sampled_from([*names, OUTSIDE]), max_size=4, unique=True))
            pages[name] = [(target, draw(st.integers(0, 3)) > 0) for target in targets]
        elif kind == "redirect":
            redirects[name] = draw(st.sampled_from([*names, OUTSIDE]))
    return Site(
        pages,
        redirects,
        forbidden=draw(st.frozensets(st.sampled_from(names[1:]), max_size=1)),
        listed=draw(st.lists(st.sampled_from(names[1:]), max_size=2, unique=True)),
        depth=draw(st.sampled_from([None, 0, 1, 2, 3])),
        kind=draw(st.sampled_from(["any", "host"])),
        shape_hops=draw(st.sampled_from([1, 2, 1_000])),
    )


class Answer:
    """The url and link tables by brute force: relax every way until nothing changes."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.door = admission(SEED, **site.rules)
        self.reach: dict[str, Reach] = {SEED: AT_SEED}
        changed = True
        while changed:
            changed = self._offer([(one, LISTED) for one in site.listed])
            for source in list(self.reach):
                changed |= self._offer(list(self._ways(source)))

    def _offer(self, ways: Sequence[tuple[str, Reach]]) -> bool:
        changed = False
        for target, offered in ways:
            known = self.reach.get(target)
            self.reach[target] = known.joined(offered) if known is not None else offered
            changed |= self.reach[target] != known
        return changed

    def _ways(self, source: str) -> Iterator[tuple[str, Reach]]:
        at = self.reach[source]
        if self._rule(source) is not None:
            return
        if source in self.site.redirects:
            target = self.site.redirects[source]
            if at.depth == 0:  # the crawl moves house with its seed
                self.door.widen(url(target))
            yield target, at.by_redirect(self._run(source, target, 0))
        for target, followed in self.site.pages.get(source, ()):
            yield target, at.by_link(followed, self._run(source, target, 1))

    def _run(self, source: str, target: str, hops: int) -> int:
        at = self.reach[source]
        return 0 if at.depth < RUNS_FROM else self.door.run(url(source), at.run, url(target), hops=hops)

    def _rule(self, address: str) -> str | None:
        rule = None if address == SEED else self.door.rule(url(address), self.reach[address])
        return rule or ("robots" if address in self.site.forbidden else None)

    def tables(self) -> tuple[list[Any], list[Any]]:
        site, urls, links = self.site, [], []
        for address, at in self.reach.items():
            reason = self._rule(address)
            state = UrlState.DONE if reason is None else UrlState.SKIPPED
            if reason is None and address not in site.pages and address not in site.redirects:
                state, reason = UrlState.FAILED, "http_404"
            urls.append((address, *at, address == SEED, state, reason))
            if state == UrlState.DONE:
                targets = site.pages.get(address, ())
                links += [(address, target, f"to {target}", "", followed) for target, followed in targets]
        return sorted(urls), sorted(links)


async def crawl(path: Path, site: Site, chance: random.Random, seen: SeenFilter | None) -> None:
    """Let the pages arrive in any order, one or several to a commit; some fail before they are there."""
    tried: set[str] = set()
    sitemaps = [SITEMAP] if site.listed else []
    async with stored(path, SEED, seen=seen, sitemaps=sitemaps, **site.rules) as file:
        frontier = file.run.frontier
        while True:
            todo = [
                p
                for host in await frontier.waiting_hosts(after=None, limit=99)
                for p in await frontier.pending(host.name, limit=99)
            ]
            todo += await frontier.due(now=1.0, limit=99)
            if not todo:
                break
            verdicts: list[Verdict] = []
            for found in chance.sample(todo, chance.randint(1, len(todo))):
                fails = found.url not in tried and chance.random() < 0.2
                tried.add(found.url)
                again = RetryAt(task=task(found.url, kind=found.kind), at=0.5, reason="timeout")
                verdicts.append(again if fails else site.verdict(found))
            await file.save(*verdicts)


def arrive(site: Site, order: int, seen: SeenFilter | None = None) -> tuple[list[Any], list[Any]]:
    """The tables after the pages arrived in an order drawn by that number."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr("penstock.crawler.scheduler.discovery.RUNS_FROM", RUNS_FROM)
        path = Path(folder) / "crawl.db"
        asyncio.run(crawl(path, site, random.Random(order), seen))
        urls, pages = rows(path, URLS), rows(path, PAGES)
        asked = (UrlState.DONE, UrlState.FAILED)
        assert {page[0] for page in pages} == {row[0] for row in urls if row[7] in asked}
        assert rows(path, "PRAGMA foreign_key_check") == []
        return urls, rows(path, LINKS)


EXAMPLES = settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])


class TestAnyOrder:
    @EXAMPLES
    @given(sites(), st.integers(0, 10**6))
    def test_the_tables_are_those_of_the_web_in_any_order(self, site: Site, order: int) -> None:
        assert arrive(site, order) == Answer(site).tables()

    @EXAMPLES
    @given(sites(), st.integers(0, 10**6))
    def test_the_tables_are_right_if_the_seen_set_knows_nothing(self, site: Site, order: int) -> None:
        """And if the writer's own memory is smaller than a single page needs."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("penstock.storage.writing.url_table.CACHED_URLS", 1)
            patch.setattr("penstock.storage.writing.url_table.CACHED_HOSTS", 1)
            patch.setattr("penstock.storage.writing.interned_strings.CACHED_STRINGS", 1)

            assert arrive(site, order, AlwaysMaybe()) == Answer(site).tables()

    @EXAMPLES
    @given(sites(), st.integers(0, 10**6))
    def test_the_tables_are_right_if_all_digests_are_the_same(self, site: Site, order: int) -> None:
        """They only say where to look."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("penstock.storage.writing.url_table.CACHED_URLS", 1)
            use_equal_digests(patch)

            assert arrive(site, order, AlwaysMaybe()) == Answer(site).tables()

    @pytest.mark.parametrize("order", range(10))
    def test_a_larger_web_of_everything(self, order: int) -> None:
        """A hundred URLs; every order is the same."""
        chance = random.Random(7)
        names = [SEED, *(f"http://h{n % 5}/{n}" for n in range(1, 100))]
        redirects = {name: chance.choice(names) for name in chance.sample(names[1:], 30)}
        pages = {
            name: [(target, chance.random() < 0.8) for target in chance.sample(names, 3)]
            for name in names
            if name not in redirects and chance.random() < 0.9
        }
        pages[SEED] = [(name, True) for name in names[1:6]]
        site = Site(pages, redirects, frozenset(names[50:52]), names[80:83], depth=4)

        assert arrive(site, order) == Answer(site).tables()

    def test_a_page_that_turns_out_to_be_linked_does_not_restart_a_run(self) -> None:
        """Named by a sitemap first, then found at the end of a long way: in either order its links
        are as far along as they are."""
        pages = {
            SEED: [("http://i/1", True)],
            "http://i/1": [("http://i/2", True)],
            "http://i/2": [("http://i/3", True)],
        }
        site = Site(pages, {}, listed=["http://i/2"])

        assert [arrive(site, order) for order in range(12)] == [Answer(site).tables()] * 12
