"""CrawlReader: a crawl's file opened for looking. It may be done, killed, or being written right now.

May touch: sqlite3, the file system's facts about the file.
Never: change anything, open another file, or keep a crawl waiting.

Everything that goes wrong here comes out as BadDatabase or BadQuery, in one line. The
file itself is never opened by hand: closing any descriptor of it would drop the POSIX
locks that a crawl in the same process holds through SQLite.
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

FIRST_WITH_VIEWS = 2  # schema; a file that is older than this code, but no older than that, can be read
# Python looks for a Ctrl-C between its own instructions only; this makes SQLite come back to it.
STEPS_BETWEEN_LOOKS = 10_000

_READS = frozenset(
    {
        sqlite3.SQLITE_SELECT,
        sqlite3.SQLITE_READ,
        sqlite3.SQLITE_FUNCTION,
        sqlite3.SQLITE_RECURSIVE,
        sqlite3.SQLITE_TRANSACTION,  # BEGIN; on a read-only file nothing can come of it
    }
)
_PRAGMAS = frozenset(  # which tell something; with a value some of them would set it
    {
        "application_id",
        "data_version",  # what FTS5 asks before it looks into its index
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
    """The answer to one query, read as it is asked for; a million rows need no more memory than one."""

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
            # Ends the read transaction, so that the crawl's WAL can shrink. A reader that was
            # closed before has done so already.
            with contextlib.suppress(sqlite3.ProgrammingError):
                self._cursor.close()


class CrawlReader:
    """A read-only connection to one crawl. Made by `open_reader`; a context manager."""

    def __init__(self, path: Path, connection: sqlite3.Connection, note: str | None) -> None:
        self.path = path
        self.note = note  # what the person should know of how the file was opened
        self._connection = connection
        self._refused = ""

    def __enter__(self) -> CrawlReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    def select(self, sql: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> QueryResult:
        """Begin one query. Raises BadQuery if it is no SELECT, or wants more than to read."""
        with self.explaining(sql):
            cursor = self._connection.execute(sql, parameters)
        if cursor.description is None:
            raise BadQuery("this SQL gives no rows: a SELECT is wanted")
        return QueryResult(self, sql, cursor)

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """One moment of the crawl, for several questions that must agree. Keep it short."""
        with self.explaining(""):
            self._connection.execute("BEGIN")
            try:
                yield self._connection
            finally:
                self._connection.rollback()

    @contextlib.contextmanager
    def explaining(self, sql: str) -> Iterator[None]:
        """Turn what SQLite says into our errors, and an interrupted query into KeyboardInterrupt."""
        self._refused = ""
        try:
            yield
        except (sqlite3.Error, sqlite3.Warning, UnicodeError) as error:
            code = getattr(error, "sqlite_errorname", "")
            if code == "SQLITE_INTERRUPT":
                raise KeyboardInterrupt from None
            if self._refused or code.startswith("SQLITE_READONLY"):
                raise BadQuery(self._refused or "a query may only read") from None
            if isinstance(error, sqlite3.Error) and (problem := explain_file(self.path, error)):
                raise BadDatabase(problem) from error
            raise BadQuery(explain_query(self._connection, sql, error)) from error

    def _authorize(self, action: int, first: str | None, second: str | None, *_: str | None) -> int:
        if action in _READS:
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_UPDATE and first == "sqlite_master":
            # What json_each and pragma_table_info say when they are first used; a real
            # UPDATE of the schema is refused by SQLite itself.
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_PRAGMA:
            name = (first or "").lower()
            if name in _PRAGMAS_OF_A_TABLE or (name in _PRAGMAS and second is None):
                return sqlite3.SQLITE_OK
            self._refused = f"PRAGMA {first} is not for queries: a query may only read"
        elif action in (sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH):
            # VACUUM INTO attaches the file it writes, so it ends here too.
            self._refused = "a query may read this database only, and open no other file"
        else:
            self._refused = "a query may only read; this one wants to change something"
        return sqlite3.SQLITE_DENY

    def confine(self) -> None:
        """From here on: reading only. Three doors, for each has had its holes."""
        self._connection.execute("PRAGMA query_only = ON")
        self._connection.execute("PRAGMA trusted_schema = OFF")  # the file may be a stranger's
        self._connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        self._connection.set_authorizer(self._authorize)
        self._connection.set_progress_handler(lambda: 0, STEPS_BETWEEN_LOOKS)


def open_reader(path: str | Path) -> CrawlReader:
    """Open the crawl in `path` for reading. Raises BadDatabase: not there, not ours, damaged, newer."""
    path = Path(path)
    _refuse_other_files(path)
    try:
        try:
            connection, note = _connect(path, "mode=ro"), None
        except sqlite3.OperationalError as error:
            connection, note = _connect_sealed(path, error)
    except UnicodeDecodeError as error:  # what SQLite says may quote a damaged page
        raise BadDatabase(f"{path} is damaged: restore a copy, or crawl anew into another file") from error
    except sqlite3.Error as error:
        raise BadDatabase(explain_file(path, error) or f"cannot read {path}: {error}") from error
    reader = CrawlReader(path, connection, note)
    try:
        reader.confine()
    except BaseException:
        reader.close()
        raise
    return reader


def _connect(path: Path, how: str) -> sqlite3.Connection:
    """Open and check. The URI carries any path: `?`, `#`, `%` and what is no UTF-8 are escaped."""
    uri = f"{path.absolute().as_uri()}?{how}"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=WAIT_SECONDS)
    try:
        # A damaged file may hold text that is no UTF-8: show it, do not stop there.
        connection.text_factory = partial(str, encoding="utf-8", errors="replace")
        _refuse_other_databases(path, connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _connect_sealed(path: Path, error: sqlite3.OperationalError) -> tuple[sqlite3.Connection, str]:
    """A file in WAL mode whose folder nobody may write to: SQLite could not make its -shm there.

    With `immutable` it needs none, but it also takes no locks and does not look at the
    WAL, so that is right only where nobody can write and nothing is left in a WAL.
    """
    if not getattr(error, "sqlite_errorname", "").startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY")):
        raise error
    wal = path.with_name(path.name + "-wal")
    with contextlib.suppress(OSError):
        if wal.stat().st_size:
            raise BadDatabase(
                f"{path} was not closed, and its folder cannot be written to: "
                f"copy it with {wal.name} to a folder of your own, and read it there"
            ) from error
    if os.access(path, os.W_OK):
        raise error
    note = f"{path} cannot be written to: it is read as it stands, without looking for a running crawl"
    return _connect(path, "mode=ro&immutable=1"), note


def _refuse_other_files(path: Path) -> None:
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise BadDatabase(f"there is no {path}: crawl first, or name the file with --db") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise BadDatabase(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error
    if stat.S_ISDIR(found.st_mode):
        raise BadDatabase(f"{path} is a folder; --db takes a file")
    if not stat.S_ISREG(found.st_mode):
        raise BadDatabase(f"{path} is no regular file")
    if not os.access(path, os.R_OK):
        raise BadDatabase(f"cannot read {path}: you may not")
    if not found.st_size:
        raise BadDatabase(f"{path} is empty: no crawl has begun in it")


def _refuse_other_databases(path: Path, connection: sqlite3.Connection) -> None:
    [(tables,)] = connection.execute("SELECT count(*) FROM sqlite_schema")  # the first that reads the file
    [(application,)] = connection.execute("PRAGMA application_id")
    [(version,)] = connection.execute("PRAGMA user_version")
    if application != APPLICATION_ID:
        if not tables:
            raise BadDatabase(f"{path} has no tables: no crawl has begun in it")
        raise BadDatabase(f"{path} is another application's database; name a crawl's file with --db")
    newest = newest_version()
    if version > newest:
        raise BadDatabase(
            f"{path} was written by a newer Penstock (schema {version}, this one knows {newest}); upgrade"
        )
    if version < FIRST_WITH_VIEWS:
        raise BadDatabase(f"{path} has no views yet (schema {version}); run its crawl again, that adds them")
