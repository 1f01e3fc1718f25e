"""Discovered URLs: depth is a distance, however late its ways are found; a better way lifts a verdict."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest

from penstock.crawler.messages import (
    Content,
    Dead,
    Done,
    Link,
    Links,
    RetryAt,
    RobotsAnswer,
    RobotsTask,
    Sitemap,
    Skipped,
)
from penstock.crawler.policies.traps import Traps
from penstock.crawler.ports import Saved
from penstock.storage.database.batching import CHUNK_SIZE
from tests.support.fakes import START, answer, done, task, url
from tests.support.open_store import SEED, AlwaysMaybe, Stored, depths, rows, states, stored

A, B, C, D, X = (f"{SEED}{name}" for name in "abcdx")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "crawl.db"


@pytest.fixture
async def file(path: Path) -> AsyncIterator[Stored]:
    """A crawl to depth 2, with at most 2 redirects in a row."""
    async with stored(path, depth=2, hops=2, kind="host") as opened:
        yield opened


def page(source: str, *targets: str) -> Done:
    return done(task(source), *targets)


def redirect(source: str, target: str) -> Done:
    return Done(task=task(source), answer=answer(301, location=target))


def nofollow(source: str, forbidden: str, *allowed: str) -> Done:
    """A page whose first link may not be followed."""
    found = [Link(url(target), "", "", target != forbidden) for target in (forbidden, *allowed)]
    return Done(task=task(source), answer=answer(), content=Content(links=Links.of(found)))


class TestDepth:
    async def test_a_link_is_one_hop(self, path: Path, file: Stored) -> None:
        await file.save(page(SEED, A))
        await file.save(page(A, B))

        assert depths(path) == {SEED: 0, A: 1, B: 2}

    async def test_a_redirect_is_none(self, path: Path, file: Stored) -> None:
        await file.save(redirect(SEED, A))
        await file.save(page(A, B))

        assert depths(path) == {SEED: 0, A: 0, B: 1}

    async def test_a_shorter_way_that_is_found_later_counts(self, path: Path) -> None:
        async with stored(path) as file:
            for found in (page(SEED, A, D), page(A, B), page(B, X), page(D, X)):
                await file.save(found)

        assert depths(path)[X] == 2

    async def test_a_longer_way_does_not(self, path: Path, file: Stored) -> None:
        await file.save(page(SEED, A, X))
        await file.save(page(A, X))

        assert depths(path)[X] == 1

    async def test_a_shorter_depth_flows_on_along_stored_links_and_redirects(self, path: Path) -> None:
        """Without fetching anything again: through links, a redirect and links again."""
        way = [page(SEED, A, D), page(A, B), page(B, C), page(C, X)]
        beyond = [page(X, X + "1"), redirect(X + "1", X + "2"), page(X + "2", X + "3")]
        async with stored(path) as file:
            for found in [*way, *beyond]:
                await file.save(found)
            assert [depths(path)[X + n] for n in ("", "1", "2", "3")] == [4, 5, 5, 6]

            await file.save(page(D, X))

        assert [depths(path)[X + n] for n in ("", "1", "2", "3")] == [2, 3, 3, 4]

    async def test_a_shorter_depth_flows_on_within_one_commit_in_any_order(self, path: Path) -> None:
        chain = [page(SEED, A, D), page(A, B), page(B, C), page(C, X), page(X, X + "1")]
        async with stored(path) as file:
            for found in chain[:3]:
                await file.save(found)
            await file.save(chain[3])
            await file.save(chain[4], page(D, X))

        assert [depths(path)[X + n] for n in ("", "1")] == [2, 3]

    async def test_circles_come_to_an_end(self, path: Path) -> None:
        """Pages that link to one another, and redirects in a ring."""
        ring = [redirect(D, X), redirect(X, D)]
        async with stored(path) as file:
            for found in (page(SEED, A, D), page(A, B), page(B, C), page(C, A, B, C), *ring):
                await file.save(found)

        assert depths(path) == {SEED: 0, A: 1, B: 2, C: 3, D: 1, X: 1}

    async def test_a_better_way_into_a_circle_goes_round_once(self, path: Path) -> None:
        async with stored(path, SEED, D) as file:
            for found in (page(SEED, A), page(A, B), page(B, C), page(C, X), page(X, C, B)):
                await file.save(found)
            assert depths(path) == {SEED: 0, D: 0, A: 1, B: 2, C: 3, X: 4}

            await file.save(page(D, C))

        assert depths(path) == {SEED: 0, D: 0, A: 1, B: 2, C: 1, X: 2}

    async def test_a_page_that_links_to_itself(self, path: Path, file: Stored) -> None:
        await file.save(page(SEED, SEED, A))
        await file.save(redirect(A, A))

        assert depths(path) == {SEED: 0, A: 1}
        assert rows(path, "SELECT source, target FROM links") == [(SEED, SEED), (SEED, A)]

    async def test_a_seed_stays_at_zero(self, path: Path) -> None:
        async with stored(path, SEED, A) as file:
            await file.save(page(SEED, A))

        assert depths(path) == {SEED: 0, A: 0}


class TestVerdict:
    """A URL's verdict is the best over all its discoveries."""

    async def settle(self, file: Stored, *found: Done) -> Saved:
        for one in found[:-1]:
            await file.save(one)
        return await file.save(found[-1])

    async def test_beyond_the_depth_it_is_skipped(self, path: Path, file: Stored) -> None:
        await self.settle(file, page(SEED, A), page(A, B), page(B, C))

        assert states(path)[C] == ("skipped", "depth")

    async def test_a_shorter_way_lifts_depth(self, path: Path, file: Stored) -> None:
        await self.settle(file, page(SEED, A, D), page(A, B), page(B, C))

        saved = await file.save(page(D, C))

        assert states(path)[C] == ("pending", None)
        assert saved == Saved(grown=frozenset({"h"}), pending=1, skipped=-1)
        assert await file.pending() == [C]

    async def test_a_way_that_is_shorter_further_up_lifts_depth(self, path: Path, file: Stored) -> None:
        """X is skipped at depth 3, its source then turns out to be at depth 1."""
        await self.settle(file, page(SEED, A, D), page(A, B), page(B, X))
        assert states(path)[X] == ("skipped", "depth")

        saved = await file.save(redirect(D, B))

        assert (depths(path)[B], depths(path)[X]) == (1, 2)
        assert states(path)[X] == ("pending", None)
        assert saved.pending == 1

    async def test_a_link_that_may_be_followed_lifts_nofollow(self, path: Path, file: Stored) -> None:
        """Even from further away: a way that may not be followed counts only if there is no other."""
        await file.save(nofollow(SEED, X, A))
        assert states(path)[X] == ("skipped", "nofollow")
        assert depths(path)[X] == 1

        saved = await file.save(page(A, X))

        assert states(path)[X] == ("pending", None)
        assert depths(path)[X] == 2
        assert saved.pending == 1

    async def test_a_redirect_lifts_nofollow_too(self, path: Path, file: Stored) -> None:
        await file.save(nofollow(SEED, X, A))

        await file.save(redirect(A, X))

        assert states(path)[X] == ("pending", None)
        assert depths(path)[X] == 1

    async def test_nofollow_can_turn_into_depth(self, path: Path, file: Stored) -> None:
        """The reason is that of the best way, and the only one that may be followed is too long."""
        await file.save(nofollow(SEED, X, A))
        await self.settle(file, page(A, B), page(B, X))

        assert states(path)[X] == ("skipped", "depth")
        assert depths(path)[X] == 3

    async def test_too_many_redirects_in_a_row_are_skipped(self, path: Path, file: Stored) -> None:
        await self.settle(file, redirect(SEED, A), redirect(A, B), redirect(B, X))

        assert states(path)[X] == ("skipped", "redirect_limit")

    async def test_a_link_or_a_shorter_chain_lifts_the_redirect_limit(self, path: Path) -> None:
        for better in (page(D, X), redirect(D, X)):
            file_path = path.with_name(f"{id(better)}.db")
            async with stored(file_path, SEED, D, hops=2) as file:
                await self.settle(file, redirect(SEED, A), redirect(A, B), redirect(B, X))
                assert states(file_path)[X] == ("skipped", "redirect_limit")
                await file.save(better)

            assert states(file_path)[X] == ("pending", None)

    @pytest.mark.parametrize("scope", ["http://other/", "https://h:81/"])
    async def test_nothing_lifts_the_scope(self, path: Path, file: Stored, scope: str) -> None:
        await self.settle(file, page(SEED, A, D), page(A, B), page(B, scope))
        assert (states(path)[scope], depths(path)[scope]) == (("skipped", "scope"), 3)

        await file.save(page(D, scope))

        assert (states(path)[scope], depths(path)[scope]) == (("skipped", "scope"), 2)

    async def test_nothing_lifts_robots(self, path: Path, file: Stored) -> None:
        await self.settle(file, page(SEED, A, D), page(A, X))
        await file.save(Skipped(task=task(X), reason="robots"))

        await file.save(page(D, X))

        assert states(path)[X] == ("skipped", "robots")

    @pytest.mark.parametrize(
        ("verdict", "state"),
        [
            (Dead(task=task(X), reason="http_404"), ("failed", "http_404")),
            (RetryAt(task=task(X), at=START, reason="timeout"), ("pending", "timeout")),
            (page(X), ("done", None)),
        ],
        ids=["dead", "retry", "done"],
    )
    async def test_what_was_asked_is_not_asked_again_for_a_better_way(
        self, path: Path, verdict: Dead | RetryAt | Done, state: tuple[str, str | None]
    ) -> None:
        async with stored(path) as file:
            await self.settle(file, page(SEED, A, D), page(A, B), page(B, X))
            await file.save(verdict)

            saved = await file.save(page(D, X))

            assert saved == Saved()
            assert await file.run.frontier.next_retry(after=0) == (START if "timeout" in state else None)
        assert (depths(path)[X], states(path)[X]) == (2, state)


