"""A crawl's file, opened by a program: queries, reports, pages, explanations and exports."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import penstock
from penstock import BadConfig, BadDatabase, BadQuery, CrawlFile, Table
from tests.support.crawls import crawl as run_crawl
from tests.support.crawls import rows
from tests.support.synthetic_web import SyntheticWeb

HOSTILE = "<script>alert(1)</script>\x1b[31m\u202egnp"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished crawl."""
    path = tmp_path_factory.mktemp("crawl_file") / "crawl.db"

    async def crawl() -> None:
        web = SyntheticWeb(seed=60, pages=40)
        web.page("/titled", title=HOSTILE)
        async with web.serve() as url:
            await run_crawl(seeds=[url, f"{url}titled"], depth=3, db=path, select=["heading=title"])

    asyncio.run(crawl())
    return path


@pytest.fixture
def file(path: Path) -> Iterator[CrawlFile]:
    with penstock.open(path) as opened:
        yield opened


class TestQuery:
    def test_a_query_returns_all_its_rows_as_tuples(self, path: Path, file: CrawlFile) -> None:
        sql = "SELECT url, status FROM pages ORDER BY url"

        table = file.query(sql)

        assert list(table) == rows(path, sql)
        assert (table.columns, len(table), table[0]) == (
            ("url", "status"),
            len(rows(path, sql)),
            table[:1][0],
        )

    def test_parameters_stand_for_question_marks_and_names(self, file: CrawlFile) -> None:
        by_position = file.query("SELECT count(*) AS n FROM pages WHERE status = ?", [200])
        by_name = file.query("SELECT count(*) AS n FROM pages WHERE status = :status", {"status": 200})

        assert by_position.to_dicts() == by_name.to_dicts()
        assert by_position.column("n")[0] == file.totals().pages

    def test_rows_can_be_read_one_by_one(self, file: CrawlFile) -> None:
        found = file.rows("SELECT url FROM urls ORDER BY url")

        assert next(found) < next(found)

    def test_a_query_that_would_write_is_refused(self, file: CrawlFile) -> None:
        with pytest.raises(BadQuery, match="may only read"):
            file.query("DELETE FROM url")

    def test_a_column_that_is_not_there_is_a_key_error_that_names_the_others(self, file: CrawlFile) -> None:
        with pytest.raises(KeyError, match="there are url"):
            file.query("SELECT url FROM pages").column("title")


class TestReports:
    def test_a_report_is_the_view_of_its_name(self, path: Path, file: CrawlFile) -> None:
        assert list(file.report("status_codes")) == rows(path, "SELECT * FROM status_codes")

    def test_links_to_a_url_are_a_report_about_it(self, path: Path, file: CrawlFile) -> None:
        [(url, links)] = rows(
            path, "SELECT target, count(*) FROM links GROUP BY target ORDER BY 2 DESC LIMIT 1"
        )

        assert [row[1] for row in file.report("inlinks", url)].count("link") == links
        assert len(file.report("inlinks", url, limit=1)) == 1

    def test_every_report_in_the_list_can_be_asked_for(self, file: CrawlFile) -> None:
        for name, _ in file.reports():
            if name in ("inlinks", "outlinks", "top_pages", "near_duplicates", "orphans"):
                continue  # they need a URL, an analysis or a complete crawl
            assert file.report(str(name)).columns

    def test_an_unknown_report_is_refused_and_the_known_ones_are_named(self, file: CrawlFile) -> None:
        with pytest.raises(BadQuery, match="broken_links"):
            file.report("broken_lynx")

    def test_an_explanation_is_what_the_why_command_shows(self, path: Path, file: CrawlFile) -> None:
        [(url,)] = rows(path, "SELECT url FROM urls WHERE state = 'failed' LIMIT 1")

        explained = file.why(url)

        assert (explained.url, explained.state, explained.path[-1]) == (url, "failed", url)
        assert f"  reason     {explained.reason}" in str(explained)

    def test_status_says_how_far_the_crawl_is(self, file: CrawlFile) -> None:
        status = file.status()

        assert status.totals == file.totals()
        assert [run.stop_reason for run in status.runs] == ["finished"]


