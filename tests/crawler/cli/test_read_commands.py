"""The commands that read: status, query, why, report."""

from __future__ import annotations

import csv
import io
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from penstock.crawler.cli import main
from penstock.crawler.snapshot import Snapshot, StageView
from penstock.storage.database.file_lock import FileLock
from penstock.storage.reading.reports import REPORTS, describe_reports
from tests.crawler.cli.test_table_formats import HOSTILE, NEVER_RAW
from tests.support.database_rows import SITE, CrawlFile

HOME = f"{SITE}/"
ROOT = Path(__file__).parents[3]
BUFFERED = {**os.environ, "PYTHONUNBUFFERED": ""}  # as it is for most people; then the last flush matters


NOT_YET = {  # of the crawl below
    "orphans": "2 URLs are pending",
    "top_pages": "run analyse first",
    "near_duplicates": "run analyse first",
}


@contextmanager
def crawling(db: Path) -> Iterator[None]:
    """Hold the lock that a running crawl holds."""
    lock = FileLock.acquire(db)
    try:
        yield
    finally:
        lock.release()


@dataclass
class Shell:
    """The command line with a database; `out` and `err` are what the last command wrote."""

    db: Path
    capture: pytest.CaptureFixture[str]
    out: str = ""
    err: str = ""

    def types(self, *words: str) -> int:
        code = main([*words, "--db", str(self.db)])
        self.out, self.err = self.capture.readouterr()
        return code

    def query(self, sql: str, form: str) -> str:
        assert self.types("query", sql, "--format", form) == 0
        return self.out


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    db = tmp_path / "crawl.db"
    with CrawlFile(db) as crawl:
        crawl.crawl([HOME, f"{SITE}/second"], depth=3)
        crawl.page(HOME, depth=0, seed=True, body=b"x" * 2048)
        crawl.page(f"{SITE}/a", title=HOSTILE)
        crawl.page(f"{SITE}/gone", status=404, error="http_404", title=None)
        crawl.url(f"{SITE}/later", "waiting", reason="http_503", retry_at=1_795_172_006.0)
        crawl.url(f"{SITE}/next", "pending", attempts=0)
        crawl.url("https://other.example/", "skipped", reason="scope", attempts=0)
        for target, text in (("a", "to a"), ("gone", "to gone"), ("later", ""), ("next", "")):
            crawl.link(HOME, f"{SITE}/{target}", text)
        crawl.link(HOME, "https://other.example/")
        crawl.run(ended="sigint", pages=1)
        crawl.run(ended=None, pages=1)
    return Shell(db, capsys)


