"""Crawl reader: open a crawl's file read-only. The crawl may be complete, killed, or running.

May touch: sqlite3, the metadata of the file.
Never: change anything, open another file, or block a crawl.

Every error is raised as BadDatabase or BadQuery, in one line. Only SQLite opens the file: closing any
other descriptor of it would drop the POSIX locks that a crawl in the same process holds through SQLite.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType

from penstock.crawler.errors import BadDatabase, BadQuery
from penstock.storage.database.migration import APPLICATION_ID
from penstock.storage.database.schema_texts import newest_version
from penstock.storage.reading.sql_errors import WAIT_SECONDS, explain_file, explain_query

FIRST_WITH_VIEWS = 2  # schema version; older files cannot be read before a crawl migrates them
# SQLite instructions between two returns to Python, which handles Ctrl-C only in its own code.
PROGRESS_STEPS = 10_000

_READS = frozenset(
    {
        sqlite3.SQLITE_SELECT,
        sqlite3.SQLITE_READ,
        sqlite3.SQLITE_FUNCTION,
        sqlite3.SQLITE_RECURSIVE,
        sqlite3.SQLITE_TRANSACTION,  # BEGIN; it does no harm on a read-only connection
    }
)
_PRAGMAS = frozenset(  # allowed without a value: with one, some of them set it
    {
        "application_id",
        "data_version",  # FTS5 reads it before it uses its index
        "encoding",
        "freelist_count",
        "journal_mode",
        "page_count",
        "page_size",
        "user_version",
    }
)
_PRAGMAS_OF_A_TABLE = frozenset(
    ["foreign_key_list", "index_info", "index_list", "index_xinfo", "table_info", "table_list", "table_xinfo"]
)


class QueryResult:
    """The rows of one query, read one by one: a million rows need no more memory than one."""

    def __init__(self, reader: CrawlReader, sql: str, cursor: sqlite3.Cursor) -> None:
        self.columns: tuple[str, ...] = tuple(column[0] for column in cursor.description or ())
        self._reader = reader
        self._sql = sql
        self._cursor = cursor

    def __iter__(self) -> Iterator[tuple[object, ...]]:
        try:
            with self._reader.explaining(self._sql):
                # `yield from` would close the cursor too, and perhaps after its connection.
                for row in self._cursor:  # noqa: UP028
                    yield row
        finally:
            # Ends the read transaction, so that the crawl's WAL can shrink. If the reader was closed
            # before, the transaction has ended already.
            with contextlib.suppress(sqlite3.ProgrammingError):
                self._cursor.close()


class CrawlReader:
    """A read-only connection to one crawl. Made by `open_reader`; a context manager."""

    def __init__(self, path: Path, connection: sqlite3.Connection, note: str | None) -> None:
        self.path = path
        self.note = note  # to show to the person: how the file was opened
        self._connection = connection
        self._denied = ""  # why the authorizer denied the last query

    def __enter__(self) -> CrawlReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    def select(self, sql: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> QueryResult:
        """Start one query. Raises BadQuery if it is no SELECT, or does more than read."""
        with self.explaining(sql):
            cursor = self._connection.execute(sql, parameters)
        if cursor.description is None:
            raise BadQuery("this SQL returns no rows: write a SELECT")
        return QueryResult(self, sql, cursor)

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """One read transaction, for several queries that must agree. Keep it short: the WAL grows."""
        with self.explaining(""):
            self._connection.execute("BEGIN")
            try:
                yield self._connection
            finally:
                self._connection.rollback()

    @contextlib.contextmanager
    def explaining(self, sql: str) -> Iterator[None]:
        """Translate SQLite's errors into ours, and an interrupted query into KeyboardInterrupt."""
        self._denied = ""
        try:
            yield
        except (sqlite3.Error, sqlite3.Warning, UnicodeError) as error:
            code = getattr(error, "sqlite_errorname", "")
            if code == "SQLITE_INTERRUPT":
                raise KeyboardInterrupt from None
            if self._denied or code.startswith("SQLITE_READONLY"):
                raise BadQuery(self._denied or "a query may only read") from None
            if isinstance(error, sqlite3.Error) and (problem := explain_file(self.path, error)):
                raise BadDatabase(problem) from error
            raise BadQuery(explain_query(self._connection, sql, error)) from error

    def _authorize(self, action: int, first: str | None, second: str | None, *_: str | None) -> int:
        if action in _READS:
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_UPDATE and first == "sqlite_master":
            # json_each and pragma_table_info ask for this at their first use. SQLite itself refuses a
            # real UPDATE of the schema.
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_PRAGMA:
            name = (first or "").lower()
            if name in _PRAGMAS_OF_A_TABLE or (name in _PRAGMAS and second is None):
                return sqlite3.SQLITE_OK
            self._denied = f"PRAGMA {first} is not allowed: a query may only read"
        elif action in (sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH):
            # VACUUM INTO attaches the file that it writes, so it is denied here too.
            self._denied = "a query may read this database only, and may not open another file"
        else:
            self._denied = "a query may only read; this one changes something"
        return sqlite3.SQLITE_DENY

    def protect(self) -> None:
        """Allow reading only. Several protections, because each has had its holes in the past."""
        self._connection.execute("PRAGMA query_only = ON")
        # The file may come from a stranger: its views may not call functions with side effects.
        self._connection.execute("PRAGMA trusted_schema = OFF")
        self._connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        self._connection.set_authorizer(self._authorize)
        self._connection.set_progress_handler(lambda: 0, PROGRESS_STEPS)


