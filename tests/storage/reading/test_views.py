"""The views: what a person finds in the database. Each test fills a file with known rows."""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock.storage.reading.crawl_status import load_totals
from penstock.storage.reading.reports import REPORTS, TABLES
from tests.support.database_rows import SITE, CrawlFile, large_crawl

HOME = f"{SITE}/"
SECONDS_FOR_A_VIEW = 5.0  # with 100,000 links; they take a tenth of that, a join of every pair takes hours


@pytest.fixture
def crawl(tmp_path: Path) -> Iterator[CrawlFile]:
    with CrawlFile(tmp_path / "crawl.db") as file:
        file.crawl()
        yield file


def rows(crawl: CrawlFile, sql: str) -> list[tuple[Any, ...]]:
    return crawl.db.execute(sql).fetchall()


class TestUrls:
    def test_states_have_names_and_waiting_is_pending(self, crawl: CrawlFile) -> None:
        """Whether a URL waits for its first or for its next request is no other state."""
        for path, state in (
            ("a", "pending"),
            ("b", "waiting"),
            ("c", "done"),
            ("d", "failed"),
            ("e", "skipped"),
        ):
            crawl.url(f"{SITE}/{path}", state)

        found = [state for (state,) in rows(crawl, "SELECT state FROM urls ORDER BY url")]

        assert found == ["pending", "pending", "done", "failed", "skipped"]

    def test_url_and_host_keep_scheme_and_port(self, crawl: CrawlFile) -> None:
        crawl.url("http://site.example:8080/a?b=1", "skipped", reason="scope")

        [found] = rows(crawl, "SELECT url, host, reason FROM urls")

        assert found == ("http://site.example:8080/a?b=1", "site.example:8080", "scope")

    def test_retry_time_is_iso_utc(self, crawl: CrawlFile) -> None:
        crawl.url(HOME, "waiting", retry_at=1_795_172_006.5)

        assert rows(crawl, "SELECT retry_at FROM urls") == [("2026-11-20T10:53:26.500Z",)]


class TestDiscoveredFrom:
    """Of the parents at the least distance, the one whose URL sorts first."""

    def origin(self, crawl: CrawlFile, url: str) -> object:
        found = crawl.db.execute("SELECT discovered_from FROM urls WHERE url = ?", (url,)).fetchone()
        return found[0]

    def test_a_seed_has_no_discovered_from_even_if_another_seed_redirects_to_it(
        self, crawl: CrawlFile
    ) -> None:
        crawl.redirect(f"{SITE}/a", f"{SITE}/b", depth=0, seed=True)
        crawl.page(f"{SITE}/b", depth=0, seed=True)

        assert self.origin(crawl, f"{SITE}/b") is None

    def test_discovered_from_is_the_parent_whose_url_sorts_first_in_any_order_of_arrival(
        self, crawl: CrawlFile
    ) -> None:
        """So it does not depend on the order of arrival."""
        crawl.page(f"{SITE}/b")
        crawl.page(f"{SITE}/a")
        crawl.url(f"{SITE}/target", depth=2)
        crawl.link(f"{SITE}/b", f"{SITE}/target")
        crawl.link(f"{SITE}/a", f"{SITE}/target")

        assert self.origin(crawl, f"{SITE}/target") == f"{SITE}/a"

    def test_parents_are_compared_by_their_whole_url_scheme_first(self, crawl: CrawlFile) -> None:
        crawl.page("https://a.example/", depth=1)
        crawl.page("http://z.example/", depth=1)
        crawl.url(f"{SITE}/target", depth=2)
        crawl.link("https://a.example/", f"{SITE}/target")
        crawl.link("http://z.example/", f"{SITE}/target")

        assert self.origin(crawl, f"{SITE}/target") == "http://z.example/"

    def test_a_parent_further_away_does_not_count(self, crawl: CrawlFile) -> None:
        crawl.page(f"{SITE}/a", depth=2)
        crawl.page(f"{SITE}/b", depth=1)
        crawl.url(f"{SITE}/target", depth=2)
        crawl.link(f"{SITE}/a", f"{SITE}/target")
        crawl.link(f"{SITE}/b", f"{SITE}/target")

        assert self.origin(crawl, f"{SITE}/target") == f"{SITE}/b"

    def test_a_redirect_at_the_same_depth_is_a_parent(self, crawl: CrawlFile) -> None:
        crawl.redirect(f"{SITE}/old", f"{SITE}/new", depth=1)
        crawl.url(f"{SITE}/new", depth=1)

        assert self.origin(crawl, f"{SITE}/new") == f"{SITE}/old"

    def test_links_and_redirects_compete_by_url(self, crawl: CrawlFile) -> None:
        crawl.redirect(f"{SITE}/a", f"{SITE}/target", depth=2)
        crawl.page(f"{SITE}/b", depth=1)
        crawl.url(f"{SITE}/target", depth=2)
        crawl.link(f"{SITE}/b", f"{SITE}/target")

        assert self.origin(crawl, f"{SITE}/target") == f"{SITE}/a"

    def test_a_redirect_to_itself_is_no_parent(self, crawl: CrawlFile) -> None:
        crawl.page(f"{SITE}/z", depth=0, seed=True)
        crawl.redirect(f"{SITE}/a", f"{SITE}/a", depth=1)
        crawl.link(f"{SITE}/z", f"{SITE}/a")

        assert self.origin(crawl, f"{SITE}/a") == f"{SITE}/z"

    def test_a_redirect_from_further_away_does_not_count(self, crawl: CrawlFile) -> None:
        crawl.page(f"{SITE}/z", depth=0, seed=True)
        crawl.redirect(f"{SITE}/a", f"{SITE}/target", depth=5)
        crawl.url(f"{SITE}/target", depth=1)
        crawl.link(f"{SITE}/z", f"{SITE}/target")

        assert self.origin(crawl, f"{SITE}/target") == f"{SITE}/z"

    def test_nofollow_links_count_only_where_nothing_else_leads_there(self, crawl: CrawlFile) -> None:
        crawl.page(f"{SITE}/a")
        crawl.page(f"{SITE}/b")
        crawl.url(f"{SITE}/followed", depth=2)
        crawl.url(f"{SITE}/only", "skipped", depth=2, reason="nofollow", followed=False)
        crawl.link(f"{SITE}/a", f"{SITE}/followed", followed=False)
        crawl.link(f"{SITE}/b", f"{SITE}/followed")
        crawl.link(f"{SITE}/a", f"{SITE}/only", followed=False)

        assert self.origin(crawl, f"{SITE}/followed") == f"{SITE}/b"
        assert self.origin(crawl, f"{SITE}/only") == f"{SITE}/a"


