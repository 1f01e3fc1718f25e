"""What people see: nothing that a page contains is obeyed, hidden or taken for a formula.

One crawl's file in which every text that comes from the web is hostile, and every way to look at it.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from penstock.crawler.cli import main
from penstock.crawler.output import logs, terminal
from penstock.storage.reading.reports import REPORTS
from tests.support.database_rows import SITE, CrawlFile

CONTROLS = [*range(0x20), 0x7F, *range(0x80, 0xA0)]
BIDI = [0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
LINE_ENDS = [0x2028, 0x2029]
OTHERS = [0x00AD, 0x200B, 0xFEFF, 0xE0041, 0xFFF9]  # invisible: soft hyphen, zero width, BOM, tag, annotation
HOSTILE = "=" + "".join(map(chr, [*CONTROLS, *BIDI, *LINE_ENDS, *OTHERS])) + "\x1b]0;owned\x07\x1b[2Jend"
OBEYED = frozenset(map(chr, [*CONTROLS, *BIDI, *LINE_ENDS])) - {"\n"}

Look = Callable[..., str]


class Screen(io.TextIOWrapper):
    """Standard output as a terminal is, in UTF-8."""

    def __init__(self, *, tty: bool) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", newline="")
        self._tty = tty

    def isatty(self) -> bool:
        return self._tty

    def text(self) -> str:
        self.flush()
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue().decode()


@pytest.fixture
def look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Look:
    """Type a command on the hostile crawl, at a terminal or into a file: its standard output."""
    db = tmp_path / "crawl.db"
    with CrawlFile(db) as crawl:
        crawl.crawl([f"{SITE}/"])
        identity = json.dumps(
            {"seeds": [HOSTILE], "scope": HOSTILE, "include": [HOSTILE], "exclude": [HOSTILE]}
        )
        crawl.db.execute("UPDATE crawl SET identity = ?", (identity,))
        crawl.page(f"{SITE}/", depth=0, seed=True, title=HOSTILE, body=b"x")
        crawl.page(f"{SITE}/same", title=HOSTILE, body=b"x", elapsed_ms=90_000)
        crawl.page(f"{SITE}/gone", status=404, error=HOSTILE, title=HOSTILE)
        crawl.page(f"{SITE}/moved", status=301, title=None, redirect_text=HOSTILE)
        crawl.redirect(f"{SITE}/one", f"{SITE}/two")
        crawl.redirect(f"{SITE}/two", f"{SITE}/gone")
        crawl.url(f"{SITE}/kept-out", "skipped", reason=HOSTILE, attempts=0)
        for target in ("same", "gone", "moved", "one", "kept-out"):
            crawl.link(f"{SITE}/", f"{SITE}/{target}", HOSTILE, rel=HOSTILE)
        crawl.db.execute("UPDATE phrase SET text = ? WHERE text = 'text/html'", (HOSTILE + "/html",))
        crawl.run(ended=HOSTILE)
        crawl.db.execute("INSERT INTO analysed VALUES (1, '2999-01-01T00:00:00.000Z', 2, 1, 1, 0, 2)")
        crawl.db.execute("INSERT INTO analysis SELECT url_id, 0.1, 9, 1, 1, 0 FROM fetch")

    def typed(*words: str, tty: bool = True) -> str:
        screen = Screen(tty=tty)
        monkeypatch.setattr(sys, "stdout", screen)
        assert main([*words, "--db", str(db)]) == 0
        return screen.text()

    monkeypatch.setenv("COLUMNS", "100000")
    return typed


ALL = {
    "pages": "SELECT * FROM pages",
    "links": "SELECT * FROM links",
    "urls": "SELECT * FROM urls",
    "runs": "SELECT * FROM runs",
    "a column's name": f'SELECT 1 AS "{HOSTILE.replace(chr(0), "")}"',
}
PERSONS = [
    *(["query", sql, "--format", form] for sql in ALL.values() for form in ("table", "csv", "json", "jsonl")),
    *(["report", name, "--format", form] for name in REPORTS for form in ("table", "csv", "html")),
    *(["report", name, f"{SITE}/gone"] for name in ("inlinks", "outlinks")),
    ["query", ALL["pages"], "--format", "html"],
    ["status"],
    *(["why", f"{SITE}/{path}"] for path in ("", "gone", "moved", "kept-out")),
]


class TestTerminal:
    @pytest.mark.parametrize("words", PERSONS, ids=lambda words: ascii(" ".join(words))[:50])
    def test_no_command_lets_a_page_speak_to_the_terminal(self, look: Look, words: list[str]) -> None:
        shown = look(*words)

        assert OBEYED.isdisjoint(shown)

    @pytest.mark.parametrize("words", [["query", ALL["pages"]], ["report", "failed"], ["status"]])
    def test_a_table_in_a_file_has_no_control_characters_either(self, look: Look, words: list[str]) -> None:
        assert OBEYED.isdisjoint(look(*words, tty=False))

    def test_a_row_is_a_line(self, look: Look) -> None:
        shown = look("query", "SELECT title, url FROM pages WHERE title IS NOT NULL")

        assert len(shown.splitlines()) == 2 + 3
        assert shown.count("owned") == 3


class TestFiles:
    def test_csv_through_a_pipe_has_no_control_either(self, look: Look) -> None:
        """`query ... --format csv | head` ends on a terminal; and NUL ends many a reader of CSV."""
        shown = look("query", "SELECT title FROM pages", "--format", "csv", tty=False)

        assert set(map(chr, CONTROLS)) & set(shown) <= {"\t", "\n", "\r"}

    @pytest.mark.parametrize("start", [*"=+-@\t\r\n＝＋－＠"])
    @pytest.mark.parametrize("place", ["cell", "column"])
    def test_csv_text_is_never_a_formula(self, look: Look, start: str, place: str) -> None:
        """Of OWASP's list, also the wide forms; a column may be named by what a page says."""
        text = f"{start}cmd|' /C calc'!A0".replace("'", "''" if place == "cell" else "'")
        sql = f"SELECT '{text}' AS x" if place == "cell" else f'SELECT 1 AS "{text}"'

        shown = look("query", sql, "--format", "csv", tty=False)

        rows = list(csv.reader(io.StringIO(shown, newline="")))
        assert rows[1 if place == "cell" else 0] == [f"'{start}cmd|' /C calc'!A0"]

    @pytest.mark.parametrize("form", ["json", "jsonl"])
    def test_json_gives_every_text_back_as_it_was(self, look: Look, form: str) -> None:
        shown = look("query", f"SELECT title FROM pages WHERE url = '{SITE}/'", "--format", form, tty=False)

        found = json.loads(shown)
        assert (found[0] if form == "json" else found) == {"title": HOSTILE}

    @pytest.mark.parametrize("form", ["json", "jsonl", "csv", "table"])
    def test_text_that_is_no_unicode_does_not_stop_it(self, look: Look, form: str) -> None:
        """Half a surrogate pair, as bytes that a damaged file may hold."""
        sql = "SELECT CAST(x'61eda08062ff' AS TEXT) AS x"

        shown = look("query", sql, "--format", form, tty=False)

        assert "\ufffd" in shown
        if form.startswith("json"):
            json.loads(shown)


