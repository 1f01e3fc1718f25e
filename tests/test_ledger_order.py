"""The same crawl in any order: whatever arrives when, the tables are those of the web.

A small web is drawn, its pages arrive in a drawn order and in drawn batches, and the end is
compared with what the web itself says: the least over all ways, worked out by brute force.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crawler.messages import Content, Dead, Done, Link, RetryAt, Skipped, Verdict
from crawler.policies.reach import SEED as AT_SEED
from crawler.policies.reach import Reach
from crawler.seen import SeenFilter
from storage.rows import State
from tests.fakes import answer, task, url
from tests.storekit import LINKS, PAGES, URLS, AlwaysMaybe, admission, rows, stored

SEED = "http://h0/"
HOPS = 2  # redirects in a row


@dataclass(frozen=True, slots=True)
class Site:
    """A web: each URL is a page with links, a redirect, a dead end, or forbidden by robots.txt."""

    pages: Mapping[str, Sequence[tuple[str, bool]]]  # target, followed
    redirects: Mapping[str, str]
    forbidden: frozenset[str]
    depth: int | None

    def verdict(self, address: str) -> Verdict:
        """What comes of asking for it."""
        of = task(address)
        if address in self.forbidden:
            return Skipped(task=of, reason="robots")
        if address in self.redirects:
            return Done(task=of, answer=answer(301, location=self.redirects[address]))
        if address not in self.pages:
            return Dead(task=of, reason="http_404", answer=answer(404))
        found = [Link(url(target), f"to {target}", "", followed) for target, followed in self.pages[address]]
        return Done(task=of, answer=answer(), content=Content(links=found))


@st.composite
def sites(draw: st.DrawFn) -> Site:
    count = draw(st.integers(2, 9))
    names = [SEED, *(f"http://h{n % 2}/{n}" for n in range(1, count))]
    pages: dict[str, list[tuple[str, bool]]] = {}
    redirects: dict[str, str] = {}
    for name in names:
        kind = draw(st.sampled_from(["page", "page", "page", "redirect", "redirect", "dead"]))
        if kind == "page":
            targets = draw(
                st.lists(st.sampled_from([*names, "ftp", "http://other/"]), max_size=4, unique=True)
            )
            pages[name] = [(t, draw(st.integers(0, 3)) > 0) for t in targets if t != "ftp"]
        elif kind == "redirect":
            redirects[name] = draw(st.sampled_from([*names, "http://other/"]))
    forbidden = draw(st.frozensets(st.sampled_from(names[1:]), max_size=1))
    return Site(pages, redirects, forbidden, draw(st.sampled_from([None, 0, 1, 2, 3])))


def the_answer(site: Site) -> tuple[list[Any], list[Any]]:
    """The url and link tables by brute force: relax every way until nothing changes."""
    door = admission(SEED, kind="any", depth=site.depth, hops=HOPS)
    reach: dict[str, Reach] = {SEED: AT_SEED}

    def ways(source: str) -> list[tuple[str, Reach]]:
        at = reach[source]
        if door.rule(url(source), at) is not None or source in site.forbidden:
            return []
        if source in site.redirects:
            return [(site.redirects[source], at.by_redirect())]
        return [(target, at.by_link(followed)) for target, followed in site.pages.get(source, ())]

    changed = True
    while changed:
        changed = False
        for source in list(reach):
            for target, offered in ways(source):
                best = reach[target].joined(offered) if target in reach else offered
                changed |= best != reach.get(target)
                reach[target] = best
    urls, links = [], []
    for address, at in reach.items():
        state, reason = State.DONE, door.rule(url(address), at)
        if reason is not None:
            state = State.SKIPPED
        elif address in site.forbidden:
            state, reason = State.SKIPPED, "robots"
        elif address not in site.pages and address not in site.redirects:
            state, reason = State.FAILED, "http_404"
        urls.append((address, *at, address == SEED, state, reason))
        if state == State.DONE:
            links += [(address, t, f"to {t}", "", followed) for t, followed in site.pages.get(address, ())]
    return sorted(urls), sorted(links)


async def crawl(path: Path, site: Site, chance: random.Random, seen: SeenFilter | None) -> None:
    """Let the pages arrive in any order, one or several to a commit; some fail before they are there."""
    tried: set[str] = set()
    async with stored(path, SEED, depth=site.depth, hops=HOPS, seen=seen) as file:
        while True:
            frontier = file.run.frontier
            todo = [
                p.url
                for host in await frontier.hosts(limit=99)
                for p in await frontier.pending(host, limit=99)
            ]
            todo += [p.url for p in await frontier.due(now=1.0, limit=99)]
            if not todo:
                break
            batch = chance.sample(todo, chance.randint(1, len(todo)))
            verdicts = []
            for address in batch:
                fails = address not in tried and chance.random() < 0.2
                tried.add(address)
                again = RetryAt(task=task(address), at=0.5, reason="timeout")
                verdicts.append(again if fails else site.verdict(address))
            await file.save(*verdicts)


def tables(path: Path) -> tuple[list[Any], list[Any]]:
    assert rows(path, "PRAGMA foreign_key_check") == []
    return [row[:7] for row in rows(path, URLS)], rows(path, LINKS)


def arrive(site: Site, order: int, seen: SeenFilter | None = None) -> tuple[list[Any], list[Any]]:
    """The tables after the pages arrived in an order drawn by that number."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "crawl.db"
        asyncio.run(crawl(path, site, random.Random(order), seen))
        pages = {address for address, *_ in rows(path, PAGES)}
        assert pages == {row[0] for row in rows(path, URLS) if row[5] in (State.DONE, State.FAILED)}
        return tables(path)


EXAMPLES = settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])


class TestAnyOrder:
    @EXAMPLES
    @given(sites(), st.integers(0, 10**6))
    def test_the_tables_are_those_of_the_web_in_any_order(self, site: Site, order: int) -> None:
        assert arrive(site, order) == the_answer(site)

    @EXAMPLES
    @given(sites(), st.integers(0, 10**6))
    def test_also_if_the_seen_set_knows_nothing(self, site: Site, order: int) -> None:
        """And if the writer's own memory is smaller than a single page needs."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("storage.ledger.CACHED_URLS", 1)
            patch.setattr("storage.ledger.CACHED_HOSTS", 1)
            patch.setattr("storage.phrases.CACHED_PHRASES", 1)

            assert arrive(site, order, AlwaysMaybe()) == the_answer(site)

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
        site = Site(pages, redirects, frozenset(names[50:52]), 4)

        assert arrive(site, order) == the_answer(site)
