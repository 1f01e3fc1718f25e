"""Exports: a crawl in other programs' formats, read back by those programs where there are any."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tomllib
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest

from penstock.crawler.cli import main
from penstock.crawler.errors import BadConfig
from penstock.storage import exports
from tests.crawler.cli.test_table_formats import HOSTILE
from tests.support.crawls import ROOT
from tests.support.database_rows import SITE, CrawlFile

HOME = f"{SITE}/"
EXAMPLE = Path(__file__).parent / "example"
GRAPHML = "{http://graphml.graphdrawing.org/xmlns}"


@dataclass
class Shell:
    """The command line with a database, and a folder for what it writes."""

    db: Path
    folder: Path
    capture: pytest.CaptureFixture[str]
    err: str = ""

    def types(self, *words: str) -> int:
        code = main(["export", *words, "--db", str(self.db)])
        self.err = self.capture.readouterr().err
        return code

    def writes(self, form: str, *words: str, name: str = "out") -> Path:
        path = self.folder / name
        assert self.types(form, str(path), *words) == 0, self.err
        return path


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    db = tmp_path / "crawl.db"
    with CrawlFile(db) as crawl:
        crawl.crawl([HOME])
        crawl.run(pages=3)
        crawl.page(HOME, depth=0, seed=True, title="=cmd()", body=b"<p>home</p>")
        crawl.page(f"{SITE}/a?b=1&c=2", title=HOSTILE, body=b"")
        crawl.page(f"{SITE}/gone", status=404, error="http_404", title=None)
        crawl.redirect(f"{SITE}/old", HOME)
        crawl.link(HOME, f"{SITE}/a?b=1&c=2", "to <a> & \x00\x1b")
        crawl.link(HOME, f"{SITE}/gone", "gone", followed=False)
        crawl.saved(
            HOME,
            b"<p>home</p>",
            [("Content-Type", "text/html"), ("Content-Encoding", "gzip"), ("Content-Length", "31")],
        )
        crawl.saved(f"{SITE}/a?b=1&c=2", b"", [("X-Odd", "ü")])
    folder = tmp_path / "out"
    folder.mkdir()
    return Shell(db, folder, capsys)


def write_urls(source: exports.ExportSource, files: exports.ExportFiles) -> int:
    return sum(files.main().write(str(value).upper().encode()) for (value,) in source.rows())


def piped(monkeypatch: pytest.MonkeyPatch) -> io.BytesIO:
    """Standard output as bytes."""
    pipe = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(pipe, "utf-8", write_through=True))
    return pipe


def links(shell: Shell) -> set[tuple[str, str]]:
    with closing(sqlite3.connect(shell.db)) as db:
        return set(db.execute("SELECT source, target FROM links"))


class TestRows:
    def test_jsonl_gives_back_what_the_table_holds(self, shell: Shell) -> None:
        lines = shell.writes("jsonl").read_text("utf-8").splitlines()

        with closing(sqlite3.connect(shell.db)) as db:
            cursor = db.execute("SELECT * FROM pages")
            names = [column[0] for column in cursor.description]
            assert [json.loads(line) for line in lines] == [
                dict(zip(names, row, strict=True)) for row in cursor
            ]

    def test_csv_is_read_back_and_no_text_is_a_formula(self, shell: Shell) -> None:
        path = shell.writes("csv", "--sql", "SELECT url, title FROM pages ORDER BY url LIMIT 1")

        assert list(csv.reader(io.StringIO(path.read_text("utf-8")))) == [["url", "title"], [HOME, "'=cmd()"]]

    @pytest.mark.parametrize("table", ["pages", "urls", "links", "runs", "broken_links"])
    @pytest.mark.parametrize("form", ["csv", "jsonl", "parquet", "xlsx"])
    def test_every_table_can_be_exported_in_every_format_of_rows(
        self, shell: Shell, form: str, table: str
    ) -> None:
        assert shell.writes(form, "--table", table).stat().st_size > 0

    def test_csv_for_a_spreadsheet_has_a_byte_order_mark_and_cr_lf(self, shell: Shell) -> None:
        sql = "SELECT 'ü,\"' || char(10) || 'x' AS a, 1 AS b"

        plain = shell.writes("csv", "--sql", sql, name="plain.csv").read_bytes()
        marked = shell.writes("csv", "--sql", sql, "--bom", name="marked.csv").read_bytes()

        assert plain == 'a,b\n"ü,""\nx",1\n'.encode()
        assert marked == b"\xef\xbb\xbf" + 'a,b\r\n"ü,""\nx",1\r\n'.encode()
        assert list(csv.reader(io.StringIO(marked.decode("utf-8-sig"), newline=""))) == [
            ["a", "b"], ['ü,"\nx', "1"],
        ]  # fmt: skip

    @pytest.mark.parametrize("form", ["csv", "jsonl"])
    def test_the_provenance_is_written_beside_the_file_on_request_only(self, shell: Shell, form: str) -> None:
        shell.writes(form, "--sql", "SELECT 1", name="alone")
        assert [path.name for path in shell.folder.iterdir()] == ["alone"]

        shell.writes(form, "--sql", "SELECT 1", "--meta")

        said = json.loads((shell.folder / "out.meta.json").read_text())

        assert said["crawl"]["seeds"] == [HOME]
        assert said["sql"] == "SELECT 1"
        assert said["runs"][0]["stop_reason"] == "finished"
        assert said["software"].startswith("Penstock/")

    def test_an_export_writes_no_other_files(self, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(shell.folder)
        for form in ("csv", "edges", "graphml", "jsonl", "sitemap", "parquet", "warc", "xlsx"):
            shell.writes(form, name=form)

        assert sorted(path.name for path in shell.folder.iterdir()) == [
            "csv", "edges", "graphml", "jsonl", "parquet", "sitemap", "warc", "xlsx",
        ]  # fmt: skip


class TestParquet:
    @pytest.fixture
    def parquet(self) -> Any:
        return pytest.importorskip("pyarrow.parquet")

    def test_parquet_has_typed_columns_and_the_provenance(self, shell: Shell, parquet: Any) -> None:
        table = parquet.read_table(shell.writes("parquet"))

        kinds = {field.name: str(field.type) for field in table.schema}
        assert kinds["fetched_at"] == "timestamp[ms, tz=UTC]"
        assert (kinds["status"], kinds["title"], kinds["redirect_to"]) == ("int64", "string", "string")
        assert table.column("title").to_pylist()[1] == HOSTILE
        assert table.column("fetched_at").to_pylist()[0].isoformat() == "2026-11-20T10:53:26.123000+00:00"
        assert json.loads(table.schema.metadata[b"penstock"])["crawl"]["seeds"] == [HOME]

    def test_several_row_groups_of_parquet_are_one_table(self, shell: Shell, parquet: Any) -> None:
        count = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 25000) SELECT x FROM n"

        file = parquet.ParquetFile(shell.writes("parquet", "--sql", count))

        assert file.num_row_groups == 3
        assert file.read().column("x").to_pylist() == list(range(1, 25001))

    def test_parquet_without_rows_has_its_columns(self, shell: Shell, parquet: Any) -> None:
        table = parquet.read_table(shell.writes("parquet", "--sql", "SELECT url, status FROM pages WHERE 0"))

        assert [(field.name, str(field.type)) for field in table.schema] == [
            ("url", "string"),
            ("status", "int64"),
        ]

    @pytest.mark.parametrize(
        "sql",
        [
            "SELECT 1 AS x UNION ALL SELECT 'text'",
            "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 10001) "
            "SELECT CASE WHEN x > 10000 THEN 'text' ELSE x END AS x FROM n",
        ],
    )
    def test_a_parquet_column_of_several_types_is_named_in_the_error(
        self, shell: Shell, parquet: Any, sql: str
    ) -> None:
        assert shell.types("parquet", str(shell.folder / "out"), "--sql", sql) == 2
        assert "column 'x' has values of several types" in shell.err
        assert list(shell.folder.iterdir()) == []

    def test_a_query_can_be_parquet_in_a_pipe(
        self, shell: Shell, parquet: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pipe = piped(monkeypatch)

        assert main(["query", "SELECT 7 AS x", "--format", "parquet", "--db", str(shell.db)]) == 0
        assert parquet.read_table(pipe).to_pylist() == [{"x": 7}]


class TestGraphs:
    def test_edges_are_the_links(self, shell: Shell) -> None:
        lines = shell.writes("edges").read_text().splitlines()

        assert all(line.startswith("#") for line in lines[:2])
        assert {tuple(line.split("\t")) for line in lines[2:]} == links(shell)

    def test_graphml_is_xml_and_holds_the_graph(self, shell: Shell) -> None:
        """Whatever the titles hold, also what XML cannot say at all."""
        graph = ElementTree.parse(shell.writes("graphml")).getroot().find(f"{GRAPHML}graph")
        assert graph is not None

        def data(of: ElementTree.Element) -> dict[str | None, str | None]:
            return {datum.get("key"): datum.text for datum in of.findall(f"{GRAPHML}data")}

        nodes = {node.get("id"): data(node) for node in graph.findall(f"{GRAPHML}node")}
        edges = graph.findall(f"{GRAPHML}edge")
        found = {(nodes[e.get("source")]["url"], nodes[e.get("target")]["url"]) for e in edges}
        assert found == links(shell)
        by_url = {facts["url"]: facts for facts in nodes.values()}
        assert (by_url[f"{SITE}/gone"]["status"], by_url[HOME]["depth"]) == ("404", "0")
        assert {data(edge)["followed"] for edge in edges} == {"true", "false"}


class TestWarc:
    @pytest.fixture
    def checked(self, shell: Shell) -> Any:
        checker = pytest.importorskip("warcio.checker")

        def check(path: Path) -> int:
            class Options:
                inputs = (str(path),)
                verbose = False

            shell.capture.readouterr()
            return int(checker.Checker(Options).process_all() or 0)

        return check

    @pytest.mark.parametrize("name", ["out.warc", "out.warc.gz"])
    def test_warcios_own_checker_accepts_the_archive(self, shell: Shell, checked: Any, name: str) -> None:
        path = shell.writes("warc", name=name)

        assert checked(path) == 0
        assert path.read_bytes().startswith(b"\x1f\x8b" if name.endswith("gz") else b"WARC/1.1\r\n")

    def test_the_headers_of_a_warc_record_describe_the_body_in_it(self, shell: Shell, checked: Any) -> None:
        """The body is kept with its coding undone, so no header may claim that it has one."""
        from warcio.archiveiterator import ArchiveIterator

        with shell.writes("warc").open("rb") as file:
            info, home, other = [
                (record.rec_headers, record.http_headers, record.content_stream().read())
                for record in ArchiveIterator(file)
            ]

        assert b'"seeds": ["https://site.example/"]' in info[2]
        assert home[0].get_header("WARC-Target-URI") == HOME
        assert home[0].get_header("WARC-Date") == "2026-11-20T10:53:26.123Z"
        assert home[1].statusline == "200 OK"
        assert home[1].headers == [
            ("Content-Type", "text/html"),
            ("X-Archive-Orig-Content-Encoding", "gzip"),
            ("X-Archive-Orig-Content-Length", "31"),
            ("Content-Length", "11"),
        ]
        assert home[2] == b"<p>home</p>"
        assert other[2] == b""

    def test_a_warc_export_without_saved_bodies_is_refused(self, shell: Shell) -> None:
        pytest.importorskip("warcio")
        with closing(sqlite3.connect(shell.db)) as db, db:
            db.execute("DELETE FROM body")

        assert shell.types("warc", str(shell.folder / "out")) == 2
        assert "--save-bodies" in shell.err
        assert list(shell.folder.iterdir()) == []


class TestFiles:
    def test_an_old_file_stays_until_the_new_one_is_whole(self, shell: Shell) -> None:
        path = shell.writes("jsonl")
        before = path.read_bytes()
        with closing(sqlite3.connect(shell.db)) as db, db:
            db.execute("INSERT INTO body SELECT 3, 1, x'00', x'00'")  # damaged: it cannot be unpacked

        assert shell.types("warc", str(path), "--force") == 1
        assert path.read_bytes() == before
        assert [path.name for path in shell.folder.iterdir() if path.name.startswith(".")] == []

    def test_a_database_is_never_overwritten(self, shell: Shell) -> None:
        for path in (shell.db, shell.db.with_name("crawl.db-wal")):
            assert shell.types("jsonl", str(path)) == 2
            assert "name another file" in shell.err

    @pytest.mark.parametrize("name", ["out", "out.meta.json", "link"])
    def test_a_file_that_exists_is_replaced_with_force_only(self, shell: Shell, name: str) -> None:
        path = shell.folder / name
        if name == "link":
            path.symlink_to(shell.folder / "linked")
            path = shell.folder / "linked"
        path.write_text("mine")
        target = str(shell.folder / ("link" if name == "link" else "out"))

        assert shell.types("jsonl", target, "--meta") == 2
        assert f"{name} exists: name another file, or replace it with --force" in shell.err
        assert shell.err.count("\n") == 1
        assert path.read_text() == "mine"

        assert shell.types("jsonl", target, "--meta", "--force") == 0
        assert path.read_text() != "mine"
        assert [path.name for path in shell.folder.iterdir() if path.name.startswith(".")] == []

    def test_a_file_that_appears_during_the_export_is_not_replaced(
        self, shell: Shell, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = shell.folder / "out"
        whole = exports.ExportSource.rows

        def rows(source: exports.ExportSource) -> Any:
            path.write_text("mine")
            return whole(source)

        monkeypatch.setattr(exports.ExportSource, "rows", rows)

        assert shell.types("jsonl", str(path)) == 2
        assert path.read_text() == "mine"

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["nope", "x"], "csv, edges, graphml, jsonl, parquet, sitemap, warc, xlsx"),
            (["parkuet", "x"], "unknown export format 'parkuet' (did you mean parquet?)"),
            (["csv", "x", "--table", "broken_link"], "(did you mean broken_links?)"),
            (["csv", "x", "--tabel", "links"], "(did you mean --table?)"),
            (["jsonl", "x", "--bom"], "--bom: an export as jsonl has no such option"),
            (["jsonl", "-", "--meta"], "--meta: no file can stand beside standard output"),
            (["csv", "x", "--table", "nope"], "there are pages, urls, links"),
            (["csv", "x", "--table", "pages", "--sql", "SELECT 1"], "not both"),
            (["csv", "x", "--table", "top_pages"], "run analyse first"),
            (["edges", "x", "--table", "pages"], "no --table or --sql"),
            (["csv", "/no/such/folder/x"], "does not exist"),
            (["csv", "."], "is a folder"),
            (["csv", "x", "--sql", "SELECT nope FROM pages"], "pages has url, status"),
            (["csv", "x", "--sql", "DROP TABLE url"], "may only read"),
        ],
    )
    def test_a_mistake_in_the_words_of_export_is_one_line_and_exit_2(
        self, shell: Shell, words: list[str], said: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(shell.folder)

        assert shell.types(*words) == 2
        assert said in shell.err
        assert shell.err.count("\n") == 1
        assert list(shell.folder.iterdir()) == []

    def test_a_full_disk_is_one_line_and_exit_1(self, shell: Shell) -> None:
        if not Path("/dev/full").exists():
            pytest.skip("no /dev/full here")

        assert shell.types("edges", "/dev/full") == 1
        assert shell.err.startswith("penstock: error: cannot write /dev/full: No space left")

    def test_a_pipe_is_written_to_as_it_is(self, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
        pipe = piped(monkeypatch)

        assert shell.types("csv", "-", "--sql", "SELECT 1 AS x") == 0
        assert (pipe.getvalue(), shell.err) == (b"x\n1\n", "")

    def test_no_file_is_written_beside_a_device(self, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("penstock.storage.exports.sitemap.MAX_URLS", 1)

        assert shell.types("csv", os.devnull) == 0
        assert not Path(f"{os.devnull}.meta.json").exists()
        assert shell.types("sitemap", os.devnull) == 2

    def test_a_symbolic_link_stays_and_its_target_is_replaced(self, shell: Shell) -> None:
        real, link = shell.folder / "real", shell.folder / "link"
        real.write_text("old")
        link.symlink_to(real)

        shell.writes("csv", "--sql", "SELECT 1 AS x", "--force", name="link")

        assert link.is_symlink()
        assert real.read_text() == "x\n1\n"

    def test_a_closed_pipe_ends_an_export_without_an_error(self, shell: Shell) -> None:
        """`export csv - | head -1`, through a real pipe."""
        count = (
            "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 100000) SELECT x FROM n"
        )
        run = [sys.executable, str(ROOT / "run_crawl.py"), "export", "csv", "-", "--sql", count]
        with subprocess.Popen(
            [*run, "--db", str(shell.db)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=shell.folder
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stdout.readline() == b"x\n"
            process.stdout.close()
            assert process.stderr.read() == b""
            assert process.wait() == 0
        assert list(shell.folder.iterdir()) == []

    def test_an_export_refuses_to_write_to_a_terminal(
        self, shell: Shell, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What a site wrote could give it orders; `query` has an eye on that."""
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)

        assert shell.types("jsonl", "-") == 2
        assert "cannot be shown on a terminal" in shell.err

    @pytest.mark.parametrize(
        ("form", "library"), [("parquet", "pyarrow"), ("warc", "warcio"), ("xlsx", "xlsxwriter")]
    )
    def test_a_missing_library_is_named_with_its_extra(
        self, shell: Shell, form: str, library: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, library, None)
        for name in [name for name in sys.modules if name.startswith(f"{library}.")]:
            monkeypatch.setitem(sys.modules, name, None)
        monkeypatch.delitem(sys.modules, f"penstock.storage.exports.{form}", raising=False)

        assert shell.types(form, str(shell.folder / "out")) == 2
        assert f"pip install 'penstock-crawler[{form}]'" in shell.err


