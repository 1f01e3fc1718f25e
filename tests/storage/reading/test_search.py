"""Search: pages by their words. What is found, how it is shown, and what is no query."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path

import pytest

from penstock.crawler.extraction import PageText
from penstock.crawler.messages import CanonicalUrl, Document
from penstock.stages.extractors.fields.field_extractor import FieldExtractor
from penstock.stages.extractors.fields.plan import Plan
from penstock.stages.extractors.html import HtmlExtractor
from tests.crawler.cli.test_read_commands import Shell
from tests.crawler.cli.test_table_formats import NEVER_RAW
from tests.support.crawls import check_invariants, crawl, rows
from tests.support.shop_site import website

SITE = {
    "/": "<title>Home</title><p>All about kettles and <b>tea</b>pots."
    " <a href=/kettle>k</a><a href=/odd>o</a>",
    "/kettle": "<title>The kettle</title><h1>Boiling</h1><p>A kettle boils café water.</p>"
    "<script>x()</script>",
    "/odd": "<title>Odd\x1b]0;owned\x07</title><p>odd \x1b[31mred\u202e words of c++",
}


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return searchable(SITE, tmp_path_factory.mktemp("search"))


def searchable(pages: Mapping[str, str], folder: Path) -> Path:
    """The file of a crawl of these pages with --search."""

    async def crawled() -> None:
        async with website(pages).serve() as url:
            await crawl(seeds=[url], db=folder / "crawl.db", search=True)

    asyncio.run(crawled())
    return folder / "crawl.db"


@pytest.fixture
def shell(db: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(db, capsys)


def found(shell: Shell, query: str) -> list[str]:
    """Paths, the best first."""
    assert shell.types("search", query, "--format", "json") == 0, shell.err
    return ["/" + row["url"].split("/", 3)[3] for row in json.loads(shell.out)]


class TestFinding:
    def test_a_page_is_found_by_its_words_the_best_first(self, shell: Shell) -> None:
        """A word in the title tells more than one in the text."""
        assert found(shell, "kettle") == ["/kettle"]
        assert found(shell, "kettle*") == ["/kettle", "/"]
        assert found(shell, "headings: boiling") == ["/kettle"]
        assert found(shell, "nothing") == []

    def test_a_search_ignores_accents_and_case(self, shell: Shell) -> None:
        assert found(shell, "CAFE") == ["/kettle"]

    def test_inline_markup_does_not_split_a_word(self, shell: Shell) -> None:
        assert found(shell, "teapots") == ["/"]

    def test_the_text_of_scripts_is_not_found(self, shell: Shell) -> None:
        assert rows(shell.db, "SELECT count(*) FROM page_text WHERE text LIKE '%x()%'") == [(0,)]

    def test_a_search_returns_no_more_hits_than_its_limit(self, shell: Shell) -> None:
        assert shell.types("search", "kettle* OR words", "--limit", "1", "--format", "jsonl") == 0
        assert shell.out.count("\n") == 1


class TestShowing:
    def test_a_page_is_shown_in_three_lines_with_what_was_found_in_brackets(self, shell: Shell) -> None:
        assert shell.types("search", "water") == 0

        first, second, third = shell.out.splitlines()
        assert first == "  1  The kettle"
        assert second.endswith("/kettle")
        assert third.strip().endswith("A kettle boils café [water].")

    def test_nothing_raw_reaches_the_terminal(self, shell: Shell) -> None:
        assert shell.types("search", "odd") == 0

        assert "[odd]" in shell.out.lower()
        assert [sign for sign in NEVER_RAW if sign in shell.out.replace("\n", "")] == []

    def test_a_search_without_hits_says_so(self, shell: Shell) -> None:
        assert shell.types("search", "nothing") == 0
        assert shell.out == "(no pages)\n"


class TestRefusals:
    @pytest.mark.parametrize(
        "query",
        [
            "c++",
            '"',
            "AND",
            "*",
            "nosuch: x",
            "('",
            "(" * 400,
            "",
            " ",
            "a " * 17,
            "a\x1b[31m",
            "\udcff",
            "x" * 501,
        ],
    )
    def test_an_invalid_search_query_is_refused_in_one_line(self, shell: Shell, query: str) -> None:
        assert shell.types("search", query) == 2
        assert (shell.out, shell.err.count("\n")) == ("", 1)
        assert shell.err.isprintable() or shell.err[:-1].isprintable()
        assert len(shell.err) < 300
        assert "the query is" in shell.err or "is not a valid search query" in shell.err

    def test_a_quoted_word_may_contain_punctuation(self, shell: Shell) -> None:
        assert found(shell, '"c++"') == ["/odd"]

    @pytest.mark.parametrize("limit", ["0", "-1", "x", "9" * 5000])
    def test_a_limit_of_a_search_is_a_whole_number(self, shell: Shell, limit: str) -> None:
        assert shell.types("search", "a", "--limit", limit) == 2

    async def test_a_search_without_an_index_names_the_way_to_one(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        bare, kept = Shell(tmp_path / "bare.db", capsys), Shell(tmp_path / "kept.db", capsys)
        async with website(SITE).serve() as url:
            await crawl(seeds=[url], db=bare.db)
            await crawl(seeds=[url], db=kept.db, save_bodies=True)

        assert (bare.types("search", "x"), kept.types("search", "x")) == (2, 2)
        assert "crawl with --search" in bare.err
        assert "reparse --search" in kept.err


class TestIndex:
    def test_the_index_and_the_text_agree(self, shell: Shell) -> None:
        """FTS5's own check: every word of the text is in the index, and no other."""
        connection = sqlite3.connect(shell.db)
        connection.execute("INSERT INTO page_index (page_index, rank) VALUES ('integrity-check', 1)")
        connection.close()
        assert check_invariants(shell.db) == []

    async def test_a_crawl_that_does_not_search_keeps_no_text(self, tmp_path: Path) -> None:
        db = tmp_path / "crawl.db"
        async with website(SITE).serve() as url:
            await crawl(seeds=[url], db=db)

        assert rows(db, "SELECT name FROM sqlite_schema WHERE name LIKE 'page\\_%' ESCAPE '\\'") == []


