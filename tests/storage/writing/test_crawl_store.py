"""One crawl's file: created once, resumed by its own options only, and brought under those of each run."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from penstock.crawler.errors import BadDatabase
from penstock.crawler.messages import Dead, RetryAt, Skipped
from penstock.crawler.scheduler.seen import SeenFilter
from penstock.storage.writing import statements as sql
from penstock.storage.writing.crawl_store import CrawlStore
from tests.support.fakes import START, done, task
from tests.support.open_store import SEED, Stored, admission, depths, rows, settings, states, stored

A, B, C, D = (f"{SEED}{name}" for name in "abcd")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "crawl.db"


async def chain(file: Stored, *names: str) -> None:
    """Store each page with a link to the next; the last is only linked to."""
    for depth, (source, target) in enumerate(pairwise(names)):
        await file.save(done(task(source, depth=depth), target))


class TestCreating:
    async def test_the_seeds_are_pending_at_depth_zero(self, path: Path) -> None:
        async with stored(path, SEED, "https://other/x") as file:
            assert not file.store.resumed

        assert states(path) == {SEED: ("pending", None), "https://other/x": ("pending", None)}
        assert set(depths(path).values()) == {0}
        assert rows(path, "SELECT discovered_from FROM urls") == [(None,), (None,)]

    async def test_seeds_are_exempt_from_every_rule(self, path: Path) -> None:
        """The operator said so, whatever scope and patterns say."""
        async with stored(path, SEED, kind="prefix", depth=0) as file:
            await file.save(done(task(SEED), A))

        assert states(path) == {SEED: ("done", None), A: ("skipped", "depth")}

    async def test_each_run_is_a_row(self, path: Path) -> None:
        async with stored(path, end="sigint") as file:
            first = file.run.id
        async with stored(path, end="finished") as file:
            second = file.run.id

        found = rows(path, "SELECT id, stop_reason, config, finished_at >= started_at FROM runs")
        assert found == [
            (first, "sigint", '{"seeds": ["http://h/"]}', 1),
            (second, "finished", '{"seeds": ["http://h/"]}', 1),
        ]

    async def test_a_run_that_was_killed_has_no_end(self, path: Path) -> None:
        async with stored(path, end=None):
            pass

        assert rows(path, "SELECT finished_at, stop_reason FROM runs") == [(None, None)]

    async def test_a_start_that_fails_leaves_no_half_crawl(self, path: Path) -> None:
        store = await CrawlStore.open(path, settings(SEED))
        broken = replace(settings(SEED), public={"no": object()})
        try:
            with pytest.raises(TypeError):
                await store.begin(broken, admission(SEED), SeenFilter(), max_batch=1)
        finally:
            await store.close()

        assert [rows(path, f"SELECT count(*) FROM {table}") for table in ("crawl", "url", "runs")] == [
            [(0,)]
        ] * 3


class TestIdentity:
    @pytest.mark.parametrize(
        ("first", "second", "named"),
        [
            ({}, {"scope": "any"}, "scope"),
            ({"include": ["a"]}, {"include": ["b"]}, "include"),
            ({"url_rules": 1}, {"url_rules": 2}, "url_rules"),
            ({"scope": "host", "exclude": []}, {"scope": "any", "exclude": ["x"]}, "scope, exclude"),
        ],
    )
    async def test_another_crawl_is_refused_with_the_way_out(
        self, path: Path, first: dict[str, Any], second: dict[str, Any], named: str
    ) -> None:
        for expected, identity in ((None, first), (named, second), (None, first)):
            chosen = settings(SEED, **identity)
            if expected is not None:
                with pytest.raises(BadDatabase, match=f"its {named} differ.*choose another --db"):
                    await CrawlStore.open(path, chosen)
                continue
            store = await CrawlStore.open(path, chosen)
            await store.begin(chosen, admission(SEED), SeenFilter(), max_batch=1)
            await store.close()

    async def test_other_seeds_are_another_crawl(self, path: Path) -> None:
        async with stored(path, SEED):
            pass

        with pytest.raises(BadDatabase, match="seeds differ"):
            await CrawlStore.open(path, settings(SEED, A))
        assert not path.with_name("crawl.db-lock").exists()

    @pytest.mark.parametrize("text", ["", "{", "[]", "7"])
    @pytest.mark.parametrize(("table", "column"), [("crawl", "identity"), ("runs", "config")])
    async def test_one_that_cannot_be_read_is_refused_and_the_file_let_go(
        self, path: Path, table: str, column: str, text: str
    ) -> None:
        """A connection that stays open would keep the process from ending."""
        async with stored(path, SEED):
            pass
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(f"UPDATE {table} SET {column} = ?", (text,))
            connection.commit()

        with pytest.raises(BadDatabase, match="is damaged"):
            await CrawlStore.open(path, settings(SEED))
        assert not path.with_name("crawl.db-lock").exists()

    async def test_the_same_seeds_in_another_order_are_the_same(self, path: Path) -> None:
        async with stored(path, SEED, A):
            pass
        async with stored(path, A, SEED) as file:
            assert file.store.resumed


class TestResuming:
    async def test_a_second_run_continues_where_the_first_stopped(self, path: Path) -> None:
        async with stored(path, end=None) as file:
            await file.save(done(task(SEED), A, B))
        async with stored(path) as file:
            assert (file.store.resumed, file.store.known_urls) == (True, 3)
            assert await file.pending() == [A, B]
            await file.save(done(task(A, depth=1), B, C))

        assert states(path) == {
            SEED: ("done", None),
            A: ("done", None),
            B: ("pending", None),
            C: ("pending", None),
        }
        assert rows(path, "PRAGMA foreign_key_check") == []

    async def test_waiting_retries_keep_their_time_and_their_attempts(self, path: Path) -> None:
        async with stored(path) as file:
            await file.save(RetryAt(task=task(SEED), at=START, reason="timeout"))
        async with stored(path) as file:
            [found] = await file.run.frontier.due(now=START, limit=9)

        assert found.attempts == 1

    async def test_totals_are_of_all_runs(self, path: Path) -> None:
        async with stored(path) as file:
            await file.save(done(task(SEED), A, B, C, body_bytes=10, content_hash=b"#"))
            await file.save(Dead(task=task(A), reason="internal:KeyError"))
        async with stored(path) as file:
            await file.save(Skipped(task=task(B), reason="robots"))
            await file.save(RetryAt(task=task(C), at=START, reason="timeout"))
            totals = await file.store.totals()

        assert totals.states == {"pending": 1, "done": 1, "failed": 1, "skipped": 1}
        assert (totals.requests, totals.pages, totals.bytes, totals.retries) == (3, 1, 10, 1)
        assert totals.internal_failures == 1

    async def test_counting_sorts_nothing(self, path: Path) -> None:
        """A run counts before its first fetch: sorted, a million URLs took it a second and 60 MiB."""
        async with stored(path) as file:
            await file.save(done(task(SEED)))

        plan = rows(path, f"EXPLAIN QUERY PLAN {sql.COUNT_STATES}")

        steps = [step[-1] for step in plan]
        assert "SCAN url" in steps
        assert not [step for step in steps if "B-TREE" in step]

    async def test_the_seen_set_is_filled_from_the_table(self, path: Path) -> None:
        async with stored(path) as file:
            await file.save(done(task(SEED), *(f"{SEED}{n}" for n in range(5_000))))
        seen = SeenFilter(loaded=False)
        async with stored(path, seen=seen):
            pass

        assert all(seen.probe(file) for file in [task(f"{SEED}{n}").url for n in range(0, 5_000, 50)])
        assert not seen.probe(task(f"{SEED}new").url)

    async def test_links_found_while_it_is_being_filled_are_neither_lost_nor_doubled(
        self, path: Path
    ) -> None:
        async with stored(path) as file:
            await file.save(done(task(SEED), A, B))
        chosen, seen = settings(SEED), SeenFilter(loaded=False)
        store = await CrawlStore.open(path, chosen)
        run = await store.begin(chosen, admission(SEED), seen, max_batch=1)
        run.writer.start()
        await run.writer.save(done(task(A, depth=1), B, C))
        await store.fill_seen(seen)
        await run.writer.save(done(task(B, depth=1), A, C, D))
        await store.close()

        assert depths(path) == {SEED: 0, A: 1, B: 1, C: 2, D: 2}


class TestDepth:
    async def test_a_larger_depth_lets_in_what_a_smaller_kept_out(self, path: Path) -> None:
        async with stored(path, depth=1) as file:
            await chain(file, SEED, A, B)
        assert states(path)[B] == ("skipped", "depth")

        async with stored(path, depth=2) as file:
            assert await file.pending() == [B]
            await file.save(done(task(B, depth=2), C))

        assert states(path)[C] == ("skipped", "depth")

    async def test_no_limit_lets_in_all(self, path: Path) -> None:
        async with stored(path, depth=1) as file:
            await chain(file, SEED, A, B)
        async with stored(path, depth=None):
            pass

        assert states(path)[B] == ("pending", None)

    async def test_a_smaller_depth_fetches_nothing_beyond_it_and_unstores_nothing(self, path: Path) -> None:
        async with stored(path, depth=3) as file:
            await chain(file, SEED, A, B, C)
        async with stored(path, depth=1) as file:
            assert await file.pending() == []

        assert states(path) == {
            SEED: ("done", None),
            A: ("done", None),
            B: ("done", None),
            C: ("skipped", "depth"),
        }

    async def test_a_smaller_depth_skips_urls_that_wait_for_a_retry(self, path: Path) -> None:
        async with stored(path, depth=2) as file:
            await chain(file, SEED, A, B)
            await file.save(RetryAt(task=task(B, depth=2), at=START, reason="timeout"))
        async with stored(path, depth=1) as file:
            assert await file.run.frontier.due(now=START, limit=9) == []

        assert states(path)[B] == ("skipped", "depth")

    async def test_smaller_and_larger_again_is_as_if_nothing_had_been(self, path: Path) -> None:
        for depth in (3, 1, 3):
            async with stored(path, depth=depth) as file:
                if depth == 3 and not file.store.resumed:
                    await chain(file, SEED, A, B)

        assert states(path)[B] == ("pending", None)

    async def test_other_rules_stay_when_the_depth_grows(self, path: Path) -> None:
        outside = "http://other/"
        async with stored(path, depth=1, kind="host") as file:
            await file.save(done(task(SEED), A, outside))
            await file.save(Skipped(task=task(A), reason="robots"))
        async with stored(path, depth=9, kind="host"):
            pass

        assert states(path)[outside] == ("skipped", "scope")
        assert states(path)[A] == ("skipped", "robots")


class TestRobots:
    async def robots_run(self, path: Path, *, robots: bool, depth: int | None = None) -> None:
        async with stored(path, robots=robots, depth=depth):
            pass

    async def forbidden(self, path: Path, *, depth: int | None = None) -> None:
        """A is skipped by robots.txt, B failed since there was no reaching it."""
        async with stored(path, depth=depth) as file:
            await file.save(done(task(SEED), A, B))
            await file.save(Skipped(task=task(A, depth=1), reason="robots"))
            await file.save(Dead(task=task(B, depth=1), reason="robots_unreachable", requested=False))

    async def test_without_robots_what_it_forbade_is_let_in(self, path: Path) -> None:
        await self.forbidden(path)
        await self.robots_run(path, robots=False)

        assert states(path) == {SEED: ("done", None), A: ("pending", None), B: ("pending", None)}

    async def test_with_robots_again_what_it_forbade_stays_out(self, path: Path) -> None:
        """What no answer forbade is asked for again: the robots.txt may be there now."""
        await self.forbidden(path)
        await self.robots_run(path, robots=True)

        assert states(path)[A] == ("skipped", "robots")
        assert states(path)[B] == ("pending", None)

    @pytest.mark.parametrize(
        "steps", [[(False, 0)], [(True, 0), (False, 0)], [(True, 0), (False, 0), (False, 0)]]
    )
    async def test_without_robots_the_depth_still_holds(
        self, path: Path, steps: list[tuple[bool, int]]
    ) -> None:
        """Whether it became smaller in the same run or in an earlier one."""
        await self.forbidden(path, depth=1)
        for robots, depth in steps:
            await self.robots_run(path, robots=robots, depth=depth)

        assert states(path)[A] == ("skipped", "depth")


class TestRetryFailed:
    async def failed(self, path: Path) -> None:
        async with stored(path, depth=1) as file:
            await file.save(done(task(SEED), A, B))
            await file.save(RetryAt(task=task(A, depth=1), at=START, reason="timeout"))
            await file.save(Dead(task=task(A, depth=1, attempt=2), reason="timeout"))

    async def test_what_failed_is_left_alone(self, path: Path) -> None:
        await self.failed(path)
        async with stored(path, depth=1) as file:
            assert await file.pending() == [B]

    async def test_unless_it_is_asked_for_then_it_starts_afresh(self, path: Path) -> None:
        """With all its attempts before it; those it had are still told."""
        await self.failed(path)
        async with stored(path, depth=1, retry_failed=True) as file:
            found = {one.url: one.attempts for one in await file.run.frontier.pending("h", limit=9)}

        assert found == {A: 0, B: 0}
        assert rows(path, f"SELECT attempts FROM urls WHERE url = '{A}'") == [(2,)]

    async def test_not_beyond_the_depth(self, path: Path) -> None:
        await self.failed(path)
        async with stored(path, depth=0, retry_failed=True) as file:
            assert await file.pending() == []

        assert states(path)[A] in [("failed", "timeout"), ("skipped", "depth")]


class TestSitemaps:
    NAMED = f"{SEED}sitemap.xml"

    async def kinds(self, file: Stored) -> list[tuple[str, str]]:
        return [(one.url, one.kind) for one in await file.run.frontier.pending("h", limit=9)]

    @pytest.mark.parametrize("runs", [[True], [True, True], [False, True], [True, False]])
    async def test_the_operator_may_name_one_in_any_run(self, path: Path, runs: list[bool]) -> None:
        for named in runs:
            async with stored(path, sitemaps=[self.NAMED] if named else []) as file:
                found = await self.kinds(file)

        assert found == [(SEED, "page"), (self.NAMED, "sitemap")]

    async def test_a_sitemap_named_by_the_operator_may_be_out_of_scope(self, path: Path) -> None:
        async with stored(path, kind="host", sitemaps=["http://cdn/sitemap.xml"]) as file:
            assert await file.pending("cdn") == ["http://cdn/sitemap.xml"]

    async def test_a_sitemap_is_no_url_of_the_crawl(self, path: Path) -> None:
        async with stored(path, sitemaps=[self.NAMED]) as file:
            totals = await file.store.totals()

        assert list(states(path)) == [SEED]
        assert totals.states["pending"] == 1


class TestClock:
    async def test_a_retry_that_is_further_ahead_than_any_wait_is_due_at_once(self, path: Path) -> None:
        """It was noted while the machine's clock was wrong."""
        async with stored(path) as file:
            await file.save(RetryAt(task=task(SEED), at=time.time() + 365 * 86_400, reason="timeout"))
        async with stored(path) as file:
            assert len(await file.run.frontier.due(now=time.time() + 1, limit=9)) == 1

    async def test_any_other_keeps_its_time(self, path: Path) -> None:
        at = time.time() + 60
        async with stored(path) as file:
            await file.save(RetryAt(task=task(SEED), at=at, reason="timeout"))
        async with stored(path) as file:
            assert await file.run.frontier.next_retry(after=0) == at


class TestClosing:
    async def test_a_store_may_be_closed_before_a_run_began(self, path: Path) -> None:
        store = await CrawlStore.open(path, settings(SEED))
        await store.close()

        async with stored(path) as file:
            assert not file.store.resumed

    async def test_an_open_crawl_can_be_read_by_others(self, path: Path) -> None:
        async with stored(path) as file:
            await file.save(done(task(SEED), A))
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as reader:
                assert reader.execute("SELECT count(*) FROM urls").fetchall() == [(2,)]