class TestQuery:
    def test_a_table_is_lined_up(self, shell: Shell) -> None:
        shown = shell.query("SELECT 'one' AS word, 7 AS number UNION ALL SELECT 'three', 700", "table")

        assert shown.splitlines() == ["word   number", "-----  ------", "one         7", "three     700"]

    def test_no_rows_are_said_to_be_none(self, shell: Shell) -> None:
        assert "(no rows)" in shell.query("SELECT * FROM orphans", "table")
        assert shell.query("SELECT * FROM orphans", "json") == "[]\n"
        assert shell.query("SELECT * FROM orphans", "jsonl") == ""
        assert shell.query("SELECT * FROM orphans", "csv") == "url,title,depth\n"

    def test_json_is_one_array_and_jsonl_a_line_per_row(self, shell: Shell) -> None:
        sql = "SELECT url, status, error FROM pages ORDER BY url"

        rows = json.loads(shell.query(sql, "json"))

        assert rows[-1] == {"url": f"{SITE}/gone", "status": 404, "error": "http_404"}
        assert [json.loads(line) for line in shell.query(sql, "jsonl").splitlines()] == rows

    def test_json_keeps_two_columns_of_one_name(self, shell: Shell) -> None:
        assert json.loads(shell.query("SELECT 1 AS a, 2 AS a, 3 AS a_2", "jsonl")) == {
            "a": 1,
            "a_2": 2,
            "a_2_2": 3,
        }

    def test_json_gives_any_text_back_and_no_control_character_raw(self, shell: Shell) -> None:
        shown = shell.query("SELECT title FROM pages WHERE title <> 'A title'", "jsonl")

        assert json.loads(shown) == {"title": HOSTILE}
        assert not any(character in shown for character in NEVER_RAW)

    def test_infinity_is_null_for_json_has_none(self, shell: Shell) -> None:
        assert shell.query("SELECT 9e999 AS x", "jsonl") == '{"x": null}\n'

    @pytest.mark.parametrize("form", ["table", "csv", "json", "jsonl"])
    def test_bytes_are_hex(self, shell: Shell, form: str) -> None:
        assert "00ff" in shell.query("SELECT x'00ff' AS x", form)

    def test_csv_is_read_back_as_it_was(self, shell: Shell) -> None:
        shown = shell.query(
            "SELECT 'a,b' AS x, 'say \"hi\"' AS y, 'two' || char(10) || 'lines' AS z, NULL AS n", "csv"
        )

        assert list(csv.reader(io.StringIO(shown))) == [
            ["x", "y", "z", "n"],
            ["a,b", 'say "hi"', "two\nlines", ""],
        ]

    @pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
    def test_csv_text_is_never_a_formula(self, shell: Shell, start: str) -> None:
        """A title is the site's to choose, and the file is opened in a spreadsheet."""
        shown = shell.query(f"SELECT '{start}cmd()' AS x, -5 AS number", "csv")

        assert list(csv.reader(io.StringIO(shown, newline="")))[1] == [f"'{start}cmd()", "-5"]

    def test_a_mistake_is_one_line_and_exit_2(self, shell: Shell) -> None:
        assert shell.types("query", "SELECT * FROM page") == 2
        assert shell.err.count("\n") == 1
        assert shell.err.startswith("penstock: error: there is no table 'page'")
        assert shell.out == ""

    def test_a_missing_database_is_one_line_and_exit_2(self, shell: Shell) -> None:
        shell.db = shell.db.with_name("typo.db")

        assert shell.types("query", "SELECT 1") == 2
        assert shell.err.count("\n") == 1