class TestListed:
    """What a sitemap names is fetched at any depth; its depth stays the distance from the seeds."""

    async def listed(self, file: Stored, *targets: str) -> Saved:
        of = task(f"{SEED}sitemap.xml", kind="sitemap")
        found = Sitemap(kind="urlset", locations=[url(target) for target in targets])
        return await file.save(Done(task=of, answer=answer(), sitemap=found))

    @pytest.fixture
    async def file(self, path: Path) -> AsyncIterator[Stored]:
        async with stored(path, depth=1, kind="host", sitemaps=[f"{SEED}sitemap.xml"]) as opened:
            yield opened

    async def test_a_listed_url_is_admitted_at_no_depth(self, path: Path, file: Stored) -> None:
        saved = await self.listed(file, X)

        assert states(path) == {SEED: ("pending", None), X: ("pending", None)}
        assert saved == Saved(grown=frozenset({"h"}), pending=1)
        assert depths(path)[X] is None

    async def test_what_a_listed_page_links_to_is_out_of_reach(self, path: Path, file: Stored) -> None:
        await self.listed(file, X)
        await file.save(page(X, A))

        assert states(path)[A] == ("skipped", "depth")

    async def test_a_link_gives_it_a_depth_and_passes_it_on(self, path: Path, file: Stored) -> None:
        await self.listed(file, X)
        await file.save(page(X, A))
        await file.save(redirect(SEED, X))

        assert (depths(path)[X], depths(path)[A]) == (0, 1)
        assert states(path)[A] == ("pending", None)

    async def test_a_sitemap_lifts_depth_and_nofollow(self, path: Path, file: Stored) -> None:
        await file.save(nofollow(SEED, B, A))
        await file.save(page(A, X))
        assert [states(path)[one][1] for one in (B, X)] == ["nofollow", "depth"]

        saved = await self.listed(file, B, X, A)

        assert [states(path)[one] for one in (B, X)] == [("pending", None)] * 2
        assert (saved.pending, depths(path)[X]) == (2, 2)

    async def test_the_scope_holds_for_it(self, path: Path, file: Stored) -> None:
        await self.listed(file, "http://other/")

        assert states(path)["http://other/"] == ("skipped", "scope")

    async def test_a_page_and_a_sitemap_of_one_url_are_two_things(self, path: Path, file: Stored) -> None:
        sitemap = f"{SEED}sitemap.xml"
        await file.save(page(SEED, sitemap))

        found = await file.run.frontier.pending("h", limit=9)

        assert sorted((one.url, one.kind) for one in found) == [(sitemap, "page"), (sitemap, "sitemap")]
        await file.save(page(sitemap))
        await self.listed(file)
        assert await file.pending() == []