class TestPages:
    def test_a_row_of_pages_has_every_column_of_the_contract(self, crawl: CrawlFile) -> None:
        crawl.page(HOME, depth=0, seed=True, title="", body=b"hello", elapsed_ms=7)

        [found] = rows(
            crawl,
            "SELECT url, status, depth, title, content_type, body_bytes, elapsed_ms, fetched_at, "
            "content_hash, redirect_to, error, attempts, host FROM pages",
        )

        digest = hashlib.sha256(b"hello").hexdigest()
        moment = "2026-11-20T10:53:26.123Z"
        assert found == (HOME, 200, 0, "", "text/html", 5, 7, moment, digest, None, None, 1, "site.example")

    def test_a_page_without_a_body_has_no_content_hash(self, crawl: CrawlFile) -> None:
        """hex(NULL) is '' in SQLite, and '' is not NULL."""
        crawl.page(HOME, body=None)

        assert rows(crawl, "SELECT content_hash, body_bytes FROM pages") == [(None, None)]

    def test_redirect_to_is_a_url_whether_the_target_has_a_row_or_not(self, crawl: CrawlFile) -> None:
        crawl.redirect(f"{SITE}/a", f"{SITE}/b")
        crawl.page(f"{SITE}/c", status=302, redirect_text="mailto:me@site.example")

        found = rows(crawl, "SELECT redirect_to FROM pages ORDER BY url")

        assert found == [(f"{SITE}/b",), ("mailto:me@site.example",)]

    def test_pages_shows_the_newest_generation(self, crawl: CrawlFile) -> None:
        number = crawl.page(HOME, title="old", generation=1)
        crawl.db.execute(
            "INSERT INTO fetch (url_id, generation, status, title) VALUES (?, 2, 200, 'new')", (number,)
        )

        assert rows(crawl, "SELECT title FROM pages") == [("new",)]

    def test_a_url_that_was_not_requested_is_not_in_pages(self, crawl: CrawlFile) -> None:
        crawl.url(HOME, "skipped", reason="robots")

        assert rows(crawl, "SELECT * FROM pages") == []


class TestLinks:
    def test_a_link_without_text_or_rel_has_empty_strings_not_null(self, crawl: CrawlFile) -> None:
        """So that an equal crawl is equal however it stores them."""
        crawl.page(HOME)
        crawl.link(HOME, f"{SITE}/a")
        crawl.link(HOME, f"{SITE}/b", "B", rel="nofollow ugc", followed=False)

        found = rows(crawl, "SELECT source, target, text, rel, followed FROM links ORDER BY target")

        assert found == [(HOME, f"{SITE}/a", "", "", 1), (HOME, f"{SITE}/b", "B", "nofollow ugc", 0)]

    def test_links_has_no_row_but_the_stored_links(self, crawl: CrawlFile) -> None:
        """The view has a second arm without rows; see the head of its file."""
        assert rows(crawl, "SELECT count(*) FROM links") == [(0,)]


