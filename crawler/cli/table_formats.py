"""Table formats: rows on standard output, as a table, CSV, JSON, HTML or Parquet.

May touch: standard output.
Never: a whole result in memory; a table reads a thousand rows ahead to choose its widths.

The texts come from the web. On a terminal, escape sequences, bidi controls and line breaks in
them are escaped; in a CSV file, control characters are, and no text is read as a formula. Cells
are shortened on a terminal only: a file gets all of the text.
"""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Iterable, Iterator, Sequence
from typing import TextIO

from penstock.crawler.cli.open_database import binary_results, results
from penstock.crawler.errors import BadQuery
from penstock.crawler.output.safe_cells import BOM, LfLines, escape_csv_cell, json_row_encoder
from penstock.crawler.output.terminal import escape_control_chars
from penstock.crawler.output.text_table import Row, write_table


def show(
    columns: Sequence[str], rows: Iterable[Row], form: str, *, title: str = "query", bom: bool = False
) -> None:
    """Print `rows` in the format `form`, as they come. If the reader leaves, it ends without an error.

    Raises BadQuery for a byte order mark, `bom`, with another format than csv.
    """
    if bom and form != "csv":
        raise BadQuery("--bom: only --format csv can begin with a byte order mark")
    if form == "parquet":
        from penstock.storage.exports.parquet import write_rows  # pyarrow is slow to load, and an extra

        with binary_results("parquet") as out:
            write_rows(columns, rows, out, {})
        return
    with results() as out:
        if form == "csv":
            _csv(columns, rows, out, bom=bom)
        elif form == "jsonl":
            out.writelines(f"{line}\n" for line in _objects(columns, rows, out))
        elif form == "json":
            _json(columns, rows, out)
        elif form == "html":
            from penstock.crawler.cli.html.page import write_page

            write_page(title, columns, rows, out)
        else:
            room = shutil.get_terminal_size().columns if out.isatty() else None
            write_table(columns, rows, out, room)


# -- for programs


def _csv(columns: Sequence[str], rows: Iterable[Row], out: TextIO, *, bom: bool) -> None:
    if bom:
        if isinstance(out, io.TextIOWrapper):
            out.reconfigure(encoding="utf-8", newline="\n")  # what the mark says, whatever the locale is
        out.write(BOM)
    write = csv.writer(LfLines(out.write, crlf=bom)).writerow
    cell = _csv_cell_shown if out.isatty() else escape_csv_cell
    write([cell(column) for column in columns])
    for row in rows:
        write([cell(value) for value in row])


def _csv_cell_shown(value: object) -> object:
    cell = escape_csv_cell(value)
    return escape_control_chars(cell) if isinstance(cell, str) else cell


def _json(columns: Sequence[str], rows: Iterable[Row], out: TextIO) -> None:
    lead = "[\n"
    for line in _objects(columns, rows, out):
        out.write(lead + line)
        lead = ",\n"
    out.write("[]\n" if lead == "[\n" else "\n]\n")


def _objects(columns: Sequence[str], rows: Iterable[Row], out: TextIO) -> Iterator[str]:
    ascii_only = (out.encoding or "utf-8").lower().replace("-", "") != "utf8"
    return map(json_row_encoder(columns, ascii_only=ascii_only), rows)
