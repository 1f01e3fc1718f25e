"""Database: the file. Whose it is, who may write to it, its schema, the one writing connection.

May touch: aiosqlite (nobody else imports it), sqlite3, the file system.

Invariant: one process per file and one writing connection in it. SQLite 3.7.0 to 3.51.2
can corrupt a WAL that two connections write and checkpoint, so a second crawl is refused.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence, Set
from contextlib import asynccontextmanager, closing
from functools import cache
from pathlib import Path
from typing import Any

import aiosqlite

from crawler.errors import BadDatabase, StorageFailed
from storage.file_lock import FileLock

APPLICATION_ID = 0x50454E53  # 'PENS', set by schema 1
SCHEMA_DIR = Path(__file__).parent / "schema"
BUSY_SECONDS = 10.0  # how long another program may hold the write lock before it is an error

# The text of an error, or of a row, may quote a damaged page, and then is no UTF-8.
DAMAGE = (sqlite3.Error, UnicodeDecodeError)

Params = Mapping[str, object] | Sequence[object]


def schema_files() -> list[tuple[int, Path]]:
    """The schema's steps in order: (number, file)."""
    return sorted((int(path.name[:3]), path) for path in SCHEMA_DIR.glob("[0-9][0-9][0-9]_*.sql"))


class Database:
    """The writing connection. `lock` makes one reader or writer of several statements."""

    def __init__(self, path: Path, connection: aiosqlite.Connection, file_lock: FileLock) -> None:
        self.path = path
        self.lock = asyncio.Lock()
        self._connection = connection
        self._file_lock = file_lock

    @classmethod
    async def open(cls, path: Path, *, durable: bool = False) -> Database:
        """Open or create `path`, migrate it. Raises BadDatabase, the file then left as it was."""
        _refuse_other_files(path)
        file_lock = FileLock.acquire(path)
        try:
            connection = await _connect(path, durable=durable)
        except BaseException:
            file_lock.release()
            raise
        return cls(path, connection, file_lock)

    async def close(self) -> None:
        """Close for good; an aiosqlite connection left open would hang the interpreter at its exit."""
        try:
            await self._connection.close()
        except sqlite3.Error as error:
            raise StorageFailed(explain(self.path, error)) from error
        finally:
            self._file_lock.release()

    async def rows(self, sql: str, params: Params = ()) -> list[Any]:
        """All rows of a query, as tuples."""
        try:
            return list(await self._connection.execute_fetchall(sql, params))
        except DAMAGE as error:
            raise StorageFailed(explain(self.path, error)) from error

    async def row(self, sql: str, params: Params = ()) -> Any:
        """The first row, or None."""
        found = await self.rows(sql, params)
        return found[0] if found else None

    async def run(self, sql: str, params: Params = ()) -> None:
        await self.rows(sql, params)

    async def run_many(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """One statement for many rows: 0.7 microseconds a row instead of 36."""
        try:
            await (await self._connection.executemany(sql, rows)).close()
        except DAMAGE as error:
            raise StorageFailed(explain(self.path, error)) from error

    @asynccontextmanager
    async def transaction(self, *, patient: bool = True) -> AsyncIterator[None]:
        """Hold the lock; commit at the end, roll back on any error.

        Not `patient`: fail at once while another program writes to the file.
        """
        async with self.lock:
            if not patient:
                await self.run("PRAGMA busy_timeout = 0")
            try:
                await self.run("BEGIN IMMEDIATE")
            finally:
                if not patient:
                    await self.run(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000:.0f}")
            try:
                yield
                await self.run("COMMIT")
            except BaseException:
                await self._roll_back()
                raise

    async def _roll_back(self) -> None:
        try:
            await self._connection.execute_fetchall("ROLLBACK")
        except sqlite3.Error:
            # After a full disk SQLite has rolled back by itself; the first error is the one to tell.
            return


async def _connect(path: Path, *, durable: bool) -> aiosqlite.Connection:
    connection = None
    opening = aiosqlite.connect(path, isolation_level=None, timeout=BUSY_SECONDS)
    try:
        connection = await opening
        await _refuse_other_databases(path, connection)
        await connection.execute_fetchall("PRAGMA journal_mode = WAL")
        for pragma in (
            # NORMAL survives kill -9; a power cut may drop the last commits, never the file.
            f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}",
            "PRAGMA cache_size = -16000",  # KiB
            "PRAGMA temp_store = MEMORY",
            f"PRAGMA journal_size_limit = {64 << 20}",
        ):
            await connection.execute_fetchall(pragma)
        await _migrate(connection)
    except BaseException as error:
        if connection is not None:
            await connection.close()
        else:
            # Its thread was told to stop, and nobody waits for it: it would meet a closed event
            # loop, and say so in a traceback.
            while opening._thread.is_alive():  # noqa: ASYNC110 (a thread sets no event)
                await asyncio.sleep(0.001)
        if isinstance(error, DAMAGE):
            raise BadDatabase(explain(path, error)) from error
        raise
    return connection


