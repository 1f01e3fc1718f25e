"""Sayings: statements with what they are said of, said one after the other in SQLite's own thread.

May touch: sqlite3 connections that others opened.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import chain, islice
from typing import Any, NamedTuple

Params = Mapping[str, object] | Sequence[object]

ONCE, MANY, INSERT = range(3)
MOST_PARAMETERS = 999  # of one statement; SQLite's oldest bound
ROWS_AT_ONCE = 50  # more are hardly faster, and what is left over goes row by row


class Saying(NamedTuple):
    sql: str
    of: Params | Iterable[Sequence[object]] = ()  # parameters; rows of them, unless it is said once
    how: int = ONCE  # MANY: once for every row; INSERT: for many rows at a time


def say_all(connection: sqlite3.Connection, sayings: Sequence[Saying]) -> list[Any]:
    """Say them in order; returns the last one's rows."""
    found: list[Any] = []
    for saying in sayings:
        found = say(connection, saying)
    return found


def say(connection: sqlite3.Connection, saying: Saying) -> list[Any]:
    """Returns its rows; none of what is said of many rows."""
    sql, of, how = saying
    if how == ONCE:
        return connection.execute(sql, of).fetchall()  # type: ignore[arg-type]
    if how == INSERT:
        _insert(connection, sql, of)  # type: ignore[arg-type]
    else:
        connection.executemany(sql, of)  # type: ignore[arg-type]
    return []


def _insert(connection: sqlite3.Connection, sql: str, rows: Sequence[Sequence[object]]) -> None:
    """Insert many rows with each statement.

    That spares the machinery of a statement for each row, and the interpreter's lock is let go
    and fetched again, often from a busy event loop, as seldom. OR FAIL, because OR ABORT keeps
    a copy of every page it changes, in case that row 49 fails; we roll the transaction back.
    """
    if not rows:
        return
    size = min(ROWS_AT_ONCE, MOST_PARAMETERS // len(rows[0]))
    whole = len(rows) - len(rows) % size
    if whole:
        wide, rest = _wide(sql, size), iter(rows)
        for _ in range(0, whole, size):
            connection.execute(wide, list(chain.from_iterable(islice(rest, size))))
    if whole < len(rows):
        connection.executemany(sql, rows[whole:])


@cache
def _wide(sql: str, rows: int) -> str:
    """The statement for so many rows."""
    head, values, row = sql.rstrip().rpartition("VALUES ")
    return f"{head}{values}{', '.join([row] * rows)}"
