"""How rows are shown: for a person, for a spreadsheet, for a program."""

from __future__ import annotations

import io
import sys
import tracemalloc
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout

import pytest

from penstock.crawler.cli import table_formats as render
from penstock.crawler.output.text_table import Row, fitting, shortened, width

HOSTILE = "\x1b]0;owned\x07\x1b[2Jred\n\t\x00\x9b31m\u202eevil\u2028\u200f"
NEVER_RAW = ("\x1b", "\x07", "\x00", "\x9b", "\u202e", "\u2028", "\u200f")


class Terminal(io.StringIO):
    """Standard output as a person sees it."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """What `render.show` writes on a terminal of sixty columns."""
    monkeypatch.setenv("COLUMNS", "60")

    def shown(columns: Sequence[str], rows: Sequence[Row], form: str) -> str:
        with redirect_stdout(Terminal()) as out:
            render.show(columns, rows, form)
        return out.getvalue()

    return shown


class TestTable:
    def test_nothing_hostile_reaches_the_output(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Not even in a file: it may be shown with `cat`. A column's name is text as well."""
        render.show([HOSTILE], [(HOSTILE,), ("next row",)], "table")

        shown = capsys.readouterr().out
        assert not any(character in shown for character in NEVER_RAW)
        assert shown.count("\\x1b]0;owned\\x07") == 2
        assert len(shown.splitlines()) == 4

    def test_csv_on_a_terminal_is_harmless_too(self, terminal: Callable[..., str]) -> None:
        shown = terminal(["x"], [(HOSTILE,)], "csv")

        assert "owned" in shown
        assert not any(character in shown for character in NEVER_RAW)

    def test_a_file_gets_whole_cells_and_a_terminal_what_fits(
        self, terminal: Callable[..., str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        columns, rows = ["a", "b", "c"], [("x" * 500, 1, "y" * 500)]

        render.show(columns, rows, "table")
        on_terminal = terminal(columns, rows, "table")

        assert "x" * 500 in capsys.readouterr().out
        assert max(map(width, on_terminal.splitlines())) == 60

    def test_where_columns_would_get_too_narrow_each_row_is_a_block(
        self, terminal: Callable[..., str]
    ) -> None:
        columns = [f"column_{n}" for n in range(20)]

        lines = terminal(columns, [["value " * 20] * 20, [None] * 20], "table").splitlines()

        assert len(lines) == 2 * 21
        assert max(map(width, lines)) <= 60

    def test_wide_and_combining_characters_keep_the_columns_in_line(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        render.show(["a", "b"], [("日本", "x"), ("e\u0301te", "x"), ("four", "x")], "table")

        assert capsys.readouterr().out.splitlines()[2:] == ["日本  x", "e\u0301te   x", "four  x"]

    @pytest.mark.parametrize(
        ("text", "room", "wanted"),
        [
            ("short", 8, "short"),
            ("exactly8", 8, "exactly8"),
            ("longer than eight", 8, "longer …"),
            ("日本語日本語", 8, "日本語…"),
            ("https://site.example/the/end.html", 16, "https…e/end.html"),
            ("e" + "\u0301" * 1000, 4, "e" + "\u0301" * 15 + "…"),
        ],
    )
    def test_a_cell_is_cut_to_its_room(self, text: str, room: int, wanted: str) -> None:
        cut = shortened(text, room)

        assert cut == wanted
        assert width(cut) <= room

    @pytest.mark.parametrize(
        ("natural", "room", "wanted"),
        [
            ([5, 5], 20, [5, 5]),
            ([5, 100], 27, [5, 20]),
            ([100, 100], 42, [20, 20]),
            ([100, 30, 101], 64, [20, 20, 20]),
            ([100, 100], 43, [21, 20]),
            ([50] * 10, 60, None),
        ],
    )
    def test_room_is_taken_from_the_widest_columns(
        self, natural: list[int], room: int, wanted: list[int] | None
    ) -> None:
        assert fitting(natural, room) == wanted


class TestStreams:
    @pytest.mark.parametrize("form", ["csv", "json", "jsonl", "table"])
    def test_many_rows_need_no_more_memory_than_a_few(
        self, form: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Nothing(io.StringIO):
            def write(self, text: str) -> int:
                return len(text)

        def peak(count: int) -> int:
            tracemalloc.start()
            render.show(["n", "text"], ((n, f"some text {n}") for n in range(count)), form)
            _, most = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            return most

        monkeypatch.setattr(sys, "stdout", Nothing())
        peak(2_000)  # what is loaded once

        assert peak(20_000) < peak(2_000) + 100_000  # bytes

    @pytest.mark.parametrize("form", ["csv", "json", "jsonl", "table"])
    def test_a_locale_that_lacks_the_characters_is_no_error(
        self, form: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        raw = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))

        render.show(["x"], [("日本",)], form)

        assert b"\\u65e5\\u672c" in raw.getvalue()
