"""Sayings: statements with what they are said of, said one after the other in SQLite's own thread.

May touch: sqlite3 connections that others opened.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import chain
from typing import Any, NamedTuple

Params = Mapping[str, object] | Sequence[object]

_ROW = re.compile(r"(?<=VALUES )(\([^()]*\))")

ONCE, MANY, WIDE = range(3)
MOST_PARAMETERS = 999  # of one statement; SQLite's oldest bound
MOST_ROWS = 128  # of one statement; a power of two, as are those that take what is left over


class Saying(NamedTuple):
    sql: str
    of: Params | Iterable[Sequence[object]] = ()  # parameters; rows of them, unless it is said once
    how: int = ONCE  # MANY: for every row; WIDE: for many rows at a time, OR FAIL


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
    if how == WIDE:
        _say_wide(connection, sql, of)  # type: ignore[arg-type]
    else:
        connection.executemany(sql, of)  # type: ignore[arg-type]
    return []


def _say_wide(connection: sqlite3.Connection, sql: str, rows: Sequence[Sequence[object]]) -> None:
    """Say it of many rows at a time.

    That spares the machinery of a statement for each row; and the interpreter's lock, which every
    step of a statement lets go of and fetches again from a busy event loop, changes hands seldom.
    OR FAIL, because OR ABORT keeps a copy of every page that is changed, in case that a later row
    fails; the transaction is rolled back anyway.
    """
    begin = 0
    size = MOST_ROWS
    while begin < len(rows):
        while size > len(rows) - begin or size * len(rows[0]) > MOST_PARAMETERS:
            size //= 2
        some = rows[begin : begin + size]
        connection.execute(_wide(sql, size), list(chain.from_iterable(some)))
        begin += size


@cache
def _wide(sql: str, rows: int) -> str:
    """The statement for so many rows."""
    head, row, tail = _ROW.split(sql)
    return f"{head}{', '.join([row] * rows)}{tail}"
