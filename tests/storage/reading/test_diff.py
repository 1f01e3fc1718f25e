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
