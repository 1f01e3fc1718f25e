"""Batching: SQL executed in batches on the SQLite thread, and loops of the event loop in chunks.

May touch: sqlite3, asyncio. The caller opens and closes the connection.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from functools import cache
from itertools import islice
from typing import Any, NamedTuple, TypeVar

Params = Mapping[str, object] | Sequence[object]

_ROW = re.compile(r"(?<=VALUES )(\([^()]*\))")

ONCE, MANY, MULTI_ROW = range(3)
MAX_PARAMETERS = 3_000  # of one statement; SQLite's own limit is 32,766
MAX_ROWS = 512  # of one statement; a power of two, and so is each smaller size, for the remaining rows


class Statement(NamedTuple):
    sql: str
    params: Params | Iterable[Sequence[object]] = ()  # MANY: one per row; MULTI_ROW: rows in one flat list
    mode: int = ONCE  # MANY: executed once per row; MULTI_ROW: many rows in one VALUES list, OR FAIL


def execute_batch(connection: sqlite3.Connection, statements: Sequence[Statement]) -> list[Any]:
    """Execute the statements in order; return the rows of the last one."""
    found: list[Any] = []
    for statement in statements:
        found = execute(connection, statement)
    return found


def execute(connection: sqlite3.Connection, statement: Statement) -> list[Any]:
    """Execute one statement and return its rows; in the modes MANY and MULTI_ROW, an empty list."""
    sql, params, mode = statement
    if mode == ONCE:
        return connection.execute(sql, params).fetchall()  # type: ignore[arg-type]
    if mode == MULTI_ROW:
        _execute_multi_row(connection, sql, params)  # type: ignore[arg-type]
    else:
        connection.executemany(sql, params)  # type: ignore[arg-type]
    return []


def _execute_multi_row(connection: sqlite3.Connection, sql: str, values: Sequence[object]) -> None:
    """Execute `sql` for many rows at a time. `values` holds the rows one after the other.

    This saves the cost of one statement per row. It also releases the interpreter's lock less often:
    each step of a statement releases the lock, and then waits for it while the event loop is busy.
    The statements say OR FAIL, because OR ABORT copies every changed page in case a later row fails.
    The copy is not needed: after an error the whole transaction is rolled back.
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
    """Return the number of values in one row."""
    return _ROW.split(sql)[1].count("?")


@cache
def _with_rows(sql: str, rows: int) -> str:
    """Return the statement with a VALUES list of `rows` rows."""
    head, row, tail = _ROW.split(sql)
    return f"{head}{', '.join([row] * rows)}{tail}"


T = TypeVar("T")

# Saving a link takes about 20 us in all, and a few of these in each loop that is chunked.
CHUNK_SIZE = 1_000


async def in_chunks(items: Iterable[T], size: int = CHUNK_SIZE) -> AsyncIterator[Sequence[T]]:
    """Yield `items` in lists of at most `size`; other tasks run between two of them."""
    rest = iter(items)
    chunk = list(islice(rest, size))
    while chunk:
        yield chunk
        chunk = list(islice(rest, size))
        if chunk:
            await asyncio.sleep(0)


async def chunkwise(items: Iterable[T], size: int) -> AsyncIterator[T]:
    """Yield each of `items`; other tasks run after every `size` of them."""
    async for chunk in in_chunks(items, size):
        for item in chunk:
            yield item
