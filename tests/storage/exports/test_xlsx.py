"""The workbook export, read back by another library."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from penstock.crawler.cli import main
from tests.support.crawls import run_command, start_command
from tests.support.database_rows import SITE, CrawlFile

openpyxl: Any = pytest.importorskip("openpyxl")
pytest.importorskip("xlsxwriter")


class Books:
    """A crawl's file and its workbooks."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capture, self.err = folder, capture, ""
        self.db = folder / "crawl.db"
        with CrawlFile(self.db) as crawl:
            crawl.crawl()
            crawl.page(f"{SITE}/", depth=0)

    def export(self, *words: str) -> Path:
        path = self.folder / "out.xlsx"
        assert main(["export", "xlsx", str(path), "--db", str(self.db), "--force", *words]) == 0
        self.err = self.capture.readouterr().err
        return path

    def sheets(self, *words: str) -> dict[str, list[Sequence[Any]]]:
        book = openpyxl.load_workbook(self.export(*words))
        return {sheet.title: [list(row) for row in sheet.iter_rows(values_only=True)] for sheet in book}

    def cell(self, expression: str) -> Any:
        """What stands in the workbook for a value of SQL."""
        [rows] = self.sheets("--sql", f"SELECT 0 AS x, {expression} AS value").values()
        return rows[1][1]


@pytest.fixture
def books(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Books:
    return Books(tmp_path, capsys)


def text(value: str) -> str:
    """SQL for a text of any characters."""
    return f"char({', '.join(str(ord(char)) for char in value)})"


class TestCells:
    @pytest.mark.parametrize(
        "value",
        ["=1+1", "=HYPERLINK(\"http://x\")", "+1", "-1", "@SUM(1)", "{=1}", "http://a/", "mailto:a@b", "007",
         "1e5", "TRUE", "2026-11-20", " x ", "a\tb", "a\nb", "<b>&amp;</b>", "_x0041_", "日本語", "🙂", "'x"],
    )  # fmt: skip
    def test_a_text_is_the_same_text(self, books: Books, value: str) -> None:
        """No formula, no link, no number, no date is made of it."""
        found = books.cell(text(value))

        # openpyxl does not undo the escape of what looks like an escape; Excel does.
        assert found.replace("_x005F_", "_") == value
        assert isinstance(found, str)

    @pytest.mark.parametrize(
        ("expression", "value"),
        [
            ("NULL", None),
            ("1", 1),
            ("-1.5", -1.5),
            ("1e300", 1e300),
            ("9e999", "inf"),
            ("999999999999999", 999_999_999_999_999),
            ("9007199254740993", "9007199254740993"),  # a number in Excel would end in 992
            ("x'00ff'", "00ff"),
            ("''", ""),
        ],
    )
    def test_a_number_is_a_number_as_far_as_the_format_holds_it(
        self, books: Books, expression: str, value: object
    ) -> None:
        found = books.cell(expression)

        assert (found, type(found)) == (value, type(value))

    @pytest.mark.parametrize("control", ["\x00", "\x08", "\x0b", "\x1b", "\x7f", "\x9b", "\ufffe", "\uffff"])
    def test_a_character_that_xml_cannot_express_is_replaced(self, books: Books, control: str) -> None:
        assert books.cell(text(f"a{control}b")) == "a\ufffdb"

    def test_markup_in_a_text_stays_text(self, books: Books) -> None:
        """The library writes a text of this form as it is. It may come from any page."""
        value = "<r><t>x</t></r></is></c><c r='C2'><f>1+1</f></c><c><is><r></r>"

        assert books.cell(text(value)) == value + " "
        names = zipfile.ZipFile(books.folder / "out.xlsx")
        assert b"<f>" not in names.read("xl/worksheets/sheet1.xml")
        longest = f"<r>{'x' * 32_760}</r>"
        assert books.cell("'<r>' || replace(printf('%32760s', ''), ' ', 'x') || '</r>'") == longest[:-1] + " "

    @pytest.mark.parametrize(
        ("value", "length"), [("x" * 32_767, 32_767), ("x" * 32_768, 32_767), ("🙂" * 16_384, 32_767)]
    )
    def test_a_text_that_no_cell_can_hold_is_cut_and_that_is_said(
        self, books: Books, value: str, length: int
    ) -> None:
        sql = f"replace(printf('%{len(value)}s', ''), ' ', {text(value[0])})"

        found = books.cell(sql)

        assert len(found.encode("utf-16-le")) // 2 == length
        assert found.endswith("...") == (found != value)
        assert ("1 text was cut to 32,767 characters" in books.err) == (found != value)

    def test_times_are_those_of_a_spreadsheet_in_utc(self, books: Books) -> None:
        [rows] = books.sheets().values()

        row = dict(zip(*rows, strict=True))
        assert row["fetched_at"].isoformat().startswith("2026-11-20T10:53:26")
        assert row["url"] == f"{SITE}/"
        assert (row["status"], row["depth"]) == (200, 0)


class TestEnds:
    """XlsxWriter itself prints a traceback if it cannot write to the end of its file."""

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
    def test_a_full_disk_is_one_line(self, books: Books) -> None:
        done = run_command(["export", "xlsx", "/dev/full", "--db", books.db])

        assert (done.code, done.stderr) == (
            1, "penstock: error: cannot write /dev/full: No space left on device\n",
        )  # fmt: skip

    def test_a_reader_that_leaves_is_no_error(self, books: Books) -> None:
        with start_command(["export", "xlsx", "-", "--db", books.db]) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.close()

            assert process.stderr.read() == ""


class TestSheets:
    def test_the_sheet_has_the_name_of_the_table(self, books: Books) -> None:
        assert list(books.sheets()) == ["pages"]
        assert list(books.sheets("--table", "links")) == ["links"]
        assert list(books.sheets("--sql", "SELECT 1")) == ["rows"]

    def test_more_rows_than_a_sheet_holds_go_on_in_further_sheets(
        self, books: Books, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("penstock.storage.exports.xlsx.MAX_ROWS", 4)
        sql = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 7) SELECT x FROM n"

        assert books.sheets("--sql", sql) == {
            "rows": [["x"], [1], [2], [3]], "rows 2": [["x"], [4], [5], [6]], "rows 3": [["x"], [7]],
        }  # fmt: skip

    def test_no_rows_are_a_sheet_with_a_header(self, books: Books) -> None:
        assert books.sheets("--sql", "SELECT url, status FROM pages WHERE 0") == {"rows": [["url", "status"]]}

    def test_a_hundred_thousand_urls_are_no_links(self, books: Books) -> None:
        """Excel allows 65,530 links in a sheet, and drops the rest of the sheet's links beyond that."""
        sql = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 100000) "

        path = books.export("--sql", f"{sql} SELECT 'http://h/' || x AS url FROM n")

        sheet = zipfile.ZipFile(path).read("xl/worksheets/sheet1.xml")
        assert sheet.count(b"<row ") == 100_001
        assert not re.search(b"hyperlink", sheet)

    def test_the_columns_of_a_query_may_repeat(self, books: Books) -> None:
        assert books.sheets("--sql", "SELECT 1 AS x, 2 AS x") == {"rows": [["x", "x_2"], [1, 2]]}
