"""Datasette opens a crawl's file as it is, and knows what is in it. The real Datasette, without a port."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from penstock.crawler.cli import main
from penstock.storage.database.schema_texts import describe_schema
from penstock.storage.reading.datasette_metadata import QUERIES
from penstock.storage.reading.reports import REPORTS, TABLES
from tests.support.database_rows import SITE, CrawlFile

app = pytest.importorskip("datasette.app")
# Datasette turns this on for the whole process when it is imported; other tests interrupt a
# query, and would find their KeyboardInterrupt told of twice.
sqlite3.enable_callback_tracebacks(False)

HOME = f"{SITE}/"


@pytest.fixture
async def ask(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> AsyncIterator[Any]:
    path = tmp_path / "crawl.db"
    with CrawlFile(path) as crawl:
        crawl.crawl()
        crawl.page(HOME, depth=0, seed=True, title="A home page")
        crawl.page(f"{SITE}/gone", status=404, error="http_404")
        crawl.link(HOME, f"{SITE}/gone", "gone")
    assert main(["metadata", "--db", str(path)]) == 0
    metadata = json.loads(capsys.readouterr().out)
    datasette = app.Datasette([str(path)], metadata=metadata)
    await datasette.invoke_startup()

    async def get(place: str, **parameters: str) -> Any:
        response = await datasette.client.get(f"/crawl/{place}.json?{urlencode(parameters)}")
        assert response.status_code == 200, response.text
        return response.json()

    yield get
    for database in datasette.databases.values():
        database.close()


class TestDatasette:
    @pytest.mark.parametrize("name", [*TABLES, *REPORTS])
    async def test_every_table_and_report_is_shown_with_its_meaning(self, ask: Any, name: str) -> None:
        found = await ask(name, _shape="objects")
        assert "rows" in found

    async def test_rows_are_those_of_the_crawl(self, ask: Any) -> None:
        found = await ask("broken_links", _shape="array")

        assert [(row["source"], row["target"], row["text"]) for row in found] == [
            (HOME, f"{SITE}/gone", "gone")
        ]

    @pytest.mark.parametrize(
        ("name", "parameters", "first"),
        [
            ("inlinks", {"url": f"{SITE}/gone"}, {"source": HOME, "text": "gone"}),
            ("outlinks", {"url": HOME}, {"target": f"{SITE}/gone", "state": "failed"}),
            ("titles", {"text": "home"}, {"url": HOME}),
            ("reasons", {}, {"urls": 1}),
            ("slow_types", {}, {"content_type": "text/html", "average_ms": 10}),
        ],
    )
    async def test_every_canned_query_has_its_answer(
        self, ask: Any, name: str, parameters: dict[str, str], first: dict[str, object]
    ) -> None:
        [row, *_] = await ask(name, _shape="array", **parameters)

        assert first.items() <= row.items()


class TestMetadata:
    def test_every_query_is_tried_above(self) -> None:
        assert set(QUERIES) == {"inlinks", "outlinks", "titles", "reasons", "slow_types"}

    def test_columns_are_explained_as_the_schema_explains_them(self) -> None:
        meanings = describe_schema()

        assert meanings["urls"].columns["state"] == "pending, done, failed or skipped"
        assert meanings["links"].columns["followed"] == "1: at least one mention may be followed"
        assert meanings["pages"].text == "every URL that was requested, with its newest answer"

    def test_only_what_people_should_know_of_is_listed(self, capsys: pytest.CaptureFixture[str]) -> None:
        main(["metadata"])
        tables = json.loads(capsys.readouterr().out)["databases"]["crawl"]["tables"]

        listed = {name: said for name, said in tables.items() if not said.get("hidden")}
        assert set(listed) == {*TABLES, *REPORTS}
        assert all(said["description"] for said in listed.values())
        assert {"fetch", "url", "known_url", "analysis"} <= set(tables)