class TestPages:
    def test_pages_of_the_file_are_those_of_the_table(self, path: Path, file: CrawlFile) -> None:
        good = "SELECT url FROM pages WHERE error IS NULL AND redirect_to IS NULL ORDER BY url"

        assert sorted((page.url,) for page in file.pages()) == rows(path, good)
        assert (
            len(list(file.pages(failures=True, redirects=True)))
            == rows(path, "SELECT count(*) FROM pages")[0][0]
        )

    def test_links_and_values_of_a_page_are_read_when_they_are_used(
        self, path: Path, file: CrawlFile
    ) -> None:
        page = next(page for page in file.pages() if page.title and page.links)

        links = rows(path, f"SELECT target, text FROM links WHERE source = '{page.url}' ORDER BY target")
        assert [(link.url, link.text) for link in page.links] == links
        assert page.values == {"heading": [str(page.title).strip()]}
        assert page.fetched_at is not None
        assert page.fetched_at.tzinfo is not None


class TestExport:
    def test_an_export_writes_the_rows_of_a_query(self, tmp_path: Path, file: CrawlFile) -> None:
        count = file.export("jsonl", tmp_path / "a.jsonl", sql="SELECT url FROM pages")

        lines = (tmp_path / "a.jsonl").read_text().splitlines()
        assert len(lines) == count == len(file.query("SELECT url FROM pages"))
        assert list(json.loads(lines[0])) == ["url"]

    def test_a_format_can_be_an_object_of_the_program(self, path: Path, tmp_path: Path) -> None:
        def write(source: object, files: object) -> int:
            files.main().write(b"mine")  # type: ignore[attr-defined]
            return 7

        with penstock.open(path, exports={"mine": write}) as file:
            assert file.export("mine", tmp_path / "a.txt") == 7
        assert (tmp_path / "a.txt").read_bytes() == b"mine"

    def test_an_unknown_format_is_refused(self, tmp_path: Path, file: CrawlFile) -> None:
        with pytest.raises(BadConfig, match="jsonl"):
            file.export("jsonlines", tmp_path / "a")


class TestShowing:
    def table(self) -> Table:
        return Table(("url", "title"), [("http://h/?a=1&b=2", HOSTILE), ("javascript:alert(1)", None)] * 60)

    def test_a_notebook_shows_a_table_in_which_nothing_of_the_web_is_markup(self) -> None:
        """A page's title must not run as a script in somebody's notebook."""
        html = self.table()._repr_html_()

        assert html.startswith("<table>")
        assert "<script" not in html
        assert "\x1b" not in html
        assert "\u202e" not in html
        assert '<a href="http://h/?a=1&amp;b=2" rel="noopener noreferrer nofollow">' in html
        assert 'href="javascript' not in html
        assert "100 of 120 rows shown" in html

    def test_a_terminal_shows_aligned_lines_in_which_nothing_of_the_web_is_obeyed(self) -> None:
        lines = repr(self.table()).splitlines()

        assert lines[0].split() == ["url", "title"]
        assert "\x1b" not in "".join(lines)
        assert (len(lines), lines[-1]) == (23, "20 of 120 rows shown")

    def test_a_table_with_many_columns_shows_few_rows(self) -> None:
        """Each of its rows takes as many lines as there are columns."""
        table = Table([f"c{number}" for number in range(18)], [("some text",) * 18] * 10)

        assert repr(table).endswith("3 of 10 rows shown")

    def test_a_note_is_shown_below_the_rows(self) -> None:
        table = Table(("n",), [(1,)], note="<b>5 URLs are pending</b>")

        assert repr(table).endswith("note: <b>5 URLs are pending</b>")
        assert table._repr_html_().endswith("<p>note: &lt;b&gt;5 URLs are pending&lt;/b&gt;</p>")

    def test_rows_become_dicts_as_data_frames_take_them(self) -> None:
        assert Table(("a", "b"), [(1, "x")]).to_dicts() == [{"a": 1, "b": "x"}]

    def test_an_open_file_shows_its_counts_and_a_closed_one_says_so(self, path: Path) -> None:
        file = penstock.open(path)
        assert f"{file.totals().states['done']:,} done" in repr(file)
        assert "<td" in file._repr_html_()
        file.close()
        file.close()

        assert "closed" in repr(file)


class TestOpening:
    def test_a_file_that_is_not_there_is_one_clear_line(self, tmp_path: Path) -> None:
        with pytest.raises(BadDatabase, match="does not exist"):
            penstock.open(tmp_path / "missing.db")
