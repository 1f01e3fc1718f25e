"""Mistakes: what a person may have meant by SQL that SQLite could not run.

May touch: sqlite3, the names in the schema.

SQLite says what is wrong, but not what there is: a wrong name is answered with the right ones.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3

from storage.reports import REPORTS, TABLES

_NO_TABLE = re.compile(r"no such table: (.+)", re.DOTALL)
_NO_COLUMN = re.compile(r"no such column: (.+)", re.DOTALL)


def explain_query(connection: sqlite3.Connection, sql: str, error: Exception) -> str:
    """One line for a query that failed."""
    if isinstance(error, UnicodeError):
        return "this SQL is not valid UTF-8"
    message = " ".join(str(error).split())
    if "one statement at a time" in message:
        return "one statement at a time, please: this SQL has several"
    if wrong := _NO_TABLE.match(str(error)):
        known = f"there are {', '.join(TABLES)} and the reports {', '.join(REPORTS)}"
        return f"there is no table {wrong[1]!r}; {known}"
    if wrong := _NO_COLUMN.match(str(error)):
        return f"there is no column {wrong[1]!r}{_columns(connection, sql)}"
    return f"SQLite cannot run this: {message}"


def _columns(connection: sqlite3.Connection, sql: str) -> str:
    """The columns of those tables whose names occur in the query."""
    words = set(re.findall(r"\w+", sql.lower()))
    lists = []
    with contextlib.suppress(sqlite3.Error):  # a hint is not worth a second error
        for table in (*TABLES, *REPORTS):
            if table in words:
                found = connection.execute("SELECT name FROM pragma_table_info(?)", (table,))
                lists.append(f"; {table} has {', '.join(name for (name,) in found)}")
    return "".join(lists)
