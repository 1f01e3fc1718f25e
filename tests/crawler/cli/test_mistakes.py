"""Plausible mistakes of a new user: one line that says what is wrong and what to do, exit 2, nothing lost.

Each is typed into the real command line, in a folder with a finished crawl, and nothing there changes.
What no program could mean at all is in test_refusals.py.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from penstock.crawler.cli import main
from penstock.crawler.output import logs
from tests.support.crawls import COMMAND
from tests.support.database_rows import SITE, CrawlFile

HOME = f"{SITE}/"
Capture = pytest.CaptureFixture[str]

FILES = {
    "text.txt": b"hello\n",
    "empty.txt": b"",
    "other.sqlite": b"",  # made below
    "unknown.toml": b"depht = 2\n",
    "type.toml": b'seed = "http://example.com/"\ndepth = "two"\n',
    "syntax.toml": b"depth = \n",
    "table.toml": b'seed = "http://example.com/"\n[crawl]\ndepth = 2\n',
    "latin1.txt": b"http://example.com/\xfc\n",
    "mistaken_broken.py": b'raise RuntimeError("boom")\n',
    "mistaken_syntax.py": b"def f(:\n",
    "mistaken_hooks.py": b"def on_page(page):\n    pass\n",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    import sqlite3
    from contextlib import closing

    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name, data in FILES.items():
        Path(name).write_bytes(data)
    Path("folder").mkdir()
    with closing(sqlite3.connect("other.sqlite")) as db:
        db.execute("CREATE TABLE t (x)")
        db.commit()
    with CrawlFile(Path("crawl.db")) as crawl:
        crawl.crawl([HOME], traps=True)
        crawl.page(HOME, depth=0, seed=True)
        crawl.run(pages=1)
    return tmp_path


def contents(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.is_file() and not path.name.startswith("crawl.db-")
    }


SEED = ("--seed", HOME)

# The words that are typed, and what the line must contain.
CRAWL: list[tuple[tuple[str, ...], str]] = [
    # the command, the flags
    ((*SEED, "--depht", "3"), "unknown option '--depht' (did you mean --depth?)"),
    ((*SEED, "-depth", "3"), "unknown option '-depth' (did you mean --depth?)"),
    ((*SEED, "\u2014depth", "3"), "its dash is not the one of the keyboard: type --depth"),
    ((*SEED, "\u2013\u2013depth", "3"), "type --depth"),
    ((*SEED, "--max-depth", "3"), "(did you mean --depth?)"),
    ((*SEED, "--concurrency", "3"), "(did you mean --fetchers?)"),
    ((*SEED, "--threads", "3"), "(did you mean --fetchers?)"),
    ((*SEED, "--wait", "3"), "(did you mean --delay?)"),
    ((*SEED, "--output", "x.csv"), "(use the command export, or --db for the file of the crawl)"),
    ((*SEED, "--resume"), "(use the same command again, which resumes)"),
    ((*SEED, "--ignore-robots"), "(did you mean --no-robots?)"),
    (("--url", HOME), "(did you mean --seed?)"),
    ((*SEED, "--quiet=yes"), "--quiet: takes no value"),
    ((*SEED, "--scope"), "--scope: needs a value"),
    ((*SEED, "--depth", "2", "3"), "unexpected argument '3' (--depth takes one value)"),
    ((*SEED, "http://example.com/b"), "(--seed takes one value; repeat --seed for each)"),
    ((*SEED, "--include", "a.html", "b.html"), "(--include takes one value; repeat --include for each)"),
    ((HOME,), "(did you mean --seed URL?)"),
    (("example.com",), "(give the URL to start from with --seed)"),
    (("craw", *SEED), "(did you mean crawl?)"),
    (("reprot", "failed"), "(did you mean report?)"),
    (("help",), "(did you mean --help?)"),
    (("--db", "crawl.db", "status"), "the command 'status' must come first"),
    ((), "--seed: at least one is needed, such as --seed https://example.com/"),
    # seeds
    (("--seed", "example.com"), "did you mean http://example.com/?"),
    (("--seed", "localhost:8000/x"), "did you mean http://localhost:8000/x?"),
    (("--seed", "//example.com/"), "did you mean http://example.com/?"),
    (("--seed", "ftp://example.com/"), "(only http and https can be crawled)"),
    (("--seed", "htp://example.com/"), "(did you mean http?)"),
    (("--seed", "http://exa mple.com/"), "(a host name contains no spaces)"),
    (("--seed", "http://example.com:99999/"), "(its port is not valid)"),
    (("--seed", "http://example.com:port/"), "(its port is not valid)"),
    (("--seed", "http://-\u202e-/"), "(its host name is not valid)"),
    (("--seed", "text.txt"), "(it is a file; a list of URLs is read with --seeds)"),
    (("--seed", "./text.txt"), "(it is a file; a list of URLs is read with --seeds)"),
    (("--seed", "file:///etc/hosts"), "(only http and https can be crawled)"),
    ((*SEED, "--sitemap", "text.txt"), "--sitemap: 'text.txt' is not an absolute http(s) URL (it is a file)"),
    (("--seeds", "none.txt"), "--seeds none.txt: cannot be read: No such file or directory"),
    (("--seeds", "folder"), "--seeds folder: cannot be read: Is a directory"),
    (("--seeds", "empty.txt"), "--seed: at least one is needed"),
    (("--seeds", "text.txt"), "'hello' is not an absolute http(s) URL"),
    (("--seeds", "latin1.txt"), "not UTF-8 text (byte 19): save it as UTF-8"),
    (("--seeds", "http://example.com/"), "(a URL is given with --seed)"),
    # numbers
    ((*SEED, "--depth", "two"), "--depth: must be a whole number, 0 or more, or inf, not 'two'"),
    ((*SEED, "--depth", "-1"), "--depth: must be a whole number, 0 or more, or inf, not -1"),
    ((*SEED, "--retries", "-1"), "--retries: must be a whole number from 0 to 100, not -1"),
    ((*SEED, "--max-time", "5m"), "'5m' (did you mean 300?)"),
    ((*SEED, "--max-time", "1.5h"), "'1.5h' (did you mean 5400?)"),
    ((*SEED, "--timeout", "500ms"), "'500ms' (did you mean 0.5?)"),
    ((*SEED, "--delay", "0,5"), "'0,5' (did you mean 0.5?)"),
    ((*SEED, "--max-pages", "1,000"), "'1,000' (did you mean 1000?)"),
    ((*SEED, "--max-pages", "10k"), "(did you mean 10240?)"),
    ((*SEED, "--max-bytes", "10MB"), "'10MB' (did you mean 10000000?)"),
    ((*SEED, "--max-body", "2.5 MiB"), "'2.5 MiB' (did you mean 2621440?)"),
    ((*SEED, "--max-pages", "many"), "--max-pages: must be a whole number, 1 or more, not 'many'"),
    ((*SEED, "--metrics-port", "99999"), "must be a whole number from 1 to 65535, not 99999"),
    # other values
    ((*SEED, "--scope", "hosts"), "--scope: must be one of host, domain, prefix, any, not 'hosts'"),
    ((*SEED, "--include", "["), "--include: '[' is not a valid regular expression: missing ]"),
    ((*SEED, "--include", "*.html"), "(a glob such as *.html is not one; write \\.html$)"),
    ((*SEED, "--exclude", "(?!x)"), "RE2 expressions"),
    ((*SEED, "--header", "no colon"), "--header: must have the form 'Name: value'"),
    ((*SEED, "--auth", "nobody"), "must have the form USER:PASSWORD"),
    ((*SEED, "--proxy", "proxy:3128"), "must have the form http://[USER:PASSWORD@]HOST:PORT"),
    ((*SEED, "--proxy", "http://proxy:99999"), "its port is not valid"),
    ((*SEED, "--select", "price"), "must have the form NAME=CSS"),
    ((*SEED, "--select", "price=.price["), "'.price[' is no CSS selector"),
    ((*SEED, "--plugin", "mistaken_nothing:f"), "modules are found in the current folder and on PYTHONPATH"),
    ((*SEED, "--plugin", "mistaken_hooks:on_pages"), "has no 'on_pages' (did you mean on_page?)"),
    ((*SEED, "--plugin", "mistaken_hooks.py:on_page"), "without .py and folders"),
    ((*SEED, "--plugin", "mistaken_broken:f"), "cannot be imported: RuntimeError: boom"),
    ((*SEED, "--plugin", "mistaken_syntax:f"), "cannot be imported: SyntaxError"),
    ((*SEED, "--plugin", "mistaken_hooks"), "or give module:function"),
    # option files
    ((*SEED, "--config", "none.toml"), "--config none.toml: cannot be read"),
    ((*SEED, "--config", "unknown.toml"), "unknown option 'depht' (did you mean depth?)"),
    (("--config", "type.toml"), "--depth: must be a whole number, 0 or more, or inf, not 'two'"),
    (("--config", "syntax.toml"), "not valid TOML: Invalid value (at line 1"),
    (("--config", "table.toml"), "unknown option 'crawl'"),
    # the database
    ((*SEED, "--db", "none/x.db"), "the folder of none/x.db does not exist"),
    ((*SEED, "--db", "folder"), "folder is a folder"),
    ((*SEED, "--db", "text.txt"), "text.txt is not an SQLite database"),
    ((*SEED, "--db", "other.sqlite"), "other.sqlite is another application's database"),
    ((*SEED, "--scope", "any"), 'its scope differs (scope there: "host", here: "any"); choose another --db'),
    (("--seed", "http://example.com/"), "its seeds differ"),
]

READ: list[tuple[tuple[str, ...], str]] = [
    (
        ("query", "SELECT ulr FROM pages"),
        "there is no column 'ulr' (did you mean url?); pages has url, status",
    ),
    (("query", "SELECT p.titel FROM pages p"), "there is no column 'p.titel' (did you mean title?)"),
    (("query", "SELECT * FROM page"), "there is no table 'page' (did you mean pages?)"),
    (("query", "SELECT * FROM broken_link"), "there is no table 'broken_link' (did you mean broken_links?)"),
    (("query", "SELEC * FROM pages"), "(did you mean select?)"),
    (("query", "SELECT * FORM pages"), "SQLite cannot execute this: "),
    (("query", "pages"), 'this is no SELECT: write "SELECT * FROM pages"'),
    (("query", "DELETE FROM pages"), "a query may only read; this one changes something"),
    (("query", "SELECT", "url"), "unexpected argument 'url' (put the whole query in quotes)"),
    (("query",), "missing: SQL"),
    (("search", "kettle"), "this crawl has no full-text index: crawl with --search"),
    (("search", "two", "words"), "(put the whole query in quotes)"),
    (("why", "/a"), "write it with https://"),
    (("why",), "missing: URL"),
    (("status", "crawl.db"), "(did you mean --db crawl.db?)"),
    (("status", "--db", "none.db"), "none.db does not exist: crawl first, or name another file with --db"),
    (("status", "--db", "empty.txt"), "empty.txt is empty: no crawl was started in it"),
    (("status", "--db", "folder"), "folder is a folder; --db takes a file"),
    (("status", "--db", "other.sqlite"), "other.sqlite is the database of another application"),
    (("report", "broken_link"), "(did you mean broken_links?)"),
    (("report", "broken-links"), "(did you mean broken_links?)"),
    (("report", "broken_links", "crawl.db"), "(did you mean --db crawl.db?)"),
    (("report", "failed", "--format", "jsn"), "not 'jsn' (did you mean json?)"),
    (("report", "failed", "--format", "xlsx"), "(the command export writes it)"),
    (("report", "failed", "--limit", "ten"), "--limit: must be a whole number, not 'ten'"),
    (("report", "failed", "--bom"), "--bom: only --format csv can begin with a byte order mark"),
    (("export", "cvs", "x.csv"), "(did you mean csv?)"),
    (("export", "links", "x.csv"), "links is a table, not an export format: export csv FILE --table links"),
    (("export", "csv"), "missing: FILE"),
    (("export", "csv", "x.csv", "--table", "page"), "(did you mean pages?)"),
    (("export", "csv", "none/x.csv"), "the folder of none/x.csv does not exist"),
    (("export", "csv", "folder"), "folder is a folder: name a file"),
    (("export", "csv", "text.txt"), "text.txt exists: name another file, or replace it with --force"),
    (("export", "csv", "crawl.db"), "crawl.db is a database and would be overwritten"),
    (("export", "csv", "crawl.db", "--force"), "crawl.db is a database and would be overwritten"),
    (("site", "text.txt"), "text.txt is not a folder"),
    (("site", "none/a/b"), "the folder of none/a/b does not exist"),
    (("diff", "crawl.db"), "missing: NEW"),
    (("diff", "crawl.db", "none.db"), "none.db does not exist"),
    (("diff", "crawl.db", "crawl.db", "--fail-if", "chnage = 'gone'"), "a condition uses change, url, field"),
    (("diff", "crawl.db", "crawl.db", "--fail-if", "broken_link"), "(did you mean broken_links?)"),
    (("reparse", "--select", "price=.price"), "crawl with --save-bodies"),
    (("analyse", "--db", "none.db"), "none.db does not exist"),
]


@pytest.mark.parametrize(("words", "said"), [*CRAWL, *READ], ids=lambda given: ascii(given)[:70])
def test_a_mistake_is_one_line_with_the_way_out_and_changes_nothing(
    folder: Path, capsys: Capture, words: tuple[str, ...], said: str
) -> None:
    before = contents(folder)

    code = main(words)

    shown = capsys.readouterr()
    logs.reset()
    assert code == 2, shown.err
    assert said in shown.err
    assert shown.err.startswith("penstock: error: ")
    assert shown.err.count("\n") == 1
    assert shown.out == ""
    assert contents(folder) == before


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("bom.txt", b"\xef\xbb\xbfhttp://example.com/\n"),
        ("crlf.txt", b"# seeds\r\n\r\nhttp://example.com/\r\n"),
        ("utf16le.txt", "http://example.com/\r\n".encode("utf-16")),
        ("utf16be.txt", b"\xfe\xff" + "http://example.com/\r\n".encode("utf-16-be")),
    ],
)
def test_a_seeds_file_may_be_written_by_windows(
    folder: Path, capsys: Capture, name: str, data: bytes
) -> None:
    """With a byte order mark, CR LF, or in UTF-16, as PowerShell's > writes it."""
    Path(name).write_bytes(data)

    assert main(["--seeds", name, "--print-config"]) == 0
    assert 'seeds = ["http://example.com/"]' in capsys.readouterr().out


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_database_that_may_not_be_written_is_refused(folder: Path, capsys: Capture) -> None:
    Path("crawl.db").chmod(0o444)

    assert main([*SEED]) == 2
    assert "crawl.db" in capsys.readouterr().err


