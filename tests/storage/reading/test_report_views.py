"""The views of the auditors' reports. Each test fills a file with known rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.database_rows import SITE, CrawlFile

HOME = f"{SITE}/"


@pytest.fixture
def crawl(tmp_path: Path) -> Iterator[CrawlFile]:
    with CrawlFile(tmp_path / "crawl.db") as file:
        file.crawl()
        yield file


def rows(crawl: CrawlFile, sql: str) -> list[tuple[Any, ...]]:
    return crawl.db.execute(sql).fetchall()


def analysed(crawl: CrawlFile, url: str, **facts: object) -> None:
    values = {"url_id": crawl.number(url), "rank": 0.5, **facts}
    marks = ", ".join(f":{name}" for name in values)
    crawl.db.execute(f"INSERT INTO analysis ({', '.join(values)}) VALUES ({marks})", values)


class TestTitles:
    def test_missing_titles_holds_good_html_pages_with_no_or_an_empty_title(self, crawl: CrawlFile) -> None:
        crawl.page(f"{SITE}/none", title=None)
        crawl.page(f"{SITE}/empty", title="")
        crawl.page(f"{SITE}/titled")
        crawl.page(f"{SITE}/image", title=None, content_type="image/png")
        crawl.page(f"{SITE}/broken", title=None, status=404, error="http_404")

        assert rows(crawl, "SELECT url, title FROM missing_titles") == [
            (f"{SITE}/empty", ""),
            (f"{SITE}/none", None),
        ]

    def test_a_title_that_several_pages_have_is_shown_with_each(self, crawl: CrawlFile) -> None:
        for path in ("b", "a"):
            crawl.page(f"{SITE}/{path}", title="Same")
        crawl.page(f"{SITE}/c", title="Other")
        crawl.page(f"{SITE}/d", title="")
        crawl.page(f"{SITE}/e", title="")

        assert rows(crawl, "SELECT title, copies, url FROM duplicate_titles") == [
            ("Same", 2, f"{SITE}/a"),
            ("Same", 2, f"{SITE}/b"),
        ]


class TestCanonicalConflicts:
    QUERY = "SELECT url, canonical, problem, reason, leads_to FROM canonical_conflicts"

    @pytest.mark.parametrize("port", ["", ":8443"])
    def test_a_page_that_names_itself_or_a_good_page_is_no_canonical_conflict(
        self, crawl: CrawlFile, port: str
    ) -> None:
        site = f"{SITE}{port}"
        crawl.page(f"{site}/a", canonical=f"{site}/a")
        crawl.page(f"{site}/a?sort=1", canonical=f"{site}/a")
        crawl.page(f"{site}/b?sort=1", canonical=f"{site}/b")
        crawl.page(f"{site}/b")

        assert rows(crawl, self.QUERY) == []

    def test_the_state_of_the_canonical_url_is_the_problem(self, crawl: CrawlFile) -> None:
        crawl.page(f"{SITE}/gone", status=404, error="http_404")
        crawl.redirect(f"{SITE}/old", f"{SITE}/new")
        crawl.url(f"{SITE}/later", "pending")
        crawl.url("https://other.example/", "skipped", reason="scope")
        crawl.page(f"{SITE}/other", canonical=f"{SITE}/third")
        crawl.url(f"{SITE}/third")
        for n, named in enumerate(
            [
                f"{SITE}/gone",
                f"{SITE}/old",
                f"{SITE}/later",
                "https://other.example/",
                f"{SITE}/other",
                f"{SITE}/nowhere",
                "https://away.example/x",
                "http://site.example/gone",
            ]
        ):
            crawl.page(f"{SITE}/{n}", canonical=named)

        found = {row[0].removeprefix(f"{SITE}/"): row[2:] for row in rows(crawl, self.QUERY)}

        assert found == {
            "0": ("failed", "http_404", None),
            "1": ("redirects", None, f"{SITE}/new"),
            "2": ("pending", None, None),
            "3": ("skipped", "scope", None),
            "4": ("names_another", None, f"{SITE}/third"),
            "5": ("unknown", None, None),
            "6": ("elsewhere", None, None),
            "7": ("unknown", None, None),
        }


class TestSizes:
    def test_thin_pages_are_judged_by_words_if_they_were_counted_and_else_by_bytes(
        self, crawl: CrawlFile
    ) -> None:
        for path, size in (("few", 5000), ("many", 100), ("small", 2047), ("large", 2048)):
            crawl.page(f"{SITE}/{path}", body=b"x" * size)
        crawl.page(f"{SITE}/image", body=b"x", content_type="image/png")
        analysed(crawl, f"{SITE}/few", words=199)
        analysed(crawl, f"{SITE}/many", words=200)

        assert rows(crawl, "SELECT url, words, body_bytes FROM thin_pages") == [
            (f"{SITE}/small", None, 2047),
            (f"{SITE}/few", 199, 5000),
        ]

    def test_large_pages_and_deep_pages_begin_with_the_highest_value(self, crawl: CrawlFile) -> None:
        for path, size in (("a", 5), ("b", 500), ("c", 50)):
            crawl.page(f"{SITE}/{path}", body=b"x" * size, depth=size)
        crawl.page(f"{SITE}/none", body=None, status=404, error="http_404")

        assert rows(crawl, "SELECT body_bytes FROM large_pages") == [(500,), (50,), (5,)]
        assert rows(crawl, "SELECT depth FROM deep_pages") == [(500,), (50,), (5,)]

    def test_content_types_count_and_add_up(self, crawl: CrawlFile) -> None:
        crawl.page(f"{SITE}/a", body=b"four", elapsed_ms=10)
        crawl.page(f"{SITE}/b", body=b"four", elapsed_ms=20)
        crawl.page(f"{SITE}/c", body=b"x", elapsed_ms=5, content_type="image/png")
        crawl.page(f"{SITE}/d", status=404, error="http_404", elapsed_ms=7)

        assert sorted(rows(crawl, "SELECT * FROM content_types"), key=str) == [
            ("image/png", 1, 1, 1, 5),
            ("text/html", 2, 2, 8, 15),
            (None, 1, 0, None, 7),
        ]


class TestAnalysed:
    def test_near_duplicates_are_groups_whose_bodies_differ(self, crawl: CrawlFile) -> None:
        """Equal bodies alone are what `duplicates` is for."""
        for path, body in (("a", b"one"), ("b", b"two"), ("x", b"same"), ("y", b"same")):
            crawl.page(f"{SITE}/{path}", body=body)
        for path, first, distance in (("a", "a", 0), ("b", "a", 2), ("x", "x", 0), ("y", "x", 0)):
            like = crawl.number(f"{SITE}/{first}")
            analysed(crawl, f"{SITE}/{path}", words=30, simhash=1, alike=like, distance=distance)

        assert rows(crawl, "SELECT first, copies, url, distance FROM near_duplicates") == [
            (f"{SITE}/a", 2, f"{SITE}/a", 0),
            (f"{SITE}/a", 2, f"{SITE}/b", 2),
        ]

    def test_top_pages_begin_with_the_highest_rank(self, crawl: CrawlFile) -> None:
        for path, rank in (("a", 0.25), ("b", 0.75)):
            crawl.page(f"{SITE}/{path}")
            analysed(crawl, f"{SITE}/{path}", rank=rank)
        crawl.link(f"{SITE}/a", f"{SITE}/b")
        crawl.link(f"{SITE}/b", f"{SITE}/b")

        assert rows(crawl, "SELECT url, pagerank, inlinks FROM top_pages") == [
            (f"{SITE}/b", 0.75, 1),
            (f"{SITE}/a", 0.25, 0),
        ]
