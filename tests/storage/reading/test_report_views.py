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

    @pytest.mark.parametrize(
        ("times", "slow"),
        [
            ([], []),
            ([5000], []),  # nothing to compare it with
            ([10, 20, 199], []),  # below 0.2 s nothing is slow
            ([10, 20, 200], [200]),
            ([10] * 20 + [700, 900], [900, 700]),
            ([900] * 10, []),  # a slow server: no page stands out
            ([900] * 10 + [1000], [1000]),
            (list(range(1000, 1100)), list(range(1099, 1094, -1))),
            ([10] * 5 + [300] * 5 + [1000], [1000]),
        ],
        ids=lambda given: str(given)[:30],
    )
    def test_slow_pages_are_those_that_stand_out_the_slowest_first(
        self, crawl: CrawlFile, times: list[int], slow: list[int]
    ) -> None:
        """At least 0.2 s, and of the slowest 5 %, or three times the median."""
        for number, elapsed in enumerate(times):
            crawl.page(f"{SITE}/{number}", elapsed_ms=elapsed)
        crawl.page(f"{SITE}/none", status=None, error="dns")
        crawl.db.execute("UPDATE fetch SET elapsed_ms = NULL WHERE error = 'dns'")

        assert rows(crawl, "SELECT elapsed_ms FROM slow_pages") == [(elapsed,) for elapsed in slow]

    def test_large_pages_are_compared_with_pages_and_large_files_with_files(self, crawl: CrawlFile) -> None:
        """A page of 300 KB stands out, also beside videos."""
        for number in range(30):
            crawl.page(f"{SITE}/{number}", body=b"x" * (1000 + number))
            crawl.page(f"{SITE}/{number}.mp4", body=b"x" * (200_000 + number), content_type="video/mp4")
        crawl.page(f"{SITE}/page", body=b"x" * 150_000)
        crawl.page(f"{SITE}/page2", body=b"x" * 51_200)
        crawl.page(f"{SITE}/small", body=b"x" * 51_199)
        crawl.page(f"{SITE}/file", body=b"x" * 700_000, content_type="video/mp4")
        crawl.page(f"{SITE}/none", body=None, status=404, error="http_404")

        assert rows(crawl, "SELECT url, body_bytes FROM large_pages") == [
            (f"{SITE}/file", 700_000),
            (f"{SITE}/29.mp4", 200_029),
            (f"{SITE}/page", 150_000),
            (f"{SITE}/page2", 51_200),
        ]

    @pytest.mark.parametrize(
        ("depths", "deep"),
        [
            ([0, 1, 1, 2], []),
            ([0, 1, 1, 3], [3]),
            ([0, *[1] * 20, 2, 4, 5], [5, 4]),
            ([0, 1, 2, 3, 4, 5, 6], [6]),
            ([5, 5, 5], []),
            (list(range(100)), [99, 98, 97, 96, 95]),
        ],
        ids=lambda given: str(given)[:30],
    )
    def test_deep_pages_are_those_that_stand_out_the_deepest_first(
        self, crawl: CrawlFile, depths: list[int], deep: list[int]
    ) -> None:
        """At least three links, and of the deepest 5 %, or three times the median."""
        for number, depth in enumerate(depths):
            crawl.page(f"{SITE}/{number}", depth=depth)
        crawl.page(f"{SITE}/gone", depth=9, status=404, error="http_404")
        crawl.page(f"{SITE}/listed", depth=1 << 30)

        assert rows(crawl, "SELECT depth FROM deep_pages") == [(depth,) for depth in deep]

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
