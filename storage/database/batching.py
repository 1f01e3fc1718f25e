"""Batching: SQL statements with their parameters, executed in order in one call to the SQLite thread.

May touch: sqlite3, connections that others opened.
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
MAX_ROWS = 512  # of one statement; a power of two, as are the sizes for the rows left over


class Statement(NamedTuple):
    sql: str
    params: Params | Iterable[Sequence[object]] = ()  # MANY: rows of them; MULTI_ROW: rows in one flat list
    mode: int = ONCE  # MANY: once for every row; MULTI_ROW: many rows in one VALUES list, OR FAIL


def execute_batch(connection: sqlite3.Connection, statements: Sequence[Statement]) -> list[Any]:
    """Execute them in order; return the rows of the last one."""
    found: list[Any] = []
    for statement in statements:
        found = execute(connection, statement)
    return found


def execute(connection: sqlite3.Connection, statement: Statement) -> list[Any]:
    """Return its rows; none in the modes for many rows."""
    sql, params, mode = statement
    if mode == ONCE:
        return connection.execute(sql, params).fetchall()  # type: ignore[arg-type]
    if mode == MULTI_ROW:
        _execute_multi_row(connection, sql, params)  # type: ignore[arg-type]
    else:
        connection.executemany(sql, params)  # type: ignore[arg-type]
    return []


def _execute_multi_row(connection: sqlite3.Connection, sql: str, values: Sequence[object]) -> None:
    """Execute it for many rows at a time. `values` holds the rows one after the other.

    This saves the cost of a statement for each row, and it releases the interpreter's lock seldom:
    each step of a statement releases it and waits for it again behind a busy event loop.
    OR FAIL, because OR ABORT keeps a copy of every changed page in case a later row fails; the
    transaction is rolled back anyway.
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
    """The number of values of one row."""
    return _ROW.split(sql)[1].count("?")


@cache
def _with_rows(sql: str, rows: int) -> str:
    """The statement with a VALUES list of so many rows."""
    head, row, tail = _ROW.split(sql)
    return f"{head}{', '.join([row] * rows)}{tail}"