class TestOutput:
    def test_a_reader_that_leaves_ends_it_in_silence(self, shell: Shell) -> None:
        """`query ... | head -1`; a real pipe, for the interpreter's last flush counts too."""
        command = [
            sys.executable,
            "-c",
            "import sys; from penstock.crawler.cli import main; sys.exit(main())",
        ]
        sql = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 100000) SELECT x FROM n"
        with subprocess.Popen(
            [*command, "query", sql, "--db", str(shell.db), "--format", "csv"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            env=BUFFERED,
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stdout.readline() == b"x\n"
            process.stdout.close()
            assert process.stderr.read() == b""
            assert process.wait() == 0

    def test_a_reader_that_never_came_is_no_error_either(self, shell: Shell) -> None:
        """The rows fit into the buffer, so it is the last flush that finds nobody there."""
        read_end, write_end = os.pipe()
        os.close(read_end)
        done = subprocess.run(
            [sys.executable, "run_crawl.py", "query", "SELECT 1", "--db", str(shell.db)],
            stdout=write_end,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            env=BUFFERED,
            check=False,
        )
        os.close(write_end)

        assert (done.returncode, done.stderr) == (0, b"")

    def test_a_full_disk_is_one_line_and_exit_1(self, shell: Shell) -> None:
        if not Path("/dev/full").exists():
            pytest.skip("no /dev/full here")
        with open("/dev/full", "wb") as full:
            done = subprocess.run(
                [sys.executable, "run_crawl.py", "query", "SELECT * FROM pages", "--db", str(shell.db)],
                stdout=full,
                stderr=subprocess.PIPE,
                cwd=ROOT,
                env=BUFFERED,
                check=False,
            )

        assert done.returncode == 1
        assert done.stderr.startswith(b"penstock: error: cannot write the result")
        assert done.stderr.count(b"\n") == 1


class TestReport:
    def test_the_list_explains_every_report(self, shell: Shell) -> None:
        assert shell.types("report", "--list") == 0
        assert all(name in shell.out and text in shell.out for name, (text, _) in describe_reports().items())

    @pytest.mark.parametrize("name", [name for name in REPORTS if name not in NOT_YET])
    def test_every_report_runs(self, shell: Shell, name: str) -> None:
        assert shell.types("report", name, "--format", "csv") == 0

    @pytest.mark.parametrize(("name", "said"), NOT_YET.items())
    def test_what_cannot_be_answered_yet_is_told_the_way_out(
        self, shell: Shell, name: str, said: str
    ) -> None:
        """A list that is wrong, not merely short, is worse than none."""
        assert shell.types("report", name) == 2
        assert said in shell.err
        assert shell.err.count("\n") == 1
        assert shell.out == ""

    def test_inlinks_are_links_with_their_text_and_redirects(self, shell: Shell) -> None:
        with closing(sqlite3.connect(shell.db)) as db, db:
            db.execute(
                "UPDATE fetch SET redirect_id = (SELECT id FROM url WHERE path = '/gone') "
                "WHERE url_id = (SELECT id FROM url WHERE path = '/a')"
            )

        assert shell.types("report", "inlinks", f"{SITE}/gone", "--format", "csv") == 0
        assert shell.out.splitlines() == [
            "source,how,text,rel,followed",
            f"{HOME},link,to gone,,1",
            f"{SITE}/a,redirect,,,1",
        ]
        assert "2 URLs are pending: there may be more links" in shell.err

    def test_outlinks_tell_what_became_of_them(self, shell: Shell) -> None:
        shell.types("report", "outlinks", HOME, "--format", "csv")

        assert f"{SITE}/gone,to gone,,1,failed,http_404,404" in shell.out.splitlines()
        assert "https://other.example/,,,1,skipped,scope," in shell.out.splitlines()

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["inlinks"], "report inlinks URL"),
            (["failed", HOME], "takes no URL"),
            (["outlinks", f"{SITE}/unknown"], "is not in this crawl"),
        ],
    )
    def test_a_report_says_whether_it_wants_a_url(self, shell: Shell, words: list[str], said: str) -> None:
        assert shell.types("report", *words) == 2
        assert said in shell.err

    def test_a_file_from_before_a_report_says_how_to_get_it(self, shell: Shell) -> None:
        with closing(sqlite3.connect(shell.db)) as db, db:
            db.execute("DROP VIEW thin_pages")

        for words in (["report", "thin_pages"], ["query", "SELECT * FROM thin_pages"]):
            assert shell.types(*words) == 2
            assert "run its crawl again" in shell.err

    def test_html_is_one_page_that_obeys_no_title(self, shell: Shell) -> None:
        with closing(sqlite3.connect(shell.db)) as db, db:
            db.execute("UPDATE fetch SET title = '<script>alert(1)</script>\u202e'")

        assert shell.types("report", "large_pages", "--format", "html") == 0
        assert shell.types("query", "SELECT url, title FROM pages", "--format", "html") == 0
        assert "<script" not in shell.out
        assert "&lt;script&gt;" in shell.out
        assert "\u202e" not in shell.out
        assert "default-src 'none'" in shell.out

    def test_broken_links_are_one_row_for_each_target(self, shell: Shell) -> None:
        """The view of this name has a row for each link, for programs."""
        with CrawlFile.reopened(shell.db) as crawl:
            crawl.link(f"{SITE}/a", f"{SITE}/gone")

        assert shell.types("report", "broken_links", "--format", "csv") == 0
        assert shell.out.splitlines() == [
            "target,status,reason,pages,source,more_sources",
            f"{SITE}/gone,404,http_404,2,{HOME},{SITE}/a",
        ]
        assert shell.query("SELECT count(*) FROM broken_links", "csv").splitlines()[1] == "2"

    def test_broken_resources_are_no_broken_links(self, shell: Shell) -> None:
        with CrawlFile.reopened(shell.db) as crawl:
            image = crawl.url(f"{SITE}/x.png", "failed", reason="http_404")
            crawl.db.execute("UPDATE url SET kind = 2 WHERE id = ?", (image,))
            crawl.db.execute(
                "INSERT INTO resource_use VALUES (?, ?, ?)",
                (crawl.number(HOME), image, crawl.phrase("image")),
            )

        shell.types("report", "broken_links", "--format", "csv")
        assert "x.png" not in shell.out
        shell.types("report", "broken_resources", "--format", "csv")
        assert "x.png" in shell.out

    @pytest.mark.parametrize(
        ("words", "rows", "note"),
        [
            ([], 100, "penstock: note: 100 of 151 rows; --limit 0 shows all\n"),
            (["--limit", "0"], 151, ""),
            (["--limit", "151"], 151, ""),
            (["--limit", "150"], 150, "penstock: note: 150 of 151 rows; --limit 0 shows all\n"),
            (["--format", "csv"], 151, ""),
            (["--format", "csv", "--limit", "0"], 151, ""),
            (["--format", "jsonl"], 151, ""),
            (
                ["--format", "jsonl", "--limit", "2"],
                2,
                "penstock: note: 2 of 151 rows; --limit 0 shows all\n",
            ),
        ],
        ids=str,
    )
    def test_a_table_shows_100_rows_and_how_many_there_are(
        self, shell: Shell, words: list[str], rows: int, note: str
    ) -> None:
        with CrawlFile.reopened(shell.db) as crawl:
            for number in range(150):
                crawl.url(f"{SITE}/{number}", "skipped", reason="robots")

        assert shell.types("report", "skipped", *words) == 0

        assert sum("robots" in line or "scope" in line for line in shell.out.splitlines()) == rows
        assert shell.err == note

    def test_the_rows_of_a_report_about_one_url_are_counted_too(self, shell: Shell) -> None:
        assert shell.types("report", "outlinks", HOME, "--limit", "2") == 0

        assert "2 of 5 rows" in shell.err

    @pytest.mark.parametrize(
        ("name", "meant"),
        [("broken_link", "broken_links"), ("Failed", "failed"), ("dupliactes", "duplicates")],
    )
    def test_a_mistyped_name_is_corrected(self, shell: Shell, name: str, meant: str) -> None:
        assert shell.types("report", name) == 2
        assert f"there is no report {name!r} (did you mean {meant}?)" in shell.err
        assert len(shell.err) < 120

    @pytest.mark.parametrize("limit", ["-1", "x", "1.5"])
    def test_a_limit_is_a_whole_number(self, shell: Shell, limit: str) -> None:
        assert shell.types("report", "failed", f"--limit={limit}") == 2

    @pytest.mark.parametrize("words", [["report"], ["report", "nope"], ["report", "url; DROP TABLE url"]])
    def test_any_other_name_is_answered_with_the_right_ones(self, shell: Shell, words: list[str]) -> None:
        assert shell.types(*words) == 2
        assert all(name in shell.err for name in REPORTS)