class TestMovingSeed:
    """The crawl moves house with its seed: where a seed redirects to is in scope from then on."""

    NEW = "http://new.example/"

    async def test_where_a_seed_redirects_to_is_in_scope(self, path: Path, file: Stored) -> None:
        await file.save(redirect(SEED, self.NEW))
        await file.save(page(self.NEW, f"{self.NEW}a", A, "http://other/"))

        assert depths(path)[self.NEW] == 0
        assert [states(path)[one][0] for one in (f"{self.NEW}a", A, "http://other/")] == ["pending"] * 2 + [
            "skipped"
        ]

    async def test_urls_that_the_scope_had_kept_out_there_are_admitted(self, path: Path) -> None:
        async with stored(path, SEED, D, kind="host") as file:
            await file.save(page(SEED, f"{self.NEW}a", f"{self.NEW}b", "http://other/"))
            assert states(path)[f"{self.NEW}a"] == ("skipped", "scope")

            saved = await file.save(redirect(D, self.NEW))

            assert saved == Saved(grown=frozenset({"new.example"}), pending=3, skipped=-2)
        assert states(path)["http://other/"] == ("skipped", "scope")

    async def test_other_hosts_of_the_new_domain_are_in_scope(self, path: Path) -> None:
        """Or it would depend on what was found first."""
        async with stored(path, SEED, D, kind="domain") as file:
            await file.save(page(SEED, "http://shop.new.example/"))
            await file.save(redirect(D, self.NEW))
            await file.save(page(self.NEW, "http://blog.new.example/"))

        assert states(path)["http://blog.new.example/"] == ("pending", None)
        assert states(path)["http://shop.new.example/"] == ("pending", None)

    async def test_a_sitemap_that_the_scope_had_kept_out_there_is_admitted(
        self, path: Path, file: Stored
    ) -> None:
        """The new home's robots.txt may be read before the seed, for a resource: it proves nothing yet."""
        sitemap = url(f"{self.NEW}sitemap.xml")
        of = RobotsTask(origin="http://new.example", host="new.example")
        elsewhere = url("http://cdn.example/sitemap.xml")
        await file.save(RobotsAnswer(task=of, fetched_at=START, status=200, sitemaps=[sitemap, elsewhere]))
        assert await file.pending("new.example") == []

        await file.save(redirect(SEED, self.NEW))

        assert sorted(await file.pending("new.example")) == [self.NEW, sitemap]

    @pytest.mark.parametrize("kind", ["host", "domain", "prefix"])
    async def test_what_lies_elsewhere_is_not_looked_at(
        self, path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
    ) -> None:
        """Of a list of a thousand seeds a thousand move, each among millions of URLs out of scope."""
        monkeypatch.setattr("penstock.storage.writing.url_table.CACHED_URLS", 1)
        async with stored(path, SEED, D, kind=kind) as file:
            await file.save(page(SEED, *(f"http://elsewhere.{n}/{m}" for n in range(10) for m in range(20))))
            await file.save(redirect(D, self.NEW))

            read = file.run.writer._target.urls._rows._previous  # by the last commit

            assert 0 < len(read) < 20

    async def test_the_next_run_knows(self, path: Path) -> None:
        async with stored(path, kind="host") as file:
            await file.save(redirect(SEED, self.NEW))
        async with stored(path, kind="host") as file:
            await file.save(page(self.NEW, f"{self.NEW}a"))

        assert states(path)[f"{self.NEW}a"] == ("pending", None)

    async def test_a_redirect_further_in_moves_nothing(self, path: Path, file: Stored) -> None:
        await file.save(page(SEED, A))
        await file.save(redirect(A, self.NEW))

        assert states(path)[self.NEW] == ("skipped", "scope")