class TestReports:
    @pytest.mark.parametrize(
        ("reason", "status", "is_broken"),
        [
            ("http_404", 404, True),
            ("http_410", 410, True),
            ("http_500", 500, True),
            ("dns", None, True),
            ("timeout_connect", None, True),
            ("reset", 200, True),
            ("tls", None, True),
            ("tls:self_signed", None, True),
            ("proxy:refused", None, False),
            ("http_403", 403, False),
            ("http_429", 429, False),
            ("robots_unreachable", None, False),
            ("internal:KeyError", None, False),
            ("retry_after_too_long", 503, False),
            ("too_large", 200, False),
        ],
    )
    def test_broken_links_holds_targets_that_do_not_answer_and_none_that_refuse(
        self, crawl: CrawlFile, reason: str, status: int | None, is_broken: bool
    ) -> None:
        crawl.page(HOME, depth=0)
        crawl.page(f"{SITE}/x", status=status, error=reason)
        crawl.link(HOME, f"{SITE}/x", "a link")

        found = rows(crawl, "SELECT source, target, status, reason, text FROM broken_links")

        assert found == ([(HOME, f"{SITE}/x", status, reason, "a link")] if is_broken else [])

    def test_a_broken_target_is_shown_with_every_page_that_links_to_it(self, crawl: CrawlFile) -> None:
        crawl.page(f"{SITE}/x", status=404, error="http_404")
        for path, text in (("b", "second"), ("a", "first")):
            crawl.page(f"{SITE}/{path}")
            crawl.link(f"{SITE}/{path}", f"{SITE}/x", text)

        found = rows(crawl, "SELECT source, text FROM broken_links")

        assert found == [(f"{SITE}/a", "first"), (f"{SITE}/b", "second")]

    def test_broken_targets_are_grouped_with_their_nearest_pages(self, crawl: CrawlFile) -> None:
        """A link in a footer is on every page, and is repaired once."""
        crawl.page(f"{SITE}/footer", status=404, error="http_404")
        crawl.page(f"{SITE}/once", status=None, error="dns")
        crawl.page(f"{SITE}/unlinked", status=500, error="http_500")
        for number in range(5):
            crawl.page(f"{SITE}/{number}", depth=5 - number)
            crawl.link(f"{SITE}/{number}", f"{SITE}/footer")
        crawl.link(f"{SITE}/3", f"{SITE}/once")

        assert rows(crawl, "SELECT * FROM broken_targets") == [
            (f"{SITE}/footer", 404, "http_404", 5, f"{SITE}/4", f"{SITE}/3 {SITE}/2"),
            (f"{SITE}/once", None, "dns", 1, f"{SITE}/3", None),
        ]

    def test_redirects_show_the_state_of_their_targets(self, crawl: CrawlFile) -> None:
        crawl.redirect(f"{SITE}/a", f"{SITE}/gone", status=301)
        crawl.page(f"{SITE}/gone", status=404, error="http_404")
        crawl.redirect(f"{SITE}/b", "https://other.example/", status=302)
        crawl.url("https://other.example/", "skipped", reason="scope")
        crawl.page(f"{SITE}/c", status=301, error="redirect_invalid")
        crawl.page(f"{SITE}/d", status=307, redirect_text="ftp://site.example/")

        found = rows(
            crawl, "SELECT url, status, target, target_state, target_reason, target_status FROM redirects"
        )

        assert found == [
            (f"{SITE}/a", 301, f"{SITE}/gone", "failed", "http_404", 404),
            (f"{SITE}/b", 302, "https://other.example/", "skipped", "scope", None),
            (f"{SITE}/c", 301, None, None, None, None),
            (f"{SITE}/d", 307, "ftp://site.example/", None, None, None),
        ]

    def test_skipped_and_failed_show_reason_and_origin(self, crawl: CrawlFile) -> None:
        crawl.page(HOME, depth=0, seed=True)
        crawl.url("https://other.example/", "skipped", reason="scope")
        crawl.page(f"{SITE}/x", status=500, error="http_500")
        crawl.link(HOME, "https://other.example/")
        crawl.link(HOME, f"{SITE}/x")

        assert rows(crawl, "SELECT * FROM skipped") == [("https://other.example/", "scope", 1, HOME)]
        assert rows(crawl, "SELECT * FROM failed") == [(f"{SITE}/x", "http_500", 500, 1, 1, HOME)]

    def test_duplicates_are_good_pages_with_one_body(self, crawl: CrawlFile) -> None:
        for path in ("b", "a"):
            crawl.page(f"{SITE}/{path}", body=b"same")
        crawl.page(f"{SITE}/c", body=b"other")
        crawl.page(f"{SITE}/d", body=b"same", status=200, error="truncated")

        found = rows(crawl, "SELECT content_hash, copies, url FROM duplicates")

        digest = hashlib.sha256(b"same").hexdigest()
        assert found == [(digest, 2, f"{SITE}/a"), (digest, 2, f"{SITE}/b")]

    def test_counts_of_hosts_and_depths_add_up(self, crawl: CrawlFile) -> None:
        crawl.page(HOME, depth=0, seed=True, body=b"four", elapsed_ms=10)
        crawl.page(f"{SITE}/x", status=404, error="http_404", elapsed_ms=20)
        crawl.url(f"{SITE}/p", "pending")
        crawl.url(f"{SITE}/w", "waiting")
        crawl.url("https://other.example/", "skipped", reason="scope")

        assert rows(crawl, "SELECT * FROM hosts") == [
            ("site.example", 4, 2, 1, 1, 0, 1, 4, 15),
            ("other.example", 1, 0, 0, 0, 1, 0, 0, None),
        ]
        assert rows(crawl, "SELECT * FROM depths") == [(0, 1, 0, 1, 0, 0, 1), (1, 4, 2, 0, 1, 1, 0)]

    def test_status_codes_count_every_answer(self, crawl: CrawlFile) -> None:
        crawl.page(f"{SITE}/a")
        crawl.page(f"{SITE}/b")
        crawl.page(f"{SITE}/c", status=404, error="http_404")
        crawl.page(f"{SITE}/d", status=None, error="dns")

        assert rows(crawl, "SELECT * FROM status_codes") == [
            (None, "dns", 1),
            (200, None, 2),
            (404, "http_404", 1),
        ]

    def test_an_orphan_has_no_link_or_redirect_to_it_but_from_itself(self, crawl: CrawlFile) -> None:
        crawl.page(HOME, depth=0, seed=True)
        crawl.page(f"{SITE}/linked")
        crawl.page(f"{SITE}/redirected")
        crawl.page(f"{SITE}/lost")
        crawl.page(f"{SITE}/broken", status=404, error="http_404")
        crawl.link(HOME, f"{SITE}/linked")
        crawl.redirect(f"{SITE}/old", f"{SITE}/redirected")
        crawl.link(f"{SITE}/lost", f"{SITE}/lost")

        assert rows(crawl, "SELECT url FROM orphans") == [(f"{SITE}/lost",)]