async def _refuse_other_databases(path: Path, connection: aiosqlite.Connection) -> None:
    [(application_id,)] = await connection.execute_fetchall("PRAGMA application_id")
    [(version,)] = await connection.execute_fetchall("PRAGMA user_version")
    names = {name for (name,) in await connection.execute_fetchall("SELECT name FROM sqlite_schema")}
    if application_id != APPLICATION_ID and (names or application_id):
        raise BadDatabase(f"{path} is another application's database; choose another --db")
    newest = schema_files()[-1][0]
    if version > newest:
        raise BadDatabase(
            f"{path} was written by a newer Penstock (schema {version}, this one knows {newest}); upgrade"
        )
    steps = tuple(file for number, file in schema_files() if number <= version)
    missing = sorted(_made_by(steps) - names)
    if missing or (names and not steps):
        what = f"there is no {missing[0]}" if missing else "there is no mark of its schema"
        raise BadDatabase(
            f"{path} is damaged: of what Penstock's schema {version} has {what}; "
            "restore a copy, or choose another --db"
        )


@cache
def _made_by(steps: Sequence[Path]) -> Set[str]:
    """The names of all tables, views and indexes that these steps of the schema make."""
    with closing(sqlite3.connect(":memory:")) as empty:
        for step in steps:
            empty.executescript(step.read_text("utf-8"))
        return {name for (name,) in empty.execute("SELECT name FROM sqlite_schema")}


async def _migrate(connection: aiosqlite.Connection) -> None:
    [(version,)] = await connection.execute_fetchall("PRAGMA user_version")
    for number, file in schema_files():
        if number > version:
            step = file.read_text("utf-8")
            await connection.executescript(
                f"BEGIN IMMEDIATE;\n{step}\nPRAGMA user_version = {number};\nCOMMIT;"
            )


def _refuse_other_files(path: Path) -> None:
    """Before SQLite touches it: what is plainly no database of ours is never opened."""
    try:
        if path.is_dir():
            raise BadDatabase(f"{path} is a folder; --db takes a file")
        if not path.parent.is_dir():
            raise BadDatabase(f"the folder of {path} does not exist")
        if path.exists():
            if not path.is_file():  # opening a FIFO would wait for a writer for ever
                raise BadDatabase(f"{path} is no regular file")
            with path.open("rb") as file:
                head = file.read(16)
            if head and head != b"SQLite format 3\0":
                raise BadDatabase(f"{path} is not an SQLite database; choose another --db")
            if not os.access(path, os.W_OK):
                # SQLite would leave a WAL beside it that may not be written to either, ever.
                raise BadDatabase(f"{path} may not be written to")
    except OSError as error:
        raise BadDatabase(f"cannot read {path}: {error.strerror or error}") from error


def explain(path: Path, error: Exception) -> str:
    """One line a person can act on."""
    code = "SQLITE_CORRUPT" if isinstance(error, UnicodeError) else getattr(error, "sqlite_errorname", "")
    hints = {
        "SQLITE_FULL": "the disk is full; free some room, then run the same command to resume",
        "SQLITE_BUSY": f"another program held its write lock for over {BUSY_SECONDS:g} s",
        "SQLITE_LOCKED": "another program holds it locked",
        "SQLITE_CORRUPT": "it is damaged; restore a copy, or start anew with another --db",
        "SQLITE_NOTADB": "it is not an SQLite database, or it is damaged",
        "SQLITE_READONLY": "it may not be written to",
        "SQLITE_CANTOPEN": "it cannot be opened; is the folder writable?",
        "SQLITE_IOERR": "the disk failed; when it is well again, run the same command to resume",
    }
    if "no such table" in str(error) or "no such column" in str(error):
        return f"database {path}: it is damaged, or half of it is missing ({error}); choose another --db"
    hint = next((text for name, text in hints.items() if code.startswith(name)), None)
    return f"database {path}: {hint or 'failed'} ({error})"
