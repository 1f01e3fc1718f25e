"""`diff`: two crawls whose differences are known."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import pytest

from penstock.crawler.cli import main
from tests.support.database_rows import SITE, CrawlFile


@dataclass
class Shell:
    old: Path
    new: Path
    capture: pytest.CaptureFixture[str]
    out: str = ""
    err: str = ""

    def types(self, *words: str) -> int:
        code = main(["diff", str(self.old), str(self.new), *words])
        self.out, self.err = self.capture.readouterr()
        return code

    def rows(self, *words: str) -> list[list[str]]:
        assert self.types("--format", "csv", *words) == 0, self.err
        return list(csv.reader(io.StringIO(self.out)))[1:]


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    old, new = tmp_path / "old.db", tmp_path / "new.db"
    with CrawlFile(old) as crawl:
        crawl.crawl()
        crawl.page(f"{SITE}/same", body=b"x", canonical=f"{SITE}/same")
        crawl.page(f"{SITE}/gone")
        crawl.page(f"{SITE}/zz-gone", status=404, error="http_404")
        crawl.page(f"{SITE}/broke", title="T")
        crawl.page(f"{SITE}/edited", title="One", body=b"one", canonical=f"{SITE}/a")
    with CrawlFile(new) as crawl:
        crawl.crawl()
        crawl.page(f"{SITE}/edited", title="Two", body=b"two", canonical=None)
        crawl.page(f"{SITE}/same", body=b"x", canonical=f"{SITE}/same", elapsed_ms=999)
        crawl.page(f"{SITE}/broke", title=None, status=404, error="http_404")
        crawl.page(f"{SITE}/added")
        crawl.url(f"{SITE}/gone", "skipped", reason="robots")
    return Shell(old, new, capsys)


class TestDiff:
    def test_rows_are_pages_that_came_or_went_and_fields_that_changed(self, shell: Shell) -> None:
        rows = shell.rows()

        assert [row[:3] for row in rows] == [
            ["added", f"{SITE}/added", "status"],
            ["changed", f"{SITE}/broke", "status"],
            ["changed", f"{SITE}/broke", "title"],
            ["changed", f"{SITE}/edited", "canonical"],
            ["changed", f"{SITE}/edited", "content_hash"],
            ["changed", f"{SITE}/edited", "title"],
            ["gone", f"{SITE}/gone", "status"],
            ["gone", f"{SITE}/zz-gone", "status"],
        ]
        assert [row[3:] for row in rows] == [
            ["", "200"], ["200", "404"], ["T", ""], [f"{SITE}/a", ""], rows[4][3:], ["One", "Two"],
            ["200", ""], ["404", ""],
        ]  # fmt: skip

    def test_the_counts_of_a_diff_are_printed_beside_its_rows(self, shell: Shell) -> None:
        shell.types("--limit", "1", "--format", "jsonl")

        assert shell.out.count("\n") == 1
        assert shell.err == ("1 added, 2 gone, 2 changed (status 1, title 2, content_hash 1, canonical 1)\n")

    def test_a_crawl_does_not_differ_from_itself(self, shell: Shell) -> None:
        shell.old = shell.new

        assert shell.rows("--fail-if", "1") == []
        assert shell.err.startswith("0 added, 0 gone, 0 changed")

    @pytest.mark.parametrize(
        ("check", "code"),
        [
            ("change = 'gone'", 5),
            ("change = 'gone' AND url LIKE '%/docs/%'", 0),
            ("field = 'status' AND after >= 400", 5),
            ("field = 'status' AND after >= 500", 0),
            ("1 -- a comment", 5),
            ("missing_titles", 0),
            ("failed", 5),
        ],
    )
    def test_diff_exits_with_5_only_if_a_fail_if_is_true(self, shell: Shell, check: str, code: int) -> None:
        assert shell.types("--fail-if", "0", "--fail-if", check) == code
        assert (f"--fail-if: {check}:" in shell.err) == bool(code)
        assert "added" in shell.out

    @pytest.mark.parametrize(
        ("check", "said"),
        [
            ("nope = 1", "a condition uses change, url, field, before, after"),
            ("(SELECT 1", "--fail-if"),
            ("load_extension('x')", "--fail-if"),
            ("1; DROP TABLE diff", "--fail-if"),
            ("broken_link", "no report is named 'broken_link'"),
            ("top_pages", "run analyse first"),
        ],
    )
    def test_an_invalid_fail_if_is_refused_in_one_line_with_exit_2(
        self, shell: Shell, check: str, said: str
    ) -> None:
        assert shell.types("--fail-if", check) == 2
        assert said in shell.err
        assert shell.err.count("\n") == 1
        assert shell.out == ""

    def test_a_diff_names_the_file_that_is_missing(self, shell: Shell) -> None:
        shell.new = shell.new.with_name("typo.db")

        assert shell.types() == 2
        assert "typo.db" in shell.err

    def test_a_diff_of_an_unfinished_crawl_says_so(self, shell: Shell) -> None:
        with CrawlFile.reopened(shell.new) as crawl:
            crawl.url(f"{SITE}/later", "pending")

        assert shell.types() == 0
        assert "new.db is not complete: 1 URL pending, counted as absent" in shell.err

    def test_a_table_of_a_diff_shows_100_rows(self, shell: Shell) -> None:
        with CrawlFile.reopened(shell.new) as crawl:
            for number in range(150):
                crawl.page(f"{SITE}/n{number}")

        assert shell.types() == 0
        assert shell.out.count("\nadded") == 100
        assert "penstock: note: 100 of 158 rows; --limit 0 shows all" in shell.err
        assert shell.types("--limit", "0") == 0
        assert shell.out.count("\nadded") == 151

    def test_a_mistyped_report_of_a_fail_if_is_corrected(self, shell: Shell) -> None:
        assert shell.types("--fail-if", "broken_link") == 2
        assert "no report is named 'broken_link' (did you mean broken_links?)" in shell.err


Values = dict[str, object]  # by name: one value or a list


@dataclass
class Crawls(Shell):
    """Two crawls that differ in what they hold of one page, or in resources."""

    def values(self, old: Values, new: Values) -> list[list[str]]:
        """The rows of the diff, without the URL."""
        for path, values in ((self.old, old), (self.new, new)):
            with CrawlFile(path) as crawl:
                crawl.crawl()
                crawl.page(f"{SITE}/a")
                self.extract(crawl, f"{SITE}/z", {"price": 1.5})
                self.extract(crawl, f"{SITE}/x", values)
        rows = self.rows()
        assert {row[1] for row in rows} <= {f"{SITE}/x"}
        return [[row[0], *row[2:]] for row in rows]

    def extract(self, crawl: CrawlFile, url: str, values: Values) -> None:
        number = crawl.page(url)
        for name, given in values.items():
            for position, value in enumerate(given if isinstance(given, list) else [given]):
                row = (number, crawl.phrase(name), position, value)
                crawl.db.execute("INSERT INTO extraction VALUES (?, 1, ?, ?, ?)", row)

    def resources(
        self, old: dict[str, tuple[int | None, str | None]], new: dict[str, tuple[int | None, str | None]],
        asked: tuple[bool, bool] = (True, True),
    ) -> list[list[str]]:  # fmt: skip
        """The rows of the diff of resources with these statuses and errors."""
        for path, found, has_asked in zip((self.old, self.new), (old, new), asked, strict=True):
            with CrawlFile(path) as crawl:
                crawl.crawl()
                crawl.run(resources=has_asked)
                page = crawl.page(f"{SITE}/")
                for name, (status, error) in found.items():
                    state = "failed" if error else "done" if status else "pending"
                    number = crawl.url(f"{SITE}/{name}", state, reason=error)
                    crawl.db.execute("UPDATE url SET kind = 2 WHERE id = ?", (number,))
                    use = (page, number, crawl.phrase("image"))
                    crawl.db.execute("INSERT INTO resource_use VALUES (?, ?, ?)", use)
                    if status:
                        answer = (number, status, crawl.phrase("image/png"))
                        crawl.db.execute(
                            "INSERT INTO resource (url_id, status, type_id) VALUES (?, ?, ?)", answer
                        )
        return [[row[0], row[1].rpartition("/")[2], *row[2:]] for row in self.rows()]


@pytest.fixture
def crawls(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Crawls:
    return Crawls(tmp_path / "old.db", tmp_path / "new.db", capsys)


class TestValues:
    @pytest.mark.parametrize(
        ("old", "new", "rows"),
        [
            ({}, {}, []),
            ({"price": 1.5, "tag": ["a", "b"]}, {"tag": ["a", "b"], "price": 1.5}, []),
            ({"price": 1.5}, {"price": 2.5}, [["value_changed", "price", "1.5", "2.5"]]),
            ({}, {"price": 2}, [["value_added", "price", "", "2"]]),
            ({"price": 2}, {}, [["value_gone", "price", "2", ""]]),
            ({"price": 0}, {"price": "0"}, [["value_changed", "price", "0", "0"]]),
            (
                {"tag": ["a", "b"]},
                {"tag": ["b", "a"]},
                [["value_changed", "tag", '["a", "b"]', '["b", "a"]']],
            ),
            ({"tag": ["a", "é"]}, {"tag": "a"}, [["value_changed", "tag", '["a", "é"]', '["a"]']]),
            ({"tag": ["a", "b"]}, {}, [["value_gone", "tag", '["a", "b"]', ""]]),
            (
                {"a": 1, "b": 1, "title": "x"},
                {"b": 2, "c": 1, "title": "y"},
                [
                    ["value_added", "c", "", "1"],
                    ["value_changed", "b", "1", "2"],
                    ["value_changed", "title", "x", "y"],
                    ["value_gone", "a", "1", ""],
                ],
            ),
        ],
        ids=str,
    )
    def test_a_value_that_came_went_or_changed_is_a_row(
        self, crawls: Crawls, old: Values, new: Values, rows: list[list[str]]
    ) -> None:
        assert crawls.values(old, new) == rows

    def test_values_keep_their_types_for_a_check(self, crawls: Crawls) -> None:
        crawls.values({"price": 10.0}, {"price": 25.0})

        assert crawls.types("--fail-if", "field = 'price' AND after > before * 2") == 5
        assert crawls.types("--fail-if", "field = 'price' AND after > before * 3") == 0
        assert crawls.types("--fail-if", "change IN ('added', 'gone', 'changed')") == 0
        assert crawls.err.startswith("0 added, 0 gone, 0 changed")
        assert crawls.err.endswith("; values: 0 added, 0 gone, 1 changed\n")

    def test_the_values_of_a_new_page_are_no_rows_of_their_own(self, crawls: Crawls) -> None:
        for path, pages in ((crawls.old, "a"), (crawls.new, "abc")):
            with CrawlFile(path) as crawl:
                crawl.crawl()
                for page in pages:
                    crawls.extract(crawl, f"{SITE}/{page}", {"price": 1})

        assert [row[:3] for row in crawls.rows()] == [
            ["added", f"{SITE}/b", "status"],
            ["added", f"{SITE}/c", "status"],
        ]

    def test_the_order_of_arrival_makes_no_difference(self, crawls: Crawls) -> None:
        pages: dict[str, Values] = {f"p{n}": {"x": n, "y": ["a", "b"], f"z{n}": 1} for n in range(12)}
        for path, order in ((crawls.old, [*pages]), (crawls.new, [*pages][::-1])):
            with CrawlFile(path) as crawl:
                crawl.crawl()
                for name in order:
                    values = pages[name]
                    shuffled = {key: values[key] for key in sorted(values, reverse=path == crawls.new)}
                    crawls.extract(crawl, f"{SITE}/{name}", shuffled)

        assert crawls.rows("--fail-if", "1") == []


class TestResources:
    def test_a_resource_that_came_went_broke_or_was_repaired_is_a_row(self, crawls: Crawls) -> None:
        rows = crawls.resources(
            {"same": (200, None), "broke": (200, None), "mended": (404, "http_404"), "gone": (200, None)},
            {"same": (200, None), "broke": (None, "dns"), "mended": (200, None), "new": (200, None),
             "new-broken": (404, "http_404")},
        )  # fmt: skip

        assert rows == [
            ["resource_added", "new", "status", "", "200"],
            ["resource_added", "new-broken", "error", "", "http_404"],
            ["resource_changed", "broke", "content_type", "image/png", ""],
            ["resource_changed", "broke", "error", "", "dns"],
            ["resource_changed", "broke", "status", "200", ""],
            ["resource_changed", "mended", "error", "http_404", ""],
            ["resource_changed", "mended", "status", "404", "200"],
            ["resource_gone", "gone", "status", "200", ""],
        ]
        assert crawls.err == (
            "0 added, 0 gone, 0 changed (status 0, title 0, content_hash 0, canonical 0); "
            "resources: 2 added, 1 gone, 2 changed\n"
        )
        new_and_broken = "change LIKE 'resource%' AND field = 'error' AND after IS NOT NULL"
        assert crawls.types("--fail-if", new_and_broken) == 5
        assert f"{new_and_broken}: 2 rows" in crawls.err

    def test_resources_of_one_crawl_alone_are_not_compared_and_that_is_said(self, crawls: Crawls) -> None:
        rows = crawls.resources({}, {"a": (200, None)}, asked=(False, True))

        assert rows == []
        assert "resources are not compared: one of the crawls had no --resources" in crawls.err

    @pytest.mark.parametrize(
        ("answer", "rows"), [(None, []), (200, [["resource_added", "a", "status", "", "200"]])]
    )
    def test_a_resource_without_an_answer_yet_counts_as_absent(
        self, crawls: Crawls, answer: int | None, rows: list[list[str]]
    ) -> None:
        assert crawls.resources({"a": (None, None)}, {"a": (answer, None)}) == rows
