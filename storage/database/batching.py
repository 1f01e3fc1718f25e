"""Sayings: statements with what they are said of, said one after the other in SQLite's own thread.

May touch: sqlite3, connections that others opened, rows.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

Params = Mapping[str, object] | Sequence[object]

_ROW = re.compile(r"(?<=VALUES )(\([^()]*\))")

ONCE, MANY, MULTI_ROW = range(3)
MAX_PARAMETERS = 3_000  # of one statement; SQLite takes 32,766
MAX_ROWS = 512  # of one statement; a power of two, as are those that take what is left over


class Statement(NamedTuple):
    sql: str
    of: Params | Iterable[Sequence[object]] = ()  # parameters; MANY: rows of them
    how: int = ONCE  # MANY: for every row; MULTI_ROW: for many rows at a time, OR FAIL; their values in a row


def execute_batch(connection: sqlite3.Connection, statements: Sequence[Statement]) -> list[Any]:
    """Say them in order; returns the last one's rows."""
    found: list[Any] = []
    for statement in statements:
        found = execute(connection, statement)
    return found


def execute(connection: sqlite3.Connection, statement: Statement) -> list[Any]:
    """Returns its rows; none of what is said of many rows."""
    sql, of, how = statement
    if how == ONCE:
        return connection.execute(sql, of).fetchall()  # type: ignore[arg-type]
    if how == MULTI_ROW:
        _execute_multi_row(connection, sql, of)  # type: ignore[arg-type]
    else:
        connection.executemany(sql, of)  # type: ignore[arg-type]
    return []


def _execute_multi_row(connection: sqlite3.Connection, sql: str, values: Sequence[object]) -> None:
    """Say it of many rows at a time; `values` are one row's behind the other's.

    That spares the machinery of a statement for each row; and the interpreter's lock, which every
    step of a statement lets go of and fetches again from a busy event loop, changes hands seldom.
    OR FAIL, because OR ABORT keeps a copy of every page that is changed, in case that a later row
    fails; the transaction is rolled back anyway.
    """
    width = _width(sql)
    begin = 0
    size = MAX_ROWS
    while begin < len(values):
        while size * width > min(len(values) - begin, MAX_PARAMETERS):
            size //= 2
        end = begin + size * width
        connection.execute(_with_rows(sql, size), values[begin:end])
        begin = end


@cache
def _width(sql: str) -> int:
    """How many values one row takes."""
    return _ROW.split(sql)[1].count("?")


@cache
def _with_rows(sql: str, rows: int) -> str:
    """The statement for so many rows."""
    head, row, tail = _ROW.split(sql)
    return f"{head}{', '.join([row] * rows)}{tail}"
