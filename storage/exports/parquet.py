"""Parquet: compressed columns for data frames; the provenance is in the file's metadata.

May touch: pyarrow (the extra `parquet`); see the package.

Parquet needs a type for each column, and SQLite has none. The types of some columns of the views are
known, and so are those of `extracted`. The type of any other column is that of its first values; a later
value of another type is an error that names the column.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from types import MappingProxyType
from typing import Any, BinaryIO

from penstock.crawler.errors import BadQuery
from penstock.crawler.output.safe_cells import make_unique
from penstock.storage.exports import ExportFiles, ExportSource, missing_extra
from penstock.storage.reading.extracted_values import ExtractedValues, Kind

try:
    import pyarrow as pa
    from pyarrow import parquet as pq
except ImportError as error:
    raise missing_extra("pyarrow", "parquet") from error

ABOUT = "Parquet with zstd, for data frames"
TAKES = "rows"

ROWS_AT_ONCE = 10_000  # of a row group; this bounds the memory
_MOMENTS = ("fetched_at", "retry_at", "started_at", "finished_at")
# Integers, even if the first rows have only NULL.
_WHOLE = {"status", "depth", "body_bytes", "elapsed_ms", "attempts", "hops", "words", "distance"}

Row = Sequence[object]


def write(source: ExportSource, files: ExportFiles) -> int:
    rows = source.rows()
    kinds = rows.kinds if isinstance(rows, ExtractedValues) else {}
    return write_rows(rows.columns, rows, files.main(), source.provenance, source.on_record, kinds)


def write_rows(
    columns: Sequence[str],
    rows: Iterable[Row],
    out: BinaryIO,
    about: Mapping[str, object],
    on_record: Callable[[], None] = lambda: None,
    kinds: Mapping[str, Kind] = MappingProxyType({}),
) -> int:
    """Write the rows, columns of known `kinds` with these; return their number.

    Raises BadQuery for a column of several types.
    """
    names = make_unique(columns)
    batches = _batches(iter(rows))
    first = next(batches, [])
    types = [
        _known_type(kinds[name]) if name in kinds else _type(name, (row[i] for row in first))
        for i, name in enumerate(names)
    ]
    schema = pa.schema(
        zip(names, types, strict=True), metadata={"penstock": json.dumps(about)} if about else None
    )
    count = 0
    with pq.ParquetWriter(out, schema, compression="zstd") as writer:
        batch = first
        while batch:
            arrays = [
                _array(name, kind, [row[i] for row in batch])
                for i, (name, kind) in enumerate(zip(names, types, strict=True))
            ]
            writer.write_batch(pa.record_batch(arrays, schema=schema))
            count += len(batch)
            for _ in batch:
                on_record()
            batch = next(batches, [])
    return count


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while batch := list(islice(rows, ROWS_AT_ONCE)):
        yield batch


def _known_type(kind: Kind) -> Any:
    single = {int: pa.int64(), float: pa.float64(), str: pa.string()}[kind.type]
    return pa.list_(single) if kind.many else single


def _type(name: str, values: Iterable[object]) -> Any:
    kinds = {type(value) for value in values if value is not None}
    if name in _MOMENTS and kinds <= {str}:
        return pa.timestamp("ms", tz="UTC")
    if name == "followed" and kinds <= {int}:
        return pa.bool_()
    if kinds == {int} or (not kinds and name in _WHOLE):
        return pa.int64()
    if kinds and kinds <= {int, float}:
        return pa.float64()
    if kinds == {bytes}:
        return pa.binary()
    if kinds <= {str}:
        return pa.string()
    raise _mixed(name)


def _array(name: str, kind: Any, values: list[object]) -> Any:
    try:
        if pa.types.is_timestamp(kind):
            moments = [None if value is None else datetime.fromisoformat(str(value)) for value in values]
            return pa.array(moments, kind)
        if pa.types.is_boolean(kind):
            return pa.array([None if value is None else bool(value) for value in values], kind)
        return pa.array(values, kind)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise _mixed(name) from error


def _mixed(name: str) -> BadQuery:
    return BadQuery(
        f"column {name!r} has values of several types, and Parquet needs one: use CAST in the SQL"
    )