class TestStandardError:
    @pytest.mark.parametrize(
        "words",
        [
            ["query", f"SELECT {HOSTILE.replace(chr(0), '')}"],
            ["query", f'SELECT * FROM "{HOSTILE.replace(chr(0), "")}"'],
            ["report", HOSTILE],
            ["why", HOSTILE],
            ["why", f"{SITE}/{HOSTILE}"],
            [HOSTILE],
            ["--seed", HOSTILE],
        ],
        ids=lambda words: words[0][:8].encode("ascii", "ignore").hex(),
    )
    def test_an_error_is_one_harmless_line(
        self, look: Look, words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main([*words, "--db", str(tmp_path / "crawl.db")]) == 2

        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert said.removesuffix("\n").isprintable()

    @pytest.mark.parametrize("form", logs.FORMATS)
    def test_a_log_line_is_one_and_harmless(self, capsys: pytest.CaptureFixture[str], form: str) -> None:
        try:
            logs.configure(level="debug", form=form)
            logs.get_logger().warning(
                HOSTILE, url=HOSTILE, lines=[HOSTILE], error=ValueError(HOSTILE), **{HOSTILE: HOSTILE}
            )
        finally:
            logs.reset()

        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert OBEYED.isdisjoint(said)

    def test_what_cannot_be_printed_is_escaped_and_all_else_left(self) -> None:
        assert terminal.escape_control_chars("Grüße 日本 العربية") == "Grüße 日本 العربية"
        assert terminal.escape_control_chars("a\u202eb\ud800\0") == "a\\u202eb\\ud800\\x00"