class TestTerminals:
    """The command as a process, for what a test in this process cannot see."""

    def run(self, folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*COMMAND, *words],
            cwd=folder, env={**os.environ, **environment}, capture_output=True, timeout=60, check=False,
        )  # fmt: skip

    @pytest.mark.parametrize("locale", [{"LC_ALL": "C"}, {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0"}])
    def test_a_terminal_without_utf_8_shows_escapes(self, folder: Path, locale: dict[str, str]) -> None:
        done = self.run(
            folder, "query", "SELECT char(252, 20013) AS x", "--format", "csv", PYTHONUTF8="0", **locale
        )

        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout.splitlines() in ([b"x", rb"\xfc\u4e2d"], [b"x", "ü中".encode()])

    @pytest.mark.parametrize("columns", ["0", "1", "5", "nonsense"])
    def test_a_tiny_terminal_ends_no_command(self, folder: Path, columns: str) -> None:
        for words in (["--help"], ["report", "--help"], ["query", "SELECT * FROM pages"]):
            done = self.run(folder, *words, COLUMNS=columns)

            assert (done.returncode, done.stderr) == (0, b"")

    def test_a_reader_that_leaves_ends_the_command_without_a_word(self, folder: Path) -> None:
        numbers = (
            "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 300000) SELECT * FROM n"
        )
        with subprocess.Popen(
            [*COMMAND, "query", numbers, "--format", "csv"],
            cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        ) as process:  # fmt: skip
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stdout.readline().split() == [b"x"]
            process.stdout.close()
            said = process.stderr.read()

        assert said == b""
        assert process.returncode in (0, 141)
