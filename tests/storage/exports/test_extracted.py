"""Values that rules and plugins took, exported with one row per page and one column per name."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from penstock.crawler.cli import main
from penstock.storage.reading.crawl_reader import open_reader
from penstock.storage.reading.extracted_values import ExtractedValues, Kind
from tests.support.database_rows import SITE, CrawlFile

MOMENT = "2026-11-20T10:53:26.123Z"
Values = Mapping[str, Mapping[str, object]]  # of a path: by name, one value or a list

SHOP: Values = {
    "/b": {"name": "Kettle", "price": 3.5, "stock": 0, "tag": ["red", "=large"], "sizes": [1, 2]},
    "/a": {"name": "=cmd()", "price": 4, "tag": ["blue"]},
    "/none": {},
    "/c": {"size": "XL", "price": 1e300},
    "/d": {"size": 42},
    "/e": {"size": 4.5, "url": "https://other.example/", "Fetched_At": "yesterday"},
}


def filled(path: Path, pages: Values = SHOP, *, rules: Sequence[Mapping[str, object]] = ()) -> Path:
    """A crawl's file with these values."""
    with CrawlFile(path) as crawl:
        crawl.crawl()
        crawl.run(pages=len(pages), select=list(rules))
        for where, values in pages.items():
            number = crawl.page(SITE + where)
            for name, value in values.items():
                for position, one in enumerate(value if isinstance(value, list) else [value]):
                    row = (number, 1, crawl.phrase(name), position, one)
                    crawl.db.execute("INSERT INTO extraction VALUES (?, ?, ?, ?, ?)", row)
    return path


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return filled(tmp_path / "crawl.db")


def wide(db: Path) -> tuple[dict[str, Kind], dict[str, dict[str, object]]]:
    """The kinds of the columns, and the values that are there, by the path of the page."""
    with open_reader(db) as reader:
        values = ExtractedValues(reader)
        rows = {}
        for url, moment, *cells in values:
            assert moment == MOMENT
            named = zip(values.columns[2:], cells, strict=True)
            rows[str(url).removeprefix(SITE)] = {name: cell for name, cell in named if cell is not None}
        return values.kinds, rows


class TestRows:
    def test_each_page_with_values_is_one_row_and_each_name_a_column(self, shop: Path) -> None:
        kinds, rows = wide(shop)

        assert list(kinds) == ["Fetched_At_2", "name", "price", "size", "sizes", "stock", "tag", "url_2"]
        assert rows == {
            "/a": {"name": "=cmd()", "price": 4.0, "tag": ["blue"]},
            "/b": {"name": "Kettle", "price": 3.5, "stock": 0, "tag": ["red", "=large"], "sizes": [1, 2]},
            "/c": {"size": "XL", "price": 1e300},
            "/d": {"size": "42"},
            "/e": {"size": "4.5", "url_2": "https://other.example/", "Fetched_At_2": "yesterday"},
        }
        assert list(rows) == sorted(rows)

    @pytest.mark.parametrize(
        ("values", "kind"),
        [
            ([1, 2], Kind(int, False)),
            ([1, 2.5], Kind(float, False)),
            ([1.0], Kind(float, False)),
            (["x"], Kind(str, False)),
            ([1, "x"], Kind(str, False)),
            ([1.5, "x"], Kind(str, False)),
            ([[1, 2], 3], Kind(int, True)),
            ([["x"], ["y", "z"]], Kind(str, True)),
            ([["x"], "y"], Kind(str, False)),
        ],
        ids=str,
    )
    def test_a_column_has_the_one_type_that_holds_all_its_values(
        self, tmp_path: Path, values: list[object], kind: Kind
    ) -> None:
        db = filled(tmp_path / "crawl.db", {f"/{n}": {"x": value} for n, value in enumerate(values)})

        assert wide(db)[0] == {"x": kind}

    def test_a_rule_that_takes_all_matches_gives_lists_also_where_there_is_one(self, tmp_path: Path) -> None:
        """Else the files of two crawls would differ in the type of the column."""
        rules: list[dict[str, object]] = [
            {"name": "x", "css": ["a"], "many": True},
            {"name": "y", "css": ["b"]},
        ]
        db = filled(tmp_path / "crawl.db", {"/": {"x": "1", "y": "2"}}, rules=rules)

        assert wide(db) == ({"x": Kind(str, True), "y": Kind(str, False)}, {"/": {"x": ["1"], "y": "2"}})

    def test_only_the_newest_values_of_a_page_are_exported(self, tmp_path: Path) -> None:
        db = filled(tmp_path / "crawl.db", {"/": {"x": "old", "gone": 1}})
        with CrawlFile.reopened(db) as crawl:
            number = crawl.page(f"{SITE}/", generation=2)
            crawl.db.execute("INSERT INTO extraction VALUES (?, 2, ?, 0, 'new')", (number, crawl.phrase("x")))

        assert wide(db) == ({"x": Kind(str, False)}, {"/": {"x": "new"}})

    def test_a_crawl_without_values_has_the_two_columns_and_no_rows(self, tmp_path: Path) -> None:
        with open_reader(filled(tmp_path / "crawl.db", {"/": {}})) as reader:
            values = ExtractedValues(reader)

            assert values.columns == ("url", "fetched_at")
            assert list(values) == []

    def test_the_rows_do_not_depend_on_the_order_of_arrival(self, tmp_path: Path) -> None:
        backwards = {where: dict([*values.items()][::-1]) for where, values in [*SHOP.items()][::-1]}

        one, other = (filled(tmp_path / f"{n}.db", pages) for n, pages in enumerate((SHOP, backwards)))

        assert wide(one) == wide(other)


