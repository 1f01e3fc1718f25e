"""SQL errors: explain an error of SQLite in one line that a person can act on.

May touch: sqlite3, the names in the schema.

The cause is either the file or the query. SQLite names what does not exist; these messages add what
does: after a wrong name follow the right ones.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
from pathlib import Path

from penstock.crawler.errors import close_match
from penstock.storage.reading.reports import REPORTS, TABLES

WAIT_SECONDS = 5.0  # a crawl blocks readers only briefly, as for the recovery after a kill

_FIRST_WORDS = ("select", "with", "values", "explain")
_NO_TABLE = re.compile(r"no such table: (.+)", re.DOTALL)
_NO_COLUMN = re.compile(r"no such column: (.+)", re.DOTALL)


def explain_file(path: Path, error: sqlite3.Error) -> str | None:
    """One line if the cause is the file or the machine; None if it is the query."""
    code = getattr(error, "sqlite_errorname", "")
    beside = "cannot be opened: SQLite may not write its -shm file beside it; copy it to another folder"
    hints = {
        "SQLITE_NOTADB": "is not an SQLite database",
        "SQLITE_CORRUPT": "is damaged: restore a copy, or crawl again into another file",
        "SQLITE_BUSY": f"has been locked by another program for over {WAIT_SECONDS:g} s",
        "SQLITE_CANTOPEN": beside,
        "SQLITE_READONLY": beside,
        "SQLITE_IOERR": "cannot be read: the disk failed",
        "SQLITE_PERM": "cannot be read: permission denied",
        "SQLITE_FULL": "cannot be sorted: the disk for temporary files is full",
    }
    return next((f"{path} {hint}" for name, hint in hints.items() if code.startswith(name)), None)


def explain_query(connection: sqlite3.Connection, sql: str, error: Exception) -> str:
    """One line for a query that failed."""
    if isinstance(error, UnicodeError):
        return "this SQL is not valid UTF-8"
    message = " ".join(str(error).split())
    if "one statement at a time" in message:
        return "this SQL has several statements; only one is allowed"
    if wrong := _NO_TABLE.match(str(error)):
        if wrong[1] in REPORTS:
            return (
                f"this file has no {wrong[1]} yet: an older Penstock wrote it; run its crawl again to add it"
            )
        hint = close_match(wrong[1], (*TABLES, *REPORTS))
        known = f"there are {', '.join(TABLES)} and the reports {', '.join(REPORTS)}"
        return f"there is no table {wrong[1]!r}{hint}; {known}"
    if wrong := _NO_COLUMN.match(str(error)):
        tables = _tables_in(connection, sql)
        hint = close_match(wrong[1].rpartition(".")[2], [name for names in tables.values() for name in names])
        lists = "".join(f"; {table} has {', '.join(names)}" for table, names in tables.items())
        return f"there is no column {wrong[1]!r}{hint}{lists}"
    if message.startswith("cannot modify"):
        return "a query may only read; this one changes something"
    first = sql.split(maxsplit=1)[0].strip(";") if sql.strip() else ""
    if first in (*TABLES, *REPORTS):
        return f'this is no SELECT: write "SELECT * FROM {first}"'
    hint = "" if first.lower() in _FIRST_WORDS else close_match(first, _FIRST_WORDS)
    return f"SQLite cannot execute this: {message}{hint}"


def _tables_in(connection: sqlite3.Connection, sql: str) -> dict[str, list[str]]:
    """Those tables whose names occur in the query, with their columns."""
    words = set(re.findall(r"\w+", sql.lower()))
    tables = {}
    with contextlib.suppress(sqlite3.Error):  # a hint is not worth a second error
        for table in (*TABLES, *REPORTS):
            if table in words:
                found = connection.execute("SELECT name FROM pragma_table_info(?)", (table,))
                tables[table] = [name for (name,) in found]
    return tables
