"""Migration: how a file of any former version comes to have the schema of a new one."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from penstock.crawler.errors import BadDatabase
from penstock.storage.database import schema_texts
from penstock.storage.database.database import Database
from penstock.storage.database.digests import teach
from penstock.storage.database.migration import APPLICATION_ID, migrate
from penstock.storage.database.schema_texts import (
    create_schema,
    describe_schema,
    newest_version,
    render_schema,
    table_steps,
    view_texts,
)
from penstock.storage.reading.reports import REPORTS, TABLES
from tests.support.former_schemas import FORMER_VERSIONS, create_former_schema

# Not for people: the views that other views are made of.
BENEATH = {"url_text", "last_fetch", "known_url", "html_page", "broken_url"} | {
    "broken_link_target",
    "dead_resource",
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "crawl.db"


async def open_and_close(path: Path) -> None:
    await (await Database.open(path)).close()


def execute(path: Path, *statements: str) -> list[tuple[object, ...]]:
    """The rows of the last statement."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        return [connection.execute(statement).fetchall() for statement in statements][-1]


def schema_of(connection: sqlite3.Connection, *, views: bool = True) -> dict[str, str]:
    """Each table, index and view with its text, without comments and blanks."""
    query = "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND (? OR type <> 'view')"
    found = connection.execute(query, (views,))
    return {name: "".join(re.sub(r"--.*", "", sql).split()) for name, sql in found}


def made_by(make: Callable[[sqlite3.Connection], object], *, views: bool = True) -> dict[str, str]:
    with closing(sqlite3.connect(":memory:")) as connection:
        make(connection)
        return schema_of(connection, views=views)


class TestFormerVersions:
    @pytest.mark.parametrize("version", FORMER_VERSIONS)
    async def test_a_file_of_a_former_version_gets_the_schema_of_a_new_file(
        self, path: Path, version: int
    ) -> None:
        with closing(sqlite3.connect(path)) as connection:
            create_former_schema(connection, version)

        await open_and_close(path)

        with closing(sqlite3.connect(path)) as connection:
            assert schema_of(connection) == made_by(create_schema)
            assert connection.execute("PRAGMA user_version").fetchone() == (newest_version(),)

    @pytest.mark.parametrize("version", FORMER_VERSIONS)
    def test_the_steps_without_views_make_the_tables_that_a_former_version_made(self, version: int) -> None:
        """A step that landed is never edited: files that took it would differ from new ones."""

        def take_steps(connection: sqlite3.Connection) -> None:
            teach(connection)
            for _, step in table_steps()[:version]:
                connection.executescript(step.read_text("utf-8"))

        former = made_by(lambda connection: create_former_schema(connection, version), views=False)

        assert made_by(take_steps) == former

    @pytest.mark.parametrize("version", FORMER_VERSIONS)
    async def test_rows_of_a_former_version_are_kept(self, path: Path, version: int) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            create_former_schema(connection, version)
            connection.execute("INSERT INTO host (id, name) VALUES (1, 'a.example')")
            connection.execute(
                "INSERT INTO url (id, host_id, secure, path, depth, hops, followed, seed, state) "
                "VALUES (7, 1, 1, '/x', 0, 0, 1, 1, 2)"
            )
            connection.execute("INSERT INTO phrase (id, text) VALUES (3, 'text/html')")
            connection.execute(
                "INSERT INTO fetch (url_id, generation, status, type_id) VALUES (7, 1, 200, 3)"
            )

        await open_and_close(path)

        assert execute(path, "SELECT url, status, content_type FROM pages") == [
            ("https://a.example/x", 200, "text/html")
        ]

    def test_the_steps_are_numbered_without_a_gap(self) -> None:
        assert [number for number, _ in table_steps()] == list(range(1, newest_version() + 1))


class TestViews:
    async def test_a_view_whose_text_differs_is_made_anew_without_a_new_version(self, path: Path) -> None:
        """So a newer Penstock brings its views, and a lost view comes back."""
        await open_and_close(path)
        execute(path, "DROP VIEW pages", "CREATE VIEW pages AS SELECT 1 AS url", "DROP VIEW failed")

        await open_and_close(path)

        with closing(sqlite3.connect(path)) as connection:
            assert schema_of(connection) == made_by(create_schema)

    async def test_a_file_with_the_views_of_today_is_not_written_to(self, path: Path) -> None:
        await open_and_close(path)
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            changes: list[str] = []
            connection.set_trace_callback(changes.append)

            migrate(connection)

        assert [sql for sql in changes if not sql.startswith(("SELECT", "PRAGMA user_version"))] == []

    async def test_a_view_that_a_person_made_stays(self, path: Path) -> None:
        await open_and_close(path)
        execute(path, "CREATE VIEW mine AS SELECT url FROM pages", "DROP VIEW links")

        await open_and_close(path)

        assert execute(path, "SELECT * FROM mine") == []
        assert execute(path, "SELECT * FROM links") == []

    @pytest.mark.parametrize(
        "path", sorted((schema_texts.SCHEMA_DIR / "views").iterdir()), ids=lambda p: p.stem
    )
    def test_a_file_holds_one_view_of_its_own_name(self, path: Path) -> None:
        text = path.read_text("utf-8")

        assert re.findall(r"^CREATE VIEW (\w+) AS\b", text, re.MULTILINE) == [path.stem]
        assert text.endswith(";\n")
        assert not re.search(r"^(CREATE (?!VIEW)|DROP|ALTER|INSERT)", text, re.MULTILINE)

    def test_every_view_is_a_table_for_people_or_a_report_or_beneath_them(self) -> None:
        assert set(view_texts()) - {*TABLES, *REPORTS} == BENEATH

    def test_no_step_makes_a_view(self) -> None:
        """One text per view: a second one in a step would be dead."""
        assert [step.name for _, step in table_steps() if "CREATE VIEW" in step.read_text("utf-8")] == []


