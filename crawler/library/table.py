"""Table: the rows of a query or a report, as a program and a notebook want them.

May touch: nothing. All texts in it may come from the web: both ways to show it escape them.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import overload

from penstock.crawler.output.terminal import escape_control_chars
from penstock.crawler.output.text_table import write_table

SHOWN_IN_TEXT = 20  # rows
SHOWN_IF_WIDE = 3  # where each row takes a line per column
WIDE = 12  # columns
SHOWN_IN_HTML = 100
TEXT_WIDTH = 120  # characters of a line
CELL_CHARS = 300  # of a cell in HTML; the rest is one click away in `rows`

_STYLE = "text-align: left; vertical-align: top; white-space: pre-wrap; overflow-wrap: anywhere"


class Table(Sequence[tuple[object, ...]]):
    """The complete answer to a query: a sequence of tuples, with `columns`.

    It shows itself as a table, in a terminal and in a notebook. `to_dicts()` gives what data frames
    take: `pandas.DataFrame(table.to_dicts())`, `polars.DataFrame(table.to_dicts())`.
    """

    def __init__(
        self, columns: Sequence[str], rows: Sequence[tuple[object, ...]], note: str | None = None
    ) -> None:
        self.columns = tuple(columns)
        self.note = note  # what to know about the answer, such as that the crawl is not complete
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> tuple[object, ...]: ...
    @overload
    def __getitem__(self, index: slice) -> Table: ...
    def __getitem__(self, index: int | slice) -> tuple[object, ...] | Table:
        if isinstance(index, slice):
            return Table(self.columns, self._rows[index], self.note)
        return self._rows[index]

    def __iter__(self) -> Iterator[tuple[object, ...]]:
        return iter(self._rows)

    def column(self, name: str) -> list[object]:
        """All values of one column. Raises KeyError if there is no such column."""
        if name not in self.columns:
            raise KeyError(f"no column {name!r}; there are {', '.join(self.columns)}")
        position = self.columns.index(name)
        return [row[position] for row in self._rows]

    def to_dicts(self) -> list[dict[str, object]]:
        """Each row as a dict by column name. Of two columns of one name the later one wins."""
        return [dict(zip(self.columns, row, strict=True)) for row in self._rows]

    def __repr__(self) -> str:
        out = io.StringIO()
        shown = SHOWN_IN_TEXT if len(self.columns) <= WIDE else SHOWN_IF_WIDE
        write_table(self.columns, self._rows[:shown], out, TEXT_WIDTH)
        return "\n".join([out.getvalue().rstrip("\n"), *self._notes(shown)])

    def _repr_html_(self) -> str:
        heads = "".join(f'<th style="{_STYLE}">{escape(column)}</th>' for column in self.columns)
        cell = f'<td style="{_STYLE}">'
        rows = (
            f"<tr>{''.join(f'{cell}{_html(value)}</td>' for value in row)}</tr>"
            for row in self._rows[:SHOWN_IN_HTML]
        )
        notes = "".join(f"<p>{escape(escape_control_chars(note))}</p>" for note in self._notes(SHOWN_IN_HTML))
        return f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>{notes}"

    def _notes(self, shown: int) -> Iterator[str]:
        if len(self) > shown:
            yield f"{shown} of {len(self):,} rows shown"
        if self.note:
            yield f"note: {self.note}"


def _html(value: object) -> str:
    """A cell. Only http(s) URLs become links, so no cell can carry a script."""
    if value is None:
        return ""
    text = value[:CELL_CHARS].hex() if isinstance(value, bytes) else str(value)
    shown = escape(escape_control_chars(text if len(text) <= CELL_CHARS else f"{text[:CELL_CHARS]}…"))
    if text.startswith(("http://", "https://")):
        return f'<a href="{escape(text)}" rel="noopener noreferrer nofollow">{shown}</a>'
    return shown


def as_table(facts: Mapping[str, object]) -> Table:
    """Names and values as a table of two columns."""
    return Table(("", "value"), [(name, value) for name, value in facts.items()])
