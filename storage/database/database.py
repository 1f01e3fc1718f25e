"""Database: the open file and its one writing connection.

May touch: aiosqlite (nobody else imports it), sqlite3, the file system.

Invariant: one process per file and one writing connection in it. SQLite 3.7.0 to 3.51.2
can corrupt a WAL that two connections write and checkpoint, so a second crawl is refused.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import aiosqlite

from penstock.crawler.errors import BadDatabase, StorageFailed
from penstock.storage.database.batching import MANY, MULTI_ROW, Params, Statement, execute_batch
from penstock.storage.database.file_lock import FileLock
from penstock.storage.database.migration import migrate, refuse_other_databases

BUSY_SECONDS = 10.0  # how long another program may hold the write lock before it is an error

P = ParamSpec("P")
T = TypeVar("T")

# The text of an error or of a row may quote a damaged page, which is not valid UTF-8.
DAMAGE = (sqlite3.Error, UnicodeDecodeError)


class Database:
    """The writing connection. Hold `lock` for several statements that belong together.

    SQLite runs in a thread of its own, and a call to it costs as much as fifty rows. So the
    statements of a transaction are queued and executed at its end or before its first query.
    """

    def __init__(self, path: Path, connection: aiosqlite.Connection, file_lock: FileLock) -> None:
        self.path = path
        self.lock = asyncio.Lock()
        self._connection = connection
        self._file_lock = file_lock
        self._queued: list[Statement] | None = None  # of the open transaction; None: no transaction is open

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
        """Close the connection: one that is left open would hang the interpreter at exit."""
        try:
            await self._connection.close()
        except sqlite3.Error as error:
            raise StorageFailed(explain(self.path, error)) from error
        finally:
            self._file_lock.release()

    async def rows(self, sql: str, params: Params = ()) -> list[Any]:
        """All rows of a query, as tuples. The queued statements of the transaction are executed before it."""
        return await self._execute(Statement(sql, params))

    async def row(self, sql: str, params: Params = ()) -> Any:
        """The first row, or None."""
        found = await self.rows(sql, params)
        return found[0] if found else None

    async def run(self, sql: str, params: Params = ()) -> None:
        """Execute a statement that returns no rows. In a transaction it is queued: its error may be raised
        as late as the commit, and its parameters must not change until then."""
        await self._enqueue(Statement(sql, params))

    async def run_many(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """Execute one statement for each of many rows. Queued in a transaction, as by `run`."""
        await self._enqueue(Statement(sql, rows, MANY))

    async def run_multi_row(self, sql: str, values: Sequence[object]) -> None:
        """The same in half the time, for a statement whose VALUES list of one row is given many rows.
        `values` holds the rows one after the other."""
        await self._enqueue(Statement(sql, values, MULTI_ROW))

    async def _enqueue(self, statement: Statement) -> None:
        if self._queued is None:
            await self._execute(statement)
        else:
            self._queued.append(statement)

    async def _execute(self, *statements: Statement) -> list[Any]:
        """Execute the queued statements, then these; return the rows of the last one."""
        if self._queued:
            statements, self._queued = (*self._queued, *statements), []
        try:
            return await _call_in_thread(self._connection, execute_batch, statements)
        except DAMAGE as error:
            raise StorageFailed(explain(self.path, error)) from error

    @asynccontextmanager
    async def transaction(self, *, wait_for_lock: bool = True) -> AsyncIterator[None]:
        """Hold the lock; commit at the end, roll back on any error.

        With `wait_for_lock` False, fail at once if another program holds the write lock.
        """
        async with self.lock:
            if wait_for_lock:
                self._queued = [Statement("BEGIN IMMEDIATE")]
            else:
                await self._begin_at_once()
                self._queued = []
            try:
                yield
                await self._execute(Statement("COMMIT"))
            except BaseException:
                await self._roll_back()
                raise
            finally:
                self._queued = None

    async def _begin_at_once(self) -> None:
        await self.run("PRAGMA busy_timeout = 0")
        try:
            await self.run("BEGIN IMMEDIATE")
        finally:
            await self.run(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000:.0f}")

    async def _roll_back(self) -> None:
        try:
            await self._connection.execute_fetchall("ROLLBACK")
        except sqlite3.Error:
            # After a full disk SQLite has rolled back by itself; the first error is the one to report.
            return


async def _call_in_thread(
    connection: aiosqlite.Connection,
    call: Callable[Concatenate[sqlite3.Connection, P], T],
    *args: P.args,
    **kw: P.kwargs,
) -> T:
    """Call a function on the connection itself, in its thread.

    Cancelling the await does not cancel the call.
    """
    done: T = await connection._execute(call, connection._conn, *args, **kw)  # type: ignore[no-untyped-call]
    return done


async def _connect(path: Path, *, durable: bool) -> aiosqlite.Connection:
    connection = None
    opening = aiosqlite.connect(path, isolation_level=None, timeout=BUSY_SECONDS)
    try:
        connection = await opening
        await _call_in_thread(connection, _prepare, path, durable)
    except BaseException as error:
        if connection is not None:
            await connection.close()
        else:
            # Its thread is about to stop. If nothing waits for it, it finds a closed event loop and
            # prints a traceback.
            while opening._thread.is_alive():  # noqa: ASYNC110 (a thread sets no event)
                await asyncio.sleep(0.001)
        if isinstance(error, DAMAGE):
            raise BadDatabase(explain(path, error)) from error
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path, durable: bool) -> None:
    """Configure the connection, in its own thread."""
    refuse_other_databases(path, connection)
    for pragma in (
        "PRAGMA journal_mode = WAL",
        # NORMAL survives kill -9; a power cut may drop the last commits, never the file.
        f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}",
        "PRAGMA cache_size = -16000",  # KiB
        # 16 MiB of log instead of 4: pages that are written again and again are copied into the file a
        # quarter as often, and each copy waits for the disk twice.
        "PRAGMA wal_autocheckpoint = 4000",
        f"PRAGMA journal_size_limit = {64 << 20}",
    ):
        connection.execute(pragma).fetchall()
    migrate(connection)
    # After the migration: that may sort ten million rows, and does so on disk.
    connection.execute("PRAGMA temp_store = MEMORY").fetchall()


def _refuse_other_files(path: Path) -> None:
    """Refuse files that are no database of ours before SQLite opens them."""
    try:
        if path.is_dir():
            raise BadDatabase(f"{path} is a folder; --db needs a file")
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
                # SQLite would create a WAL beside it that is read-only too.
                raise BadDatabase(f"{path} may not be written to")
    except OSError as error:
        raise BadDatabase(f"cannot read {path}: {error.strerror or error}") from error


def explain(path: Path, error: Exception) -> str:
    """Return one line that says what is wrong and what to do."""
    code = "SQLITE_CORRUPT" if isinstance(error, UnicodeError) else getattr(error, "sqlite_errorname", "")
    hints = {
        "SQLITE_FULL": "the disk is full; free some room, then run the same command to resume",
        "SQLITE_BUSY": f"another program held its write lock for over {BUSY_SECONDS:g} s",
        "SQLITE_LOCKED": "another program holds it locked",
        "SQLITE_CORRUPT": "it is damaged; restore a copy, or choose another --db",
        "SQLITE_NOTADB": "it is not an SQLite database, or it is damaged",
        "SQLITE_READONLY": "it may not be written to",
        "SQLITE_CANTOPEN": "it cannot be opened; is the folder writable?",
        "SQLITE_IOERR": "the disk failed; repair it, then run the same command to resume",
    }
    if "no such table" in str(error) or "no such column" in str(error):
        return f"database {path}: it is damaged, or half of it is missing ({error}); choose another --db"
    hint = next((text for name, text in hints.items() if code.startswith(name)), None)
    return f"database {path}: {hint or 'failed'} ({error})"