class TestPlugs:
    def test_each_file_of_the_folder_is_a_format_of_that_name(self) -> None:
        assert exports.list_formats() == [
            "csv", "edges", "graphml", "jsonl", "parquet", "sitemap", "warc", "xlsx",
        ]  # fmt: skip

    @pytest.mark.parametrize("name", ["csv", "edges", "graphml", "jsonl", "sitemap"])
    def test_every_built_in_format_says_in_one_line_what_it_is(self, name: str) -> None:
        form = exports.load_format(name)

        assert form.about
        assert "\n" not in form.about

    def test_a_function_by_itself_is_a_format_of_rows(self) -> None:
        form = exports.load_format("shout", {"shout": write_urls})

        assert (form.takes_rows, form.options, form.about) == (True, (), "")
        assert form.write is write_urls

    def test_a_given_object_replaces_the_built_in_format_of_its_name(self) -> None:
        given = SimpleNamespace(write=write_urls, TAKES="crawl", OPTIONS=["bom"], ABOUT="mine")

        form = exports.load_format("csv", {"csv": given})

        assert (form.write, form.takes_rows, form.options, form.about) == (
            write_urls,
            False,
            ("bom",),
            "mine",
        )

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            (object(), r"'odd' has no function write\(source, files\)"),
            (SimpleNamespace(write=write_urls, TAKES="pages"), "'odd' has TAKES = 'pages'"),
        ],
    )
    def test_an_object_that_is_no_format_is_refused_by_name(self, given: object, message: str) -> None:
        with pytest.raises(BadConfig, match=message):
            exports.load_format("odd", {"odd": given})


class TestExample:
    """The example of docs/extend, as an installed package."""

    @pytest.fixture(autouse=True)
    def installed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What `pip install` puts into site-packages: the module and the entry points."""
        project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text("utf-8"))["project"]
        site = tmp_path / "site-packages"
        info = site / "penstock_markdown-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 1.0\n")
        points = project["entry-points"]["penstock.exports"]
        lines = "".join(f"{name} = {target}\n" for name, target in points.items())
        (info / "entry_points.txt").write_text(f"[penstock.exports]\n{lines}")
        shutil.copy(EXAMPLE / "markdown_table.py", site)
        monkeypatch.syspath_prepend(site)
        monkeypatch.delitem(sys.modules, "markdown_table", raising=False)

    def test_a_format_of_an_installed_package_is_found_by_its_name(self, shell: Shell) -> None:
        assert "markdown" in exports.list_formats()

        path = shell.writes("markdown", "--sql", "SELECT status, title FROM pages ORDER BY url LIMIT 1")

        assert path.read_text("utf-8") == "| status | title |\n| --- | --- |\n| 200 | =cmd() |\n"
        assert "1 record" in shell.err