class TestStatus:
    @pytest.fixture
    def lines(self, shell: Shell) -> list[str]:
        assert shell.types("status") == 0
        return [" ".join(line.split()) for line in shell.out.splitlines()]

    def test_status_shows_the_seeds_and_rules_of_the_crawl(self, lines: list[str]) -> None:
        assert [f"seeds {HOME}", f"{SITE}/second", "scope host", "depth 3", "robots obeyed"] == lines[1:6]

    def test_states_add_up_to_the_urls_known(self, lines: list[str]) -> None:
        start = lines.index("6 URLs known, of which")

        assert lines[start + 1 : start + 6] == [
            "2 pending, 1 of them wait for a retry",
            "2 done",
            "1 failed",
            "1 skipped",
            "2 pages of status 200",
        ]

    def test_status_counts_failed_and_skipped_urls_by_reason(self, lines: list[str]) -> None:
        assert "1 http_404: the host answered with status 404 (there is no such page)" in lines
        assert "1 scope: outside --scope" in lines

    def test_a_run_without_an_end_whose_lock_nobody_holds_was_killed(self, lines: list[str]) -> None:
        """The system drops the lock with the process, so `status` knows it at once."""
        assert "state killed: run 2 has not ended; the same command resumes it" in lines
        assert any(line.startswith("1 ") and "sigint" in line for line in lines)

    def test_where_locks_cannot_be_seen_it_is_running_or_killed(
        self, shell: Shell, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("penstock.storage.reading.crawl_status.is_held", lambda path: None)

        assert shell.types("status") == 0
        assert "running or killed: run 2 has not ended" in shell.out

    def test_a_run_with_a_recent_report_shows_its_live_view(self, shell: Shell) -> None:
        snapshot = Snapshot(elapsed_s=5, pages=4321, stages={"fetch": StageView(1, 64, 60, 64)})
        self.says(shell, time.time(), snapshot.to_json())

        with crawling(shell.db):
            assert shell.types("status") == 0
        assert "state      running: run 2 reported" in shell.out
        assert "4,321 pages" in shell.out
        assert "60.0/64" in shell.out

    def test_a_kill_is_seen_at_once(self, shell: Shell) -> None:
        """However fresh the last report is."""
        self.says(shell, time.time(), Snapshot(elapsed_s=5, pages=4321).to_json())

        assert shell.types("status") == 0
        assert "killed: run 2 has not ended, and its last report was" in shell.out
        assert "4,321" not in shell.out

    def test_a_run_without_a_recent_report_is_suspended_or_stuck(self, shell: Shell) -> None:
        self.says(shell, time.time() - 3600, Snapshot(elapsed_s=5, pages=4321).to_json())

        with crawling(shell.db):
            assert shell.types("status") == 0
        assert "running, but silent: run 2 has not ended, and its last report was 1:00:0" in shell.out

    def test_the_same_as_json(self, shell: Shell) -> None:
        self.says(shell, time.time(), Snapshot(elapsed_s=5, pages=4321).to_json())

        with crawling(shell.db):
            assert shell.types("status", "--format", "json") == 0
        status = json.loads(shell.out)
        assert status["state"] == "running"
        assert status["urls"] == {"pending": 2, "done": 2, "failed": 1, "skipped": 1}
        assert (status["failed"], status["skipped"]) == ({"http_404": 1}, {"scope": 1})
        assert status["failed_share"] == 0.3333
        assert status["live"]["pages"] == 4321
        assert [run["stop_reason"] for run in status["runs"]] == ["sigint", None]

    @pytest.mark.parametrize(
        ("end", "state"), [(None, "killed"), ("2026-11-20T11:00:00.000Z", "ended")], ids=["killed", "ended"]
    )
    def test_json_names_the_state_in_a_word(self, shell: Shell, end: str | None, state: str) -> None:
        with closing(sqlite3.connect(shell.db)) as db, db:
            db.execute("UPDATE runs SET finished_at = ?, stop_reason = 'sigint' WHERE id = 2", (end,))

        assert shell.types("status", "--format", "json") == 0
        assert json.loads(shell.out)["state"] == state

    @pytest.mark.parametrize(
        "text", ["", "{}", '{"elapsed_s": "x", "stages": {}, "busiest": [], "events": []}']
    )
    def test_a_live_view_that_makes_no_sense_is_no_error(self, shell: Shell, text: str) -> None:
        self.says(shell, time.time(), text)

        with crawling(shell.db):
            assert shell.types("status") == 0
            assert shell.types("status", "--format", "json") == 0

    def says(self, shell: Shell, at: float, snapshot: str) -> None:
        with closing(sqlite3.connect(shell.db)) as db, db:
            db.execute("INSERT INTO live (id, run_id, at, snapshot) VALUES (1, 2, ?, ?)", (at, snapshot))

    def test_last_seen_is_the_newest_of_answers_and_runs(self, lines: list[str]) -> None:
        assert "last seen 2026-11-20T11:00:00.000Z" in lines

    def test_a_crawl_that_has_not_begun_has_a_status_too(self, shell: Shell) -> None:
        """Killed between the schema and the first row."""
        shell.db = shell.db.with_name("new.db")
        with CrawlFile(shell.db):
            pass

        assert shell.types("status") == 0
        assert "not started" in shell.out


class TestWhy:
    def test_why_shows_state_reason_answer_and_path(self, shell: Shell) -> None:
        assert shell.types("why", f"{SITE}/gone") == 0
        assert "failed" in shell.out
        assert "http_404: the host answered with status 404" in shell.out
        assert shell.out.splitlines()[-2:] == [
            f"  seed       {HOME}",
            f"  link       {SITE}/gone   'to gone'",
        ]

    def test_any_spelling_of_a_url_is_understood(self, shell: Shell) -> None:
        assert shell.types("why", "HTTPS://Me:Secret@SITE.example:443/x/../a#part") == 0
        assert shell.out.startswith(f"{SITE}/a\n")
        assert "Secret" not in shell.out

    def test_a_rule_is_explained(self, shell: Shell) -> None:
        shell.types("why", "https://other.example/")

        assert "scope: outside --scope" in shell.out
        assert "none: not requested" in shell.out

    def test_a_retry_tells_its_time(self, shell: Shell) -> None:
        shell.types("why", f"{SITE}/later")

        assert "not before 2026-11-20T10:53:26.000Z" in shell.out

    def test_a_title_is_harmless(self, shell: Shell) -> None:
        shell.types("why", f"{SITE}/a")

        assert not any(character in shell.out for character in NEVER_RAW)

    def test_what_only_a_sitemap_leads_to_has_no_depth(self, shell: Shell) -> None:
        with closing(sqlite3.connect(shell.db)) as db, db:
            db.execute("UPDATE url SET depth = 1 << 30 WHERE path = '/a'")

        assert shell.types("why", f"{SITE}/a") == 0
        assert "depth      none: only a sitemap names it" in shell.out

    def test_a_sitemap_of_the_same_url_is_not_mistaken_for_the_page(self, shell: Shell) -> None:
        with closing(sqlite3.connect(shell.db)) as db, db:
            db.execute(
                "INSERT INTO url (id, host_id, secure, path, kind, depth, hops, followed, seed, state) "
                "SELECT -1, host_id, secure, path, 1, 0, 0, 1, 0, 2 FROM url WHERE path = '/a'"
            )

        assert shell.types("why", f"{SITE}/a") == 0
        assert "1 stored page links to it" in shell.out

    @pytest.mark.parametrize(
        ("url", "said"),
        [
            (f"{SITE}/unknown", "is not in this crawl"),
            ("http://site.example/a", "is not in this crawl"),
            ("mailto:me@site.example", "scheme 'mailto'"),
            ("site.example/a", "no valid URL"),
            ("http://[::1", "no valid URL"),
            (f"{SITE}/{'x' * 3000}", "trap:length"),
        ],
    )
    def test_a_url_that_has_no_row_is_told_the_rule(self, shell: Shell, url: str, said: str) -> None:
        assert shell.types("why", url) == 2
        assert said in shell.err
        assert shell.err.count("\n") == 1


class TestStart:
    @pytest.mark.parametrize(
        "command", ["query", "report", "status", "why", "export", "diff", "site", "analyse", "metadata"]
    )
    def test_help_loads_nothing_slow(self, command: str) -> None:
        """A person waits for --help; SQLite and asyncio are for later."""
        code = (
            "import sys, atexit; from penstock.crawler.cli import main\n"
            "atexit.register(lambda: sys.stderr.write(' '.join(sys.modules)))\n"
            f"main([{command!r}, '--help'])"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=True,
        )

        assert "usage" in done.stdout
        assert {"sqlite3", "aiosqlite", "asyncio", "rich"}.isdisjoint(done.stderr.split())