SCRIPTS = {
    "/": "<title>Home</title>"
    + "".join(f"<a href=/{name}>{name}</a>" for name in ("ja", "zh", "th", "ko", "mix")),
    "/ja": "<html lang=ja><title>旅の案内</title><p>来月は東京と京都へ出張する予定です。ｶﾞｲﾄﾞ付き。",
    "/zh": "<html lang=zh><title>今日新闻</title><h1>头条</h1><p>北京今天的天气非常好，适合外出散步。",
    "/th": "<html lang=th><title>ข่าว</title><p>วันนี้กรุงเทพมหานครฝนตกหนักมาก",
    "/ko": "<html lang=ko><title>소식</title><p>오늘 서울에서는 비가 많이 내렸습니다.",
    "/mix": "<title>Mix</title><p>東京Tower ist groß. Đà Nẵng, "
    "İstanbul, ΛΌΓΟΣ, مُحَمَّد, שָׁלוֹם, हिन्दी, ２０２６, ភាសាខ្មែរ.",
}


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return searchable(SCRIPTS, tmp_path_factory.mktemp("scripts"))


class TestScripts:
    @pytest.fixture
    def shell(self, scripts: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
        return Shell(scripts, capsys)

    @pytest.mark.parametrize(
        ("query", "pages"),
        [
            ("東京", ["/ja", "/mix"]),
            ("京都", ["/ja"]),
            ("京", ["/ja", "/zh", "/mix"]),
            ("都京", []),
            ("東京 京都", ["/ja"]),
            ("東京\u3000京都", ["/ja"]),
            ("東京 NOT 京都", ["/mix"]),
            ("NEAR(東京 出張, 5)", ["/ja"]),
            ('"東京と京都"', ["/ja"]),
            ("“東京”", ["/ja", "/mix"]),
            ("「京都」", ["/ja"]),
            ("title: 案内", ["/ja"]),
            ("headings: 头条", ["/zh"]),
            ("天气", ["/zh"]),
            ("天*", ["/zh"]),
            ("天气非*", ["/zh"]),
            ("ガイド", ["/ja"]),
            ("서울", ["/ko"]),
            ("\u1109\u1165\u110b\u116e\u11af", ["/ko"]),  # decomposed
            ("กรุงเทพ", ["/th"]),
            ("ฝน", ["/th"]),
            ("東京tower", ["/mix"]),
            ("TOWER", ["/mix"]),
            ("ខ្មែរ", ["/mix"]),
            ("GROSS", ["/mix"]),
            ("groß", ["/mix"]),
            ("da nang", ["/mix"]),
            ("đà nẵng", ["/mix"]),
            ("istanbul", ["/mix"]),
            ("λογος", ["/mix"]),
            ("محمد", ["/mix"]),
            ("שלום", ["/mix"]),
            ("हिन्दी", ["/mix"]),
            ("हि", []),
            ("2026", ["/mix"]),
            ("。", []),
        ],
    )  # fmt: skip
    def test_words_are_found_in_every_script(self, shell: Shell, query: str, pages: list[str]) -> None:
        assert sorted(found(shell, query)) == sorted(pages)

    def test_a_snippet_shows_the_text_as_it_is_written(self, shell: Shell) -> None:
        assert shell.types("search", "東京 ガイド", "--format", "json") == 0
        assert json.loads(shell.out)[0]["snippet"] == "来月は[東京]と京都へ出張する予定です。[ｶﾞｲﾄﾞ]付き。"
        assert shell.types("search", "gross tower") == 0
        assert "東京[Tower] ist [groß]. Đà Nẵng" in shell.out

    def test_the_stored_text_is_as_it_is_written(self, shell: Shell) -> None:
        assert rows(shell.db, "SELECT count(*) FROM page_text WHERE text LIKE '%東京と京都%'") == [(1,)]

    @pytest.mark.parametrize("query", ["東京-京都", "日本+", "(東京", '"東京', "東京 AND", "nosuch: 東京"])
    def test_an_invalid_query_is_refused_in_one_line(self, shell: Shell, query: str) -> None:
        assert shell.types("search", query) == 2
        assert shell.err.count("\n") == 1
        assert "is not a valid search query" in shell.err

    async def test_an_index_of_an_older_version_is_renewed_without_a_request(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        old = Shell(tmp_path / "old.db", capsys)
        async with website(SCRIPTS).serve() as url:
            await crawl(seeds=[url], db=old.db, search=True)
            connection = sqlite3.connect(old.db)
            connection.executescript(OLD_INDEX)
            connection.close()
            assert found(old, "tower") == []
            assert old.types("search", "東京") == 2
            assert "run its crawl again with --search" in old.err

            await crawl(seeds=[url], db=old.db, search=True)

        assert rows(old.db, "SELECT requests FROM runs WHERE id = 2") == [(0,)]
        assert found(old, "京都") == ["/ja"]
        assert rows(old.db, "SELECT name FROM sqlite_schema WHERE type = 'trigger'") == []


OLD_INDEX = """
    DROP TABLE page_index;
    CREATE VIRTUAL TABLE page_index USING fts5 (
        title, headings, text, content = page_text, content_rowid = url_id,
        tokenize = 'unicode61 remove_diacritics 2'
    );
    CREATE TRIGGER page_text_added AFTER INSERT ON page_text BEGIN
        INSERT INTO page_index (rowid, title, headings, text)
        VALUES (new.url_id, new.title, new.headings, new.text);
    END;
    INSERT INTO page_index (page_index) VALUES ('rebuild');
"""


class TestText:
    def text(self, html: str) -> PageText:
        document = Document(url=CanonicalUrl("http://h/"), body=html.encode())
        extraction = HtmlExtractor(fields=FieldExtractor(Plan(text=True))).read(document).extraction
        assert extraction is not None
        assert extraction.text is not None
        return extraction.text

    def test_headings_are_kept_apart_too(self) -> None:
        assert self.text("<h1> One </h1><p>x<h3>Two<b>!</b></h3>").headings == "One\nTwo!"

    def test_menus_and_footers_are_no_main_text(self) -> None:
        article = "<p>" + "This is what the page is about, in whole sentences. " * 10 + "</p>"
        html = f"<nav><h2>N</h2><a href=/>Menu</a></nav><div><h1>T</h1>{article}</div>"

        text = self.text(html + "<footer>Imprint</footer>")

        assert text.headings == "T"
        assert text.text.startswith("T\nThis is what")
        assert "Imprint" not in text.text