class TestFiles:
    def written(self, db: Path, form: str, *words: str) -> Path:
        path = db.with_suffix(f".{form}")
        assert main(["export", form, str(path), "--table", "extracted", "--db", str(db), *words]) == 0
        return path

    def test_csv_joins_the_values_of_a_list_with_a_semicolon(self, shop: Path) -> None:
        rows = list(csv.DictReader(io.StringIO(self.written(shop, "csv").read_text("utf-8"))))

        assert [row["tag"] for row in rows] == ["blue", "red; =large", "", "", ""]
        assert [row["sizes"] for row in rows] == ["", "1; 2", "", "", ""]
        assert [row["price"] for row in rows] == ["4.0", "3.5", "1e+300", "", ""]
        assert rows[0]["name"] == "'=cmd()"

    def test_a_list_that_looks_like_a_formula_is_marked_in_csv(self, tmp_path: Path) -> None:
        db = filled(tmp_path / "crawl.db", {"/": {"x": ["=1", "2"]}})

        assert "'=1; 2" in self.written(db, "csv").read_text()

    def test_jsonl_keeps_numbers_and_lists(self, shop: Path) -> None:
        rows = [json.loads(line) for line in self.written(shop, "jsonl").read_text("utf-8").splitlines()]

        assert rows[1] == {
            "url": f"{SITE}/b", "fetched_at": MOMENT, "Fetched_At_2": None, "name": "Kettle", "price": 3.5,
            "size": None, "sizes": [1, 2], "stock": 0, "tag": ["red", "=large"], "url_2": None,
        }  # fmt: skip

    def test_parquet_has_typed_columns_and_lists(self, shop: Path) -> None:
        parquet: Any = pytest.importorskip("pyarrow.parquet")

        table = parquet.read_table(self.written(shop, "parquet"))

        kinds = {field.name: str(field.type) for field in table.schema}
        assert kinds == {
            "url": "string", "fetched_at": "timestamp[ms, tz=UTC]", "Fetched_At_2": "string",
            "name": "string", "price": "double", "size": "string", "sizes": "list<element: int64>",
            "stock": "int64", "tag": "list<element: string>", "url_2": "string",
        }  # fmt: skip
        assert table.column("tag").to_pylist() == [["blue"], ["red", "=large"], None, None, None]
        assert table.column("size").to_pylist() == [None, None, "XL", "42", "4.5"]

    def test_parquet_takes_a_name_that_elsewhere_is_a_column_of_another_type(self, tmp_path: Path) -> None:
        parquet: Any = pytest.importorskip("pyarrow.parquet")
        db = filled(tmp_path / "crawl.db", {"/": {"status": "sold", "followed": "x", "started_at": "May"}})

        table = parquet.read_table(self.written(db, "parquet"))

        assert table.select(["status", "followed", "started_at"]).to_pylist() == [
            {"status": "sold", "followed": "x", "started_at": "May"}
        ]

    def test_xlsx_has_numbers_as_numbers_and_lists_as_text(self, shop: Path) -> None:
        openpyxl: Any = pytest.importorskip("openpyxl")
        sheet = openpyxl.load_workbook(self.written(shop, "xlsx")).active

        head, *rows = sheet.iter_rows(values_only=True)
        found = [dict(zip(head, row, strict=True)) for row in rows]
        assert [row["price"] for row in found] == [4, 3.5, 1e300, None, None]
        assert [row["tag"] for row in found][:2] == ["blue", "red; =large"]

    def test_a_row_per_value_is_exported_by_sql(self, shop: Path) -> None:
        path = shop.with_name("long.jsonl")
        sql = "SELECT url, name, value FROM extracted WHERE name = 'stock'"

        assert main(["export", "jsonl", str(path), "--sql", sql, "--db", str(shop)]) == 0
        assert json.loads(path.read_text()) == {"url": f"{SITE}/b", "name": "stock", "value": 0}