class TestCurrentSchema:
    def test_current_sql_is_the_schema_of_a_new_file(self) -> None:
        """After a change: python -m penstock.storage.database.schema_texts > storage/schema/current.sql"""
        assert (schema_texts.SCHEMA_DIR / "current.sql").read_text("utf-8") == render_schema()

    def test_current_sql_makes_that_schema(self) -> None:
        current = (schema_texts.SCHEMA_DIR / "current.sql").read_text("utf-8")

        assert made_by(lambda connection: connection.executescript(current)) == made_by(create_schema)

    def test_a_column_that_a_later_step_added_stands_there_with_its_comment(self) -> None:
        assert re.search(r"^    rate +REAL +-- \w", render_schema(), re.MULTILINE)


class TestDescriptions:
    def test_a_column_is_described_by_the_comment_beside_it(self) -> None:
        described = describe_schema()

        assert described["urls"].columns["state"] == "pending, done, failed or skipped"
        assert described["links"].columns["followed"] == "1: at least one mention may be followed"
        assert described["pages"].text == "every URL that was requested, with its newest answer"
        assert list(described["status_codes"].columns) == ["status", "error", "urls"]

    @pytest.mark.parametrize("name", [*TABLES, *REPORTS])
    def test_every_table_and_report_for_people_is_described_with_all_its_columns(self, name: str) -> None:
        """The reference and Datasette show these texts."""
        text, columns = describe_schema()[name]

        assert text
        assert [column for column, meaning in columns.items() if not meaning] == []

    def test_a_comment_of_several_lines_is_one_description(self) -> None:
        assert "1 << 30" in describe_schema()["url"].columns["depth"]


class TestSteps:
    """With a schema of the tests' own."""

    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        folder = tmp_path / "schema"
        (folder / "tables").mkdir(parents=True)
        (folder / "views").mkdir()
        monkeypatch.setattr(schema_texts, "SCHEMA_DIR", folder)
        self.add_step(folder, 1, f"PRAGMA application_id = {APPLICATION_ID}; CREATE TABLE one (x);")
        return folder

    def add_step(self, folder: Path, number: int, text: str) -> None:
        (folder / "tables" / f"{number:03}_step.sql").write_text(text)

    async def test_only_the_steps_that_are_missing_are_taken(self, path: Path, folder: Path) -> None:
        await open_and_close(path)
        execute(path, "INSERT INTO one VALUES ('kept')")
        self.add_step(folder, 2, "CREATE TABLE two (x);")
        self.add_step(folder, 3, "INSERT INTO two SELECT x FROM one;")

        for _ in range(2):
            await open_and_close(path)

        assert execute(path, "SELECT x FROM two") == [("kept",)]
        assert execute(path, "PRAGMA user_version") == [(3,)]

    async def test_a_step_that_fails_leaves_the_file_as_it_was(self, path: Path, folder: Path) -> None:
        """Half a migration would be a schema that nobody knows, or a file without views."""
        (folder / "views" / "all_of_one.sql").write_text("CREATE VIEW all_of_one AS SELECT x FROM one;\n")
        await open_and_close(path)
        self.add_step(folder, 2, "CREATE TABLE two (x);")
        self.add_step(folder, 3, "CREATE TABLE one (x);")

        with pytest.raises(BadDatabase, match="already exists"):
            await open_and_close(path)

        assert execute(path, "SELECT name FROM sqlite_schema") == [("one",), ("all_of_one",)]
        assert execute(path, "PRAGMA user_version") == [(1,)]

    async def test_a_step_may_replace_a_table_beneath_a_view(self, path: Path, folder: Path) -> None:
        (folder / "views" / "seen.sql").write_text("CREATE VIEW seen AS SELECT x FROM one -- a comment\n;\n")
        await open_and_close(path)
        self.add_step(folder, 2, "CREATE TABLE two (y); DROP TABLE one; ALTER TABLE two RENAME TO one;")
        (folder / "views" / "seen.sql").write_text("CREATE VIEW seen AS SELECT y AS x FROM one -- after\n;\n")

        await open_and_close(path)

        assert execute(path, "SELECT x FROM seen") == []

    async def test_a_file_killed_before_its_first_step_is_a_new_file(self, path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")

        await open_and_close(path)

        assert execute(path, "SELECT count(*) FROM one") == [(0,)]
