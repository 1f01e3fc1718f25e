"""The reader: any file may be named, any SQL may be typed, and a crawl may be running."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import FrameType

import pytest

from penstock.crawler.errors import BadDatabase, BadQuery
from penstock.storage.reading.crawl_reader import CrawlReader, open_reader
from penstock.storage.reading.crawl_status import load_status
from penstock.storage.reading.explanation import explain_url
from penstock.storage.reading.reports import REPORTS, TABLES
from tests.support.database_rows import SITE, CrawlFile

HOME = f"{SITE}/"
# Many seconds of work: long enough to be interrupted, and no hang where that fails.
LONG = (
    "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 100000000) SELECT count(*) FROM n"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "crawl.db"
    with CrawlFile(path) as crawl:
        crawl.crawl()
        crawl.page(HOME, depth=0, seed=True)
        crawl.page(f"{SITE}/a", title="A")
        crawl.link(HOME, f"{SITE}/a", "to a")
        crawl.run(pages=2)
    return path


@pytest.fixture
def reader(path: Path) -> Iterator[CrawlReader]:
    with open_reader(path) as reader:
        yield reader


def refusal(path: Path | str) -> str:
    with pytest.raises(BadDatabase) as caught:
        open_reader(path)
    line = str(caught.value)
    assert "\n" not in line
    return line


def query_refusal(reader: CrawlReader, sql: str) -> str:
    with pytest.raises(BadQuery) as caught:
        list(reader.select(sql))
    return str(caught.value)


class TestOpening:
    """What is no crawl is refused in one line, and never created or changed."""

    def test_a_missing_file_is_not_created(self, tmp_path: Path) -> None:
        assert "does not exist" in refusal(tmp_path / "typo.db")
        assert list(tmp_path.iterdir()) == []

    def test_a_folder_is_refused(self, tmp_path: Path) -> None:
        assert "is a folder" in refusal(tmp_path)

    def test_a_file_as_folder_is_refused(self, path: Path) -> None:
        assert "does not exist" in refusal(path / "crawl.db")

    def test_a_pipe_is_refused_and_not_waited_for(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")

        assert "not a regular file" in refusal(tmp_path / "pipe")

    def test_a_text_file_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "notes.txt").write_text("not a database\n" * 100)

        assert "is not an SQLite database" in refusal(tmp_path / "notes.txt")

    def test_an_empty_file_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "empty.db").touch()

        assert "no crawl was started" in refusal(tmp_path / "empty.db")

    def test_another_applications_database_is_refused(self, tmp_path: Path) -> None:
        other = sqlite3.connect(tmp_path / "other.db")
        other.execute("CREATE TABLE pages (url)")
        other.close()

        assert "another application" in refusal(tmp_path / "other.db")

    def test_a_newer_schema_is_refused(self, path: Path) -> None:
        self.alter(path, "PRAGMA user_version = 999")

        assert "newer Penstock" in refusal(path)

    def test_a_schema_without_views_is_refused(self, path: Path) -> None:
        self.alter(path, "PRAGMA user_version = 1")

        assert "run its crawl again" in refusal(path)

    @pytest.mark.parametrize("kept", [300, 5000, 40_000])
    def test_a_truncated_file_is_refused(self, path: Path, kept: int) -> None:
        os.truncate(path, kept)

        assert "is damaged" in refusal(path)

    def test_damage_that_a_later_query_meets_is_named(self, path: Path) -> None:
        self.alter(path, "PRAGMA journal_mode = DELETE")
        with path.open("r+b") as file:
            file.seek(4096)  # past the page with the schema's root
            file.write(b"\xaa" * (path.stat().st_size - 4096))

        with pytest.raises(BadDatabase, match="is damaged"), open_reader(path) as reader:
            list(reader.select("SELECT * FROM pages"))

    def test_a_file_that_may_not_be_read_is_refused(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(os, "access", lambda path, mode: False)

        assert "permission denied" in refusal(path)

    @pytest.mark.parametrize("name", ["a?b#c %41.db", "a?mode=rwc", "käse 茶.db", "'; --.db", "a\nb.db"])
    def test_odd_names_are_taken_literally(self, path: Path, name: str) -> None:
        """The path goes through a URI, in which `?`, `#` and `%` mean something."""
        odd = path.with_name(name)
        path.rename(odd)

        with open_reader(odd) as reader:
            assert list(reader.select("SELECT count(*) FROM pages")) == [(2,)]

    def test_a_relative_path_is_seen_from_here(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(path.parent)

        with open_reader("crawl.db") as reader:
            assert list(reader.select("SELECT count(*) FROM pages")) == [(2,)]

    def alter(self, path: Path, sql: str) -> None:
        db = sqlite3.connect(path)
        db.execute(sql)
        db.close()


class TestSealedFiles:
    """A file in WAL mode in a folder where SQLite cannot put its -shm (a CD, another user's)."""

    @pytest.fixture
    def sealed(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        connect = sqlite3.connect

        def refuse_locks(database: str, **options: object) -> sqlite3.Connection:
            if "immutable" not in database:
                error = sqlite3.OperationalError("unable to open database file")
                error.sqlite_errorname = "SQLITE_CANTOPEN"
                raise error
            return connect(database, **options)  # type: ignore[call-overload, no-any-return]

        monkeypatch.setattr(sqlite3, "connect", refuse_locks)
        monkeypatch.setattr(os, "access", lambda path, mode: mode == os.R_OK)
        return path

    def test_a_file_in_a_read_only_folder_is_read_with_a_note(self, sealed: Path) -> None:
        with open_reader(sealed) as reader:
            assert list(reader.select("SELECT count(*) FROM pages")) == [(2,)]
            assert reader.note is not None
            assert "it is read as it is" in reader.note

    def test_a_wal_with_content_is_never_ignored(self, sealed: Path) -> None:
        """The newest pages are in it; without them the answers would be wrong."""
        sealed.with_name("crawl.db-wal").write_bytes(b"x" * 100)

        assert "copy it together with crawl.db-wal" in refusal(sealed)

    def test_a_file_that_somebody_may_write_is_not_read_without_locks(
        self, sealed: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(os, "access", lambda path, mode: True)

        assert "SQLite may not write its -shm file" in refusal(sealed)


class TestReadingOnly:
    @pytest.mark.parametrize(
        "sql",
        [
            "DELETE FROM url",
            "WITH x AS (SELECT 1) DELETE FROM url",
            "INSERT INTO host (name) VALUES ('x')",
            "UPDATE url SET state = 0",
            "DROP VIEW pages",
            "CREATE TABLE x (y)",
            "CREATE TEMP TABLE x (y)",
            "REINDEX",
            "ANALYZE",
            "VACUUM",
            "BEGIN IMMEDIATE",
            "PRAGMA user_version = 1",
            "PRAGMA journal_mode = DELETE",
            "PRAGMA query_only = OFF",
            "PRAGMA writable_schema = ON",
            "PRAGMA wal_checkpoint(TRUNCATE)",
        ],
    )
    def test_sql_that_would_change_something_is_refused(
        self, path: Path, reader: CrawlReader, sql: str
    ) -> None:
        before = path.read_bytes()

        assert "read" in query_refusal(reader, sql)
        assert path.read_bytes() == before

    @pytest.mark.parametrize(
        "sql", ["ATTACH '{}' AS x", "VACUUM INTO '{}'", "ATTACH 'file:{}?mode=rwc' AS x"]
    )
    def test_no_other_file_is_opened_or_created(self, reader: CrawlReader, tmp_path: Path, sql: str) -> None:
        """mode=ro protects this database only; an attached one would be created."""
        assert "may not open another file" in query_refusal(reader, sql.format(tmp_path / "new.db"))
        assert not (tmp_path / "new.db").exists()

    def test_a_view_of_the_file_may_not_do_what_a_query_may(self, path: Path) -> None:
        """The file may come from a stranger, and a person who reads `pages` did not write its views.

        Without `trusted_schema = OFF` a view may call any function and table-valued function that is
        not known to be harmless.
        """
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("CREATE VIEW trap AS SELECT count(*) FROM pragma_table_info('host')")

        with open_reader(path) as reader:
            [(columns,)] = reader.select("SELECT count(*) FROM pragma_table_info('host')")
            with pytest.raises(BadQuery, match="unsafe use of virtual table"):
                list(reader.select("SELECT * FROM trap"))

        assert columns == 7

    def test_a_query_may_read_the_schema(self, reader: CrawlReader) -> None:
        assert len(list(reader.select("PRAGMA table_info(pages)"))) > 10
        assert len(list(reader.select("SELECT name FROM pragma_table_info('pages')"))) > 10
        assert list(reader.select("SELECT value FROM json_each('[1]')")) == [(1,)]

    def test_two_statements_are_refused(self, reader: CrawlReader) -> None:
        assert "several statements" in query_refusal(reader, "SELECT 1; DROP TABLE url")

    @pytest.mark.parametrize("sql", ["", "-- nothing", "COMMIT"])
    def test_sql_that_returns_no_rows_is_refused(self, reader: CrawlReader, sql: str) -> None:
        assert query_refusal(reader, sql)


class TestMistakes:
    def test_a_wrong_table_is_answered_with_the_right_ones(self, reader: CrawlReader) -> None:
        line = query_refusal(reader, "SELECT * FROM page")

        assert "'page'" in line
        assert all(name in line for name in (*TABLES, *REPORTS))

    def test_a_wrong_column_is_answered_with_those_of_the_tables_named(self, reader: CrawlReader) -> None:
        line = query_refusal(reader, "SELECT stat FROM pages")

        assert "'stat'" in line
        assert "pages has url, status, depth, title" in line
        assert "links has" not in line

    def test_a_syntax_error_is_shown_with_sqlites_message(self, reader: CrawlReader) -> None:
        assert "syntax error" in query_refusal(reader, "SELEC 1")

    def test_sql_that_is_no_text_is_refused(self, reader: CrawlReader) -> None:
        """A shell may pass any bytes; Python makes lone surrogates of them."""
        assert "UTF-8" in query_refusal(reader, "SELECT '\udcff'")

    def test_an_error_in_the_middle_of_the_rows_is_translated(self, reader: CrawlReader) -> None:
        sql = "SELECT abs(x) FROM (SELECT 1 AS x UNION ALL SELECT -9223372036854775807 - 1)"

        assert "integer overflow" in query_refusal(reader, sql)

    def test_text_that_is_no_utf8_is_shown_and_does_not_end_the_query(self, reader: CrawlReader) -> None:
        assert list(reader.select("SELECT CAST(x'ff41' AS TEXT)")) == [("\ufffdA",)]


class TestBesideACrawl:
    @pytest.fixture
    def writer(self, path: Path) -> Iterator[sqlite3.Connection]:
        writer = sqlite3.connect(path, isolation_level=None, timeout=0)
        yield writer
        writer.close()

    def add(self, writer: sqlite3.Connection, path: str) -> None:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute(
            "INSERT INTO url (host_id, secure, path, depth, hops, followed, seed, state) "
            "VALUES (1, 1, ?, 1, 0, 1, 0, 0)",
            (path,),
        )
        writer.execute("COMMIT")

    def test_the_crawl_goes_on_while_a_query_is_being_read(
        self, reader: CrawlReader, writer: sqlite3.Connection
    ) -> None:
        """The writer waits for nothing here: its timeout is zero."""
        rows = iter(reader.select("SELECT url FROM urls"))
        next(rows)

        self.add(writer, "/new")

        assert len(list(rows)) == 1  # the moment at which the query began
        assert len(list(reader.select("SELECT url FROM urls"))) == 3

    def test_a_query_that_was_read_holds_no_moment_back(
        self, reader: CrawlReader, writer: sqlite3.Connection
    ) -> None:
        """Otherwise the WAL could never be emptied."""
        list(reader.select("SELECT url FROM urls"))
        self.add(writer, "/new")

        [(busy, *_)] = writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")

        assert busy == 0

    def test_a_query_that_was_left_early_holds_no_moment_back(
        self, reader: CrawlReader, writer: sqlite3.Connection
    ) -> None:
        rows = reader.select("SELECT url FROM urls")
        for _ in rows:
            break
        self.add(writer, "/new")

        [(busy, *_)] = writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")

        assert busy == 0

    def test_the_answers_of_a_snapshot_are_of_one_moment(
        self, reader: CrawlReader, writer: sqlite3.Connection
    ) -> None:
        with reader.snapshot() as connection:
            before = load_status(connection, reader.path).totals.states
            self.add(writer, "/new")
            assert load_status(connection, reader.path).totals.states == before
        with reader.snapshot() as connection:
            assert load_status(connection, reader.path).totals.states["pending"] == before["pending"] + 1

    def test_a_killed_crawls_last_commits_are_seen(self, path: Path, writer: sqlite3.Connection) -> None:
        """They stand in the WAL only; the file and its WAL are copied as a kill would leave them."""
        self.add(writer, "/new")
        for suffix in ("", "-wal"):
            copy = path.with_name(f"killed.db{suffix}")
            copy.write_bytes(path.with_name(path.name + suffix).read_bytes())

        killed, before = path.with_name("killed.db"), path.read_bytes()
        with open_reader(killed) as reader:
            assert list(reader.select("SELECT count(*) FROM urls")) == [(3,)]

        # Emptying the WAL into the file is the next crawl's business, never a reader's.
        assert killed.read_bytes() == before
        assert killed.with_name("killed.db-wal").stat().st_size > 0


class TestInterrupt:
    def test_ctrl_c_ends_a_long_query(self, reader: CrawlReader) -> None:
        """Python itself would see the signal only after SQLite has come back."""

        def interrupt(number: int, frame: FrameType | None) -> None:
            raise KeyboardInterrupt

        before = signal.signal(signal.SIGALRM, interrupt)
        began = time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        try:
            with pytest.raises(KeyboardInterrupt):
                list(reader.select(LONG))
            assert time.monotonic() - began < 5
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

    def test_closing_before_the_last_row_is_silent(self, path: Path) -> None:
        with open_reader(path) as reader:
            rows = iter(reader.select("SELECT * FROM pages"))
            next(rows)
        del rows  # a complaint of its destructor would be a warning, and so an error


class TestTheWayToAUrl:
    def path(self, path: Path, url: str) -> list[tuple[str, str, str]]:
        with open_reader(path) as reader, reader.snapshot() as connection:
            return [(step.how, step.url, step.text) for step in explain_url(connection, url).path]

    def test_the_path_to_a_url_leads_over_links_and_redirects_from_a_seed(self, path: Path) -> None:
        db = path.with_name("way.db")
        with CrawlFile(db) as crawl:
            crawl.page(HOME, depth=0, seed=True)
            crawl.link(HOME, f"{SITE}/old", "old")
            crawl.redirect(f"{SITE}/old", f"{SITE}/new", depth=1)
            crawl.page(f"{SITE}/new", depth=1)
            crawl.link(f"{SITE}/new", f"{SITE}/end", "on")
            crawl.url(f"{SITE}/end", "pending", depth=2)

        assert self.path(db, f"{SITE}/end") == [
            ("seed", HOME, ""),
            ("link", f"{SITE}/old", "old"),
            ("redirect", f"{SITE}/new", ""),
            ("link", f"{SITE}/end", "on"),
        ]

    def test_the_path_to_a_url_leaves_out_redirect_loops(self, path: Path) -> None:
        """/b and /c redirect to each other, and each sorts before the page that links to /c."""
        db = path.with_name("circle.db")
        with CrawlFile(db) as crawl:
            crawl.page(f"{SITE}/z", depth=0, seed=True)
            crawl.redirect(f"{SITE}/b", f"{SITE}/c", depth=1)
            crawl.redirect(f"{SITE}/c", f"{SITE}/b", depth=1)
            crawl.link(f"{SITE}/z", f"{SITE}/c", "in")

        assert self.path(db, f"{SITE}/b") == [
            ("seed", f"{SITE}/z", ""),
            ("link", f"{SITE}/c", "in"),
            ("redirect", f"{SITE}/b", ""),
        ]
        assert self.path(db, f"{SITE}/c")[-1] == ("link", f"{SITE}/c", "in")

    def test_the_last_step_of_the_path_is_discovered_from(self, path: Path) -> None:
        db = path.with_name("parents.db")
        with CrawlFile(db) as crawl:
            crawl.page(HOME, depth=0, seed=True)
            for parent in ("b", "a", "c"):
                crawl.page(f"{SITE}/{parent}")
                crawl.link(HOME, f"{SITE}/{parent}")
                crawl.link(f"{SITE}/{parent}", f"{SITE}/end")
            crawl.url(f"{SITE}/end", depth=2)

        assert self.path(db, f"{SITE}/end")[-2][1] == f"{SITE}/a"

    def test_a_url_that_nothing_leads_to_has_no_path(self, path: Path) -> None:
        db = path.with_name("lost.db")
        with CrawlFile(db) as crawl:
            crawl.page(f"{SITE}/lost")

        assert self.path(db, f"{SITE}/lost") == []
