"""The list of reports: their order, descriptions and columns."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.storage.reading.crawl_reader import open_reader
from penstock.storage.reading.reports import (
    REPORTS,
    TABLES,
    URL_REPORTS,
    build_report_query,
    describe_reports,
    describe_tables,
)
from tests.support.database_rows import SITE, CrawlFile


class TestDescriptions:
    def test_tables_and_reports_are_described_in_the_order_in_which_they_are_shown(self) -> None:
        assert list(describe_tables()) == list(TABLES)
        assert list(describe_reports()) == [*REPORTS, *URL_REPORTS]

    @pytest.mark.parametrize("name", [*REPORTS, *URL_REPORTS])
    def test_the_columns_of_a_description_are_those_of_the_report(self, name: str, tmp_path: Path) -> None:
        with CrawlFile(tmp_path / "crawl.db") as crawl:
            crawl.crawl()
            crawl.page(f"{SITE}/", seed=True, depth=0)
            crawl.db.execute(
                "INSERT INTO analysed (id, at, urls, links, rounds, change, texts) "
                "VALUES (1, '2026-11-28T00:00:00.000Z', 1, 0, 1, 0, 1)"
            )
        url = f"{SITE}/" if name in URL_REPORTS else None

        with open_reader(tmp_path / "crawl.db") as reader:
            with reader.snapshot() as connection:
                query = build_report_query(connection, name, url=url)
            columns = reader.select(query.sql, query.parameters).columns

        assert tuple(describe_reports()[name].columns) == columns