class TestTraps:
    """Hops in a row along URLs of one shape: the least over all ways, counted from some depth on."""

    @pytest.fixture
    async def file(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stored]:
        monkeypatch.setattr("penstock.crawler.scheduler.discovery.RUNS_FROM", 1)
        async with stored(path, SEED, D, traps=Traps(shape_hops=2)) as opened:
            yield opened

    async def endless(self, file: Stored) -> None:
        numbers = [SEED, *(f"{SEED}{number}" for number in range(1, 5))]
        for source, target in pairwise(numbers):
            await file.save(page(source, target))

    async def test_too_long_a_run_is_a_trap(self, path: Path, file: Stored) -> None:
        await self.endless(file)

        assert states(path)[f"{SEED}3"] == ("done", None)
        assert states(path)[f"{SEED}4"] == ("skipped", "trap:shape")

    async def test_another_way_lifts_it(self, path: Path, file: Stored) -> None:
        await self.endless(file)

        await file.save(page(D, f"{SEED}4"))

        assert states(path)[f"{SEED}4"] == ("pending", None)

    async def test_another_way_lifts_a_trap_even_if_it_is_no_shorter(self, path: Path, file: Stored) -> None:
        await self.endless(file)
        for source, target in pairwise([D, A, B, C, f"{SEED}4"]):
            await file.save(page(source, target))

        assert (states(path)[f"{SEED}4"], depths(path)[f"{SEED}4"]) == (("pending", None), 4)