def open_reader(path: str | Path, *, cleans_up: bool = False) -> CrawlReader:
    """Open the crawl in `path` for reading. Raises BadDatabase: missing, no crawl, damaged, or newer.

    `cleans_up`: for who may write to the file. SQLite reads a file in WAL mode through two files beside it,
    and only a connection that may write removes them when it is the last one.
    """
    path = Path(path)
    _refuse_other_files(path)
    try:
        try:
            connection, note = _connect(path, "mode=rw" if cleans_up else "mode=ro"), None
        except sqlite3.OperationalError as error:
            connection, note = _connect_sealed(path, error)
    except UnicodeDecodeError as error:  # SQLite's message may quote a damaged page
        raise BadDatabase(f"{path} is damaged: restore a copy, or crawl again into another file") from error
    except sqlite3.Error as error:
        raise BadDatabase(explain_file(path, error) or f"cannot read {path}: {error}") from error
    reader = CrawlReader(path, connection, note)
    try:
        reader.protect()
    except BaseException:
        reader.close()
        raise
    return reader


def _connect(path: Path, how: str) -> sqlite3.Connection:
    """Open and check. The URI carries any path: `?`, `#`, `%` and bytes that are no UTF-8 are escaped."""
    uri = f"{path.absolute().as_uri()}?{how}"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=WAIT_SECONDS)
    try:
        # A damaged file may hold text that is no UTF-8: show it, and continue.
        connection.text_factory = partial(str, encoding="utf-8", errors="replace")
        _refuse_other_databases(path, connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _connect_sealed(path: Path, error: sqlite3.OperationalError) -> tuple[sqlite3.Connection, str]:
    """Open a file in WAL mode in a read-only folder, where SQLite cannot create its -shm file.

    With `immutable` it needs none, but it also takes no locks and ignores the WAL. That is right
    only if nobody can write to the file and its WAL is empty.
    """
    if not getattr(error, "sqlite_errorname", "").startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY")):
        raise error
    wal = path.with_name(path.name + "-wal")
    with contextlib.suppress(OSError):
        if wal.stat().st_size:
            raise BadDatabase(
                f"{path} was not closed, and its folder cannot be written to: "
                f"copy it together with {wal.name} to another folder, and read it there"
            ) from error
    if os.access(path, os.W_OK):
        raise error
    note = f"{path} is read-only: it is read as it is, without a check for a running crawl"
    return _connect(path, "mode=ro&immutable=1"), note


def _refuse_other_files(path: Path) -> None:
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise BadDatabase(f"{path} does not exist: crawl first, or name another file with --db") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise BadDatabase(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error
    if stat.S_ISDIR(found.st_mode):
        raise BadDatabase(f"{path} is a folder; --db takes a file")
    if not stat.S_ISREG(found.st_mode):
        raise BadDatabase(f"{path} is not a regular file")
    if not os.access(path, os.R_OK):
        raise BadDatabase(f"cannot read {path}: permission denied")
    if not found.st_size:
        raise BadDatabase(f"{path} is empty: no crawl was started in it")


def _refuse_other_databases(path: Path, connection: sqlite3.Connection) -> None:
    [(tables,)] = connection.execute(
        "SELECT count(*) FROM sqlite_schema"
    )  # the first statement that reads the file
    [(application,)] = connection.execute("PRAGMA application_id")
    [(version,)] = connection.execute("PRAGMA user_version")
    if application != APPLICATION_ID:
        if not tables:
            raise BadDatabase(f"{path} has no tables: no crawl was started in it")
        raise BadDatabase(f"{path} is the database of another application; name a crawl's file with --db")
    newest = newest_version()
    if version > newest:
        raise BadDatabase(
            f"{path} was written by a newer Penstock (schema {version}, this one knows {newest}); upgrade"
        )
    if version < FIRST_WITH_VIEWS:
        raise BadDatabase(f"{path} has no views yet (schema {version}); run its crawl again to add them")
