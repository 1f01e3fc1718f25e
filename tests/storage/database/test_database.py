"""The file: whose it is, who may write to it, how it is brought up to date, and what a transaction is."""

from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from penstock.crawler.errors import BadDatabase, DatabaseInUse, StorageFailed
from penstock.crawler.scheduler.discovery import UrlKind, UrlState
from penstock.storage.database import database, file_lock
from penstock.storage.database.batching import MAX_ROWS
from penstock.storage.database.database import Database, explain
from penstock.storage.database.file_lock import FileLock
from penstock.storage.database.migration import APPLICATION_ID
from penstock.storage.database.schema_texts import newest_version


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "crawl.db"


@pytest.fixture
async def db(path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(path)
    yield opened
    await opened.close()


def sqlite(path: Path, *statements: str) -> list[tuple[object, ...]]:
    """What another program does to the file; the rows of the last statement."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        return [connection.execute(statement).fetchall() for statement in statements][-1]


def files(path: Path) -> list[str]:
    return sorted(one.name for one in path.parent.iterdir())


class TestOpening:
    async def test_a_new_file_is_ours_and_has_the_newest_schema(self, path: Path, db: Database) -> None:
        assert await db.row("PRAGMA application_id") == (APPLICATION_ID,)
        assert await db.row("PRAGMA user_version") == (newest_version(),)
        assert await db.row("PRAGMA journal_mode") == ("wal",)
        assert {name for (name,) in await db.rows("SELECT name FROM sqlite_schema WHERE type = 'view'")} >= {
            "pages", "urls", "links",
        }  # fmt: skip

    @pytest.mark.parametrize(("durable", "level"), [(False, 1), (True, 2)])
    async def test_durable_waits_for_the_disk(self, path: Path, durable: bool, level: int) -> None:
        """NORMAL survives a kill; FULL a power cut too."""
        opened = await Database.open(path, durable=durable)
        try:
            assert await opened.row("PRAGMA synchronous") == (level,)
        finally:
            await opened.close()

    async def test_what_was_written_is_there_when_it_is_opened_again(self, path: Path) -> None:
        for expected in range(3):
            opened = await Database.open(path)
            assert await opened.row("SELECT count(*) FROM runs") == (expected,)
            async with opened.transaction():
                await opened.run("INSERT INTO runs (started_at, config) VALUES ('now', '{}')")
            await opened.close()

    async def test_an_empty_file_is_a_new_one(self, path: Path) -> None:
        make_nothing(path)

        await (await Database.open(path)).close()

        assert sqlite(path, "SELECT count(*) FROM url") == [(0,)]

    async def test_closed_it_leaves_one_file_and_no_thread(self, path: Path) -> None:
        """A connection that stays open would hang the interpreter at its exit."""
        before = threading.enumerate()

        await (await Database.open(path)).close()

        assert files(path) == ["crawl.db"]
        assert threads_left(before) == []


def content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def threads_left(before: list[threading.Thread]) -> list[threading.Thread]:
    """Those that were started since and do not end."""
    since = [thread for thread in threading.enumerate() if thread not in before]
    for thread in since:
        thread.join(2)
    return [thread for thread in since if thread.is_alive()]


def make_nothing(path: Path) -> None:
    path.touch()


def make_text(path: Path) -> None:
    path.write_text("This is no database, it is a letter.")


def make_folder(path: Path) -> None:
    path.mkdir()


def make_dangling_link(path: Path) -> None:
    path.symlink_to(path.parent / "nowhere" / "crawl.db")


def make_other_application(path: Path) -> None:
    sqlite(path, "PRAGMA application_id = 42", "CREATE TABLE letters (text)")


def make_unmarked_database(path: Path) -> None:
    sqlite(path, "CREATE TABLE letters (text)", "INSERT INTO letters VALUES ('dear')")


def make_newer(path: Path) -> None:
    sqlite(
        path, f"PRAGMA application_id = {APPLICATION_ID}", "PRAGMA user_version = 999", "CREATE TABLE x (y)"
    )


def make_hollow(path: Path) -> None:
    sqlite(
        path, f"PRAGMA application_id = {APPLICATION_ID}", "PRAGMA user_version = 1", "CREATE TABLE crawl (x)"
    )


def make_unversioned(path: Path) -> None:
    sqlite(path, f"PRAGMA application_id = {APPLICATION_ID}", "CREATE TABLE url (x)")


def make_damaged(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 5_000)


def make_cut_off(path: Path) -> None:
    sqlite(path, "CREATE TABLE x (y)")
    path.write_bytes(path.read_bytes()[:50])


class TestRefusing:
    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (make_text, "is not an SQLite database"),
            (make_folder, "is a folder"),
            (make_dangling_link, "cannot be opened|does not exist"),
            (make_other_application, "another application's database"),
            (make_unmarked_database, "another application's database"),
            (make_newer, r"newer Penstock \(schema 999"),
            (make_hollow, "damaged: body is missing"),
            (make_unversioned, "damaged: it has tables, but no schema version"),
            (make_damaged, "damaged"),
            (make_cut_off, "damaged|not an SQLite database"),
        ],
    )
    async def test_what_is_not_ours_is_refused_and_left_as_it_was(
        self, path: Path, make: Callable[[Path], None], message: str
    ) -> None:
        make(path)
        before, threads = content(path), threading.enumerate()

        with pytest.raises(BadDatabase, match=message) as caught:
            await Database.open(path)

        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
        assert content(path) == before
        assert files(path) == ["crawl.db"]
        assert threads_left(threads) == []

    async def test_what_may_not_be_written_to_is_refused_before_sqlite_makes_files_beside_it(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """They would be as read-only as the file, and stay so when it no longer is."""
        await (await Database.open(path)).close()
        monkeypatch.setattr(os, "access", lambda path, mode: False)  # permission bits do not bind root

        with pytest.raises(BadDatabase, match="may not be written to"):
            await Database.open(path)
        assert files(path) == ["crawl.db"]

    async def test_a_folder_that_is_not_there_is_not_made(self, tmp_path: Path) -> None:
        with pytest.raises(BadDatabase, match="does not exist"):
            await Database.open(tmp_path / "no" / "crawl.db")

        assert files(tmp_path / "any") == []


class TestLock:
    async def test_a_second_crawl_on_the_file_is_refused_at_once(self, path: Path, db: Database) -> None:
        """Two connections that write could corrupt it."""
        with pytest.raises(DatabaseInUse, match="another crawl is running") as refusal:
            await Database.open(path)

        assert refusal.value.exit_code == 75

        await db.run("SELECT 1")  # the first goes on

    async def test_also_from_another_process(self, path: Path, db: Database) -> None:
        code = (
            "import sys; from pathlib import Path; from penstock.storage.database.file_lock import FileLock; "
        )
        code += "FileLock.acquire(Path(sys.argv[1]))"
        run = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", code, str(path)],
            capture_output=True,
            text=True,
            check=False,
        )

        assert "another crawl is running" in run.stderr

    async def test_once_it_is_closed_the_next_may_open_it(self, path: Path) -> None:
        for _ in range(3):
            await (await Database.open(path)).close()

    def test_a_lock_file_that_was_left_behind_locks_nothing(self, path: Path) -> None:
        """The system drops the lock with the process; only the name stays after a kill."""
        path.with_name("crawl.db-lock").touch()

        FileLock.acquire(path).release()

        assert files(path) == []

    def test_a_file_system_without_locks_is_not_taken_for_a_running_crawl(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Some network file systems have none; to wait for that other crawl would be to wait for ever."""

        def refuse(descriptor: int) -> None:
            raise OSError(errno.ENOLCK, "No locks available")

        monkeypatch.setattr(file_lock, "_lock", refuse)

        with pytest.raises(BadDatabase, match=r"cannot lock .*: No locks available; choose a --db on"):
            FileLock.acquire(path)
        assert files(path) == []

    def test_a_lock_is_released_once(self, path: Path) -> None:
        first = FileLock.acquire(path)
        first.release()
        second = FileLock.acquire(path)
        first.release()

        with pytest.raises(BadDatabase):
            FileLock.acquire(path)
        second.release()

    async def test_readers_are_let_in(self, path: Path, db: Database) -> None:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as reader:
            assert reader.execute("SELECT count(*) FROM urls").fetchall() == [(0,)]


NOTE = "INSERT INTO runs (started_at, config) VALUES (?, '{}')"
INSERT_NOTE = "INSERT OR FAIL INTO runs (started_at, config) VALUES (?, '{}')"


class TestTransaction:
    async def notes(self, db: Database) -> list[str]:
        return [text for (text,) in await db.rows("SELECT started_at FROM runs ORDER BY id")]

    async def test_all_of_it_is_committed_at_its_end(self, path: Path, db: Database) -> None:
        async with db.transaction():
            await db.run(NOTE, ["a"])
            await db.run_many(NOTE, [("b",), ("c",)])
            assert sqlite(path, "SELECT * FROM runs") == []

        assert await self.notes(db) == ["a", "b", "c"]

    @pytest.mark.parametrize("error", [KeyError("a bug"), asyncio.CancelledError(), KeyboardInterrupt()])
    async def test_an_error_takes_all_of_it_back(self, db: Database, error: BaseException) -> None:
        with pytest.raises(type(error)):
            await self.fail(db, error)

        assert await self.notes(db) == []
        async with db.transaction():
            await db.run(NOTE, ["b"])
        assert await self.notes(db) == ["b"]

    async def fail(self, db: Database, error: BaseException) -> None:
        async with db.transaction():
            await db.run(NOTE, ["a"])
            raise error

    async def test_an_impatient_one_waits_for_nobody_and_leaves_the_next_its_patience(
        self, path: Path, db: Database
    ) -> None:
        """Samples may be lost; a page behind them must not wait for their wait."""
        with closing(sqlite3.connect(path, isolation_level=None)) as foreign:
            foreign.execute("BEGIN IMMEDIATE")
            began = asyncio.get_running_loop().time()
            with pytest.raises(StorageFailed):
                await db.transaction(wait_for_lock=False).__aenter__()

        assert asyncio.get_running_loop().time() - began < 5
        assert await db.row("PRAGMA busy_timeout") == (10_000,)

    async def test_a_query_in_it_knows_what_it_has_said_so_far(self, db: Database) -> None:
        async with db.transaction():
            await db.run(NOTE, ["a"])
            await db.run_many(NOTE, [("b",), ("c",)])
            await db.run_multi_row(INSERT_NOTE, ["d"])
            assert await self.notes(db) == ["a", "b", "c", "d"]
            await db.run("DELETE FROM runs WHERE started_at = 'a'")

        assert await self.notes(db) == ["b", "c", "d"]

    async def test_a_transaction_is_executed_in_one_call_to_the_sqlite_thread(
        self, db: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A visit costs as much as fifty rows, on both sides."""
        visits = 0
        visit = database._call_in_thread

        async def counted(*args: Any) -> Any:
            nonlocal visits
            visits += 1
            return await visit(*args)

        monkeypatch.setattr(database, "_call_in_thread", counted)
        async with db.transaction():
            for text in "abc":
                await db.run(NOTE, [text])

        assert visits == 1

    @pytest.mark.parametrize("count", [0, 1, MAX_ROWS - 1, MAX_ROWS, 2 * MAX_ROWS + 1])
    async def test_rows_are_inserted_in_their_order_however_many_they_are(
        self, db: Database, count: int
    ) -> None:
        async with db.transaction():
            await db.run_multi_row(INSERT_NOTE, [str(number) for number in range(count)])

        assert await self.notes(db) == [str(number) for number in range(count)]

    async def test_values_are_kept_as_they_are(self, db: Database) -> None:
        given = [None, b"\0", True, UrlState.DONE, UrlKind.RESOURCE]

        [row] = await db.rows("SELECT ?, ?, ?, ?, ?", given)

        assert row == tuple(given)
        assert [type(value) for value in row] == [type(None), bytes, int, int, int]

    @pytest.mark.parametrize("at", [0, MAX_ROWS - 1, MAX_ROWS + 3])
    async def test_a_row_that_cannot_be_inserted_takes_all_of_it_back(self, db: Database, at: int) -> None:
        """OR FAIL keeps the rows before it; the transaction does not."""
        values = [str(number) for number in range(MAX_ROWS + 4)]
        with pytest.raises(StorageFailed, match="NOT NULL constraint failed"):
            await self.insert(db, [*values[:at], None, *values[at + 1 :]])

        assert await self.notes(db) == []

    async def insert(self, db: Database, values: Sequence[object]) -> None:
        async with db.transaction():
            await db.run_multi_row(INSERT_NOTE, values)

    async def test_an_error_of_sqlite_is_ours_and_says_what_to_do(self, db: Database) -> None:
        with pytest.raises(StorageFailed, match="UNIQUE constraint failed"):
            await self.twice(db)

        assert await self.notes(db) == []

    async def twice(self, db: Database) -> None:
        async with db.transaction():
            for _ in range(2):
                await db.run("INSERT INTO runs (id, started_at, config) VALUES (1, 'a', '{}')")

    async def test_one_transaction_waits_for_another(self, db: Database) -> None:
        async def note(text: str) -> None:
            async with db.transaction():
                await db.run(NOTE, [text])
                await asyncio.sleep(0)
                await db.run(NOTE, [text])

        await asyncio.gather(*(note(text) for text in "abc"))

        assert await self.notes(db) == ["a", "a", "b", "b", "c", "c"]

    async def test_the_lock_keeps_commits_out_of_several_reads(self, db: Database) -> None:
        async with db.lock:
            waiting = asyncio.create_task(self.twice(db))
            counts = [await db.row("SELECT count(*) FROM runs") for _ in range(3)]
        await asyncio.wait([waiting])

        assert counts == [(0,)] * 3
        assert isinstance(waiting.exception(), StorageFailed)


class TestExplain:
    @pytest.mark.parametrize(
        ("name", "hint"),
        [
            ("SQLITE_FULL", "the disk is full; free some room"),
            ("SQLITE_BUSY_SNAPSHOT", "write lock"),
            ("SQLITE_CORRUPT_INDEX", "damaged"),
            ("SQLITE_NOTADB", "not an SQLite database"),
            ("SQLITE_READONLY_DIRECTORY", "may not be written to"),
            ("SQLITE_IOERR_WRITE", "the disk failed"),
            ("SQLITE_CONSTRAINT", "failed"),
        ],
    )
    def test_an_error_names_the_file_and_the_way_out(self, name: str, hint: str) -> None:
        error = sqlite3.OperationalError("said by sqlite")
        error.sqlite_errorname = name

        text = explain(Path("my.db"), error)

        assert text.startswith("database my.db: ")
        assert hint in text
        assert text.endswith("(said by sqlite)")