class TestRedirectChains:
    QUERY = "SELECT url, hops, final_url, final_status, result, via FROM redirect_chains"

    def test_a_chain_is_one_row_from_its_first_url_to_its_end(self, crawl: CrawlFile) -> None:
        for source, target in (("a", "b"), ("b", "c"), ("c", "end")):
            crawl.redirect(f"{SITE}/{source}", f"{SITE}/{target}")
        crawl.page(f"{SITE}/end", status=404, error="http_404")

        found = rows(crawl, self.QUERY)

        assert found == [(f"{SITE}/a", 3, f"{SITE}/end", 404, "failed", f"{SITE}/b {SITE}/c")]

    def test_a_single_redirect_is_no_chain(self, crawl: CrawlFile) -> None:
        crawl.redirect(f"{SITE}/a", f"{SITE}/end")

        assert rows(crawl, self.QUERY) == []

    def test_a_redirect_loop_is_one_row_with_the_result_loop(self, crawl: CrawlFile) -> None:
        for source, target in (("a", "b"), ("b", "c"), ("c", "a")):
            crawl.redirect(f"{SITE}/{source}", f"{SITE}/{target}")

        found = rows(crawl, self.QUERY)

        assert found == [(f"{SITE}/a", 3, f"{SITE}/a", 301, "loop", f"{SITE}/b {SITE}/c")]

    def test_a_url_that_redirects_to_itself_is_a_loop(self, crawl: CrawlFile) -> None:
        crawl.redirect(f"{SITE}/a", f"{SITE}/a")

        assert rows(crawl, self.QUERY) == [(f"{SITE}/a", 1, f"{SITE}/a", 301, "loop", "")]

    def test_a_chain_into_a_loop_ends_where_the_loop_closes(self, crawl: CrawlFile) -> None:
        for source, target in (("in", "a"), ("a", "b"), ("b", "a")):
            crawl.redirect(f"{SITE}/{source}", f"{SITE}/{target}")

        found = rows(crawl, "SELECT url, hops, final_url, result FROM redirect_chains")

        assert (f"{SITE}/in", 3, f"{SITE}/a", "loop") in found

    def test_a_chain_may_end_at_a_url_without_a_row(self, crawl: CrawlFile) -> None:
        crawl.redirect(f"{SITE}/a", f"{SITE}/b")
        crawl.page(f"{SITE}/b", status=302, redirect_text="mailto:me@site.example")

        found = rows(crawl, self.QUERY)

        assert found == [(f"{SITE}/a", 2, "mailto:me@site.example", None, None, f"{SITE}/b")]

    def test_a_chain_without_end_is_cut(self, crawl: CrawlFile) -> None:
        """The walk is bounded, or a hostile site would make the report take for ever."""
        for n in range(300):
            crawl.redirect(f"{SITE}/{n}", f"{SITE}/{n + 1}")

        found = rows(crawl, f"SELECT hops FROM redirect_chains WHERE url = '{SITE}/0'")

        assert found == [(100,)]