class TestCounting:
    async def test_a_url_that_is_new_and_let_in_by_the_same_commit_counts_once(self, path: Path) -> None:
        """First seen too deep, then near enough: one URL became pending."""
        async with stored(path, SEED, D, depth=1) as file:
            await file.save(page(SEED, A))

            saved = await file.save(page(A, X), page(D, X))

        assert saved == Saved(grown=frozenset({"h"}), pending=1)

    async def test_links_are_recorded_wherever_they_lead(self, path: Path, file: Stored) -> None:
        found = [Link(url(A), "text", "a b", True), Link(url("http://other/"), "", "", False)]
        await file.save(Done(task=task(SEED), answer=answer(), content=Content(links=Links.of(found))))

        query = "SELECT target, text, rel, followed FROM links ORDER BY 1"
        assert rows(path, query) == [(A, "text", "a b", 1), ("http://other/", "", "", 0)]

    async def test_links_of_a_page_with_very_many_are_recorded(self, path: Path, file: Stored) -> None:
        """They are noted a part at a time."""
        last = CHUNK_SIZE + 4
        found = [Link(url(f"{SEED}{n:05}"), f"{n}", "", True) for n in range(last)]
        found += [Link(url(A), "", "next", True), Link(url(B), "B", "", False)]
        await file.save(Done(task=task(SEED), answer=answer(), content=Content(links=Links.of(found))))

        query = (
            "SELECT target, text, rel, followed FROM links WHERE text = :at OR text IN ('', 'B') ORDER BY 1"
        )
        marked = [(A, "", "next", 1), (B, "B", "", 0)]
        for at in (0, CHUNK_SIZE - 1, CHUNK_SIZE, last - 1):
            known = rows(path, query.replace(":at", f"'{at}'"))
            assert known == [(f"{SEED}{at:05}", str(at), "", 1), *marked]

    async def test_a_filter_that_knows_nothing_changes_nothing(self, path: Path) -> None:
        """Every answer "maybe" is settled by the table; only time is lost."""
        seen = AlwaysMaybe()
        async with stored(path, seen=seen) as file:
            await file.save(page(SEED, A, B))
            await file.save(page(A, B, C))

        assert depths(path) == {SEED: 0, A: 1, B: 1, C: 2}
        assert seen.false_hits == 4