class TestTotals:
    def test_totals_agree_with_the_views_and_the_runs(self, crawl: CrawlFile) -> None:
        crawl.page(HOME, depth=0, seed=True)
        crawl.page(f"{SITE}/x", status=None, error="internal:KeyError")
        crawl.url(f"{SITE}/p", "pending")
        crawl.url(f"{SITE}/w", "waiting")
        crawl.url("https://other.example/", "skipped", reason="scope")
        crawl.run(pages=1)
        crawl.run(pages=2, ended=None)

        found = load_totals(crawl.db)

        assert found.states == {"pending": 2, "done": 1, "failed": 1, "skipped": 1}
        assert (found.pages, found.internal_failures) == (1, 1)
        assert (found.requests, found.bytes, found.retries, found.robots_requests) == (5, 3072, 2, 4)

    def test_a_file_without_a_crawl_has_zero_of_everything(self, tmp_path: Path) -> None:
        with CrawlFile(tmp_path / "new.db") as file:
            assert sum(load_totals(file.db).states.values()) == 0


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    path = tmp_path_factory.mktemp("large") / "crawl.db"
    large_crawl(path, pages=1000, links_per_page=100)
    db = sqlite3.connect(path)
    yield db
    db.close()


class TestSpeed:
    """A naive plan of these takes minutes to hours; what is tested is the plan, not the machine."""

    @pytest.mark.parametrize("view", [*TABLES, *REPORTS])
    def test_every_view_is_read_within_seconds(self, large: sqlite3.Connection, view: str) -> None:
        self.took(large, f"SELECT * FROM {view}")

    @pytest.mark.parametrize(
        "sql",
        [
            "SELECT count(*) FROM links JOIN pages ON pages.url = links.target WHERE pages.status = 404",
            "SELECT count(*) FROM pages AS p JOIN links ON p.url = source JOIN pages AS q ON q.url = target",
            "SELECT count(*) FROM urls WHERE NOT EXISTS (SELECT 1 FROM links WHERE links.target = urls.url)",
            "SELECT url, (SELECT count(*) FROM links WHERE links.target = pages.url) FROM pages",
            "SELECT count(*) FROM links LEFT JOIN urls ON urls.url = links.target WHERE urls.url IS NULL",
            "SELECT count(*) FROM pages JOIN urls USING (url)",
        ],
    )
    def test_a_join_on_url_text_does_not_compare_every_pair(
        self, large: sqlite3.Connection, sql: str
    ) -> None:
        self.took(large, sql)

    @pytest.mark.parametrize("view", ["pages", "urls"])
    def test_a_view_is_found_by_its_url_in_a_join(self, large: sqlite3.Connection, view: str) -> None:
        sql = f"SELECT 1 FROM pages JOIN {view} AS target ON target.url = pages.redirect_to"

        plan = large.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall()

        assert any("AUTOMATIC" in step[-1] for step in plan), plan

    def test_discovered_from_costs_nothing_where_it_is_not_asked_for(self, large: sqlite3.Connection) -> None:
        plan = large.execute("EXPLAIN QUERY PLAN SELECT url, state FROM urls").fetchall()

        assert not any("link" in step[-1] for step in plan)

    def took(self, db: sqlite3.Connection, sql: str) -> None:
        """Run it, but give up in time."""
        end = time.monotonic() + SECONDS_FOR_A_VIEW
        db.set_progress_handler(lambda: time.monotonic() > end, 100_000)
        for _ in db.execute(sql):
            pass
