"""Reparse: new rules for saved bodies leave what a crawl with these rules would have left."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from penstock.crawler.extraction import ExtractionResult, Value
from penstock.crawler.messages import Content
from penstock.crawler.output import logs
from penstock.storage.database.file_lock import FileLock
from penstock.storage.jobs.reparse_store import ReparseRequest, ReparseStore, SavedBody
from tests.crawler.cli.test_read_commands import Shell
from tests.support import plugin_examples
from tests.support.crawls import check_invariants, crawl, rows
from tests.support.shop_site import extracted, shop, website
from tests.support.synthetic_web import SyntheticWeb

RULES = (
    "--select",
    "tag[]=.tag",
    "--select",
    "name=h1",
    "--plugin",
    "tests.support.plugin_examples:headline",
)
ALL = (*RULES, "--structured", "--search")
OPTIONS: dict[str, Any] = {
    "select": ["tag[]=.tag", "name=h1"],
    "plugins": ["tests.support.plugin_examples:headline"],
    "structured": True,
    "search": True,
}
TABLES = {
    "extracted": "url, name, position, value, fetched_at",
    "structured": "url, kind, position, data, error",
    "extraction_failures": "*",
    "extraction_sources": "*",
    "page_text": "title, headings, text",
}


SOURCES = "SELECT source, pages, taken, failed FROM extraction_sources ORDER BY 1"


def everything(db: Path) -> dict[str, list[tuple[Any, ...]]]:
    return {table: sorted(rows(db, f"SELECT {columns} FROM {table}")) for table, columns in TABLES.items()}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished crawl with bodies, one of whose pages is heavy."""
    db = tmp_path_factory.mktemp("finished") / "crawl.db"
    web = shop(8)
    web.resources["/item/3"] = shop(8, heavy=True).resources["/item/3"]
    crawled(web, db)
    return db


@pytest.fixture
def shell(finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Shell]:
    """A copy of it, and a command line."""
    shell = Shell(tmp_path / "crawl.db", capsys)
    shutil.copy(finished, shell.db)
    capsys.readouterr()
    yield shell
    logs.reset()


def crawled(web: SyntheticWeb, db: Path, **options: Any) -> None:
    async def run() -> None:
        async with web.serve() as url:
            await crawl(seeds=[url], db=db, save_bodies=True, **options)

    asyncio.run(run())


class TestReparse:
    def test_a_reparse_stores_what_a_crawl_with_the_same_rules_stores(
        self, tmp_path: Path, shell: Shell
    ) -> None:
        async def run() -> None:
            async with shop(8).serve() as url:
                await crawl(seeds=[url], db=shell.db.with_name("bare.db"), save_bodies=True)
                await crawl(seeds=[url], db=shell.db.with_name("rules.db"), save_bodies=True, **OPTIONS)

        asyncio.run(run())
        bare, ruled = Shell(tmp_path / "bare.db", shell.capture), tmp_path / "rules.db"

        assert bare.types("reparse", *ALL) == 0, bare.err

        mine, theirs = everything(bare.db), everything(ruled)
        for table in (mine, theirs):  # the two crawls fetched at different times
            table["extracted"] = [row[:-1] for row in table["extracted"]]
        assert mine == theirs
        assert len(mine["extracted"]) > 30
        assert check_invariants(bare.db) == []

    def test_a_repeated_reparse_changes_nothing(self, shell: Shell) -> None:
        assert shell.types("reparse", *ALL) == 0
        first = everything(shell.db)
        assert shell.types("reparse", *ALL) == 0

        assert everything(shell.db) == first
        with closing(sqlite3.connect(shell.db)) as connection:  # no word is left of the texts before
            connection.execute("INSERT INTO page_index (page_index, rank) VALUES ('integrity-check', 1)")

    def test_a_reparse_replaces_what_its_rules_produce_and_leaves_the_rest(self, shell: Shell) -> None:
        """Values, failures and counts of other rules and plugins are those of before."""
        unreadable = ("--select", "count=h1@id, h1", "--config", str(shell.db.with_name("rules.toml")))
        shell.db.with_name("rules.toml").write_text('[[select]]\nname = "count"\ncss = "h1"\ntype = "bool"\n')
        assert shell.types("reparse", *ALL) == 0
        assert shell.types("reparse", *unreadable[2:]) == 1
        before, sources = everything(shell.db), rows(shell.db, SOURCES)
        assert len(before["extraction_failures"]) == 8

        assert shell.types("reparse", "--select", "name=title") == 0

        after = everything(shell.db)
        others = [row for row in before["extracted"] if row[1] != "name"]
        assert [row for row in after["extracted"] if row[1] != "name"] == others != []
        names = {row[3] for row in after["extracted"] if row[1] == "name"}
        assert names == {"Shop", *(f"Item {n}" for n in range(8))}
        changed: dict[str, Any] = {"extracted": [], "extraction_sources": []}
        assert after | changed == before | changed
        assert [row for row in rows(shell.db, SOURCES) if row[0] != "name"] == [
            row for row in sources if row[0] != "name"
        ]

    def test_a_plugin_that_returns_another_name_leaves_no_value_of_the_former_one(
        self, shell: Shell, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The file knows the names that a plugin has returned."""
        plugin = "tests.support.plugin_examples:headline"
        assert shell.types("reparse", "--plugin", plugin, "--select", "tag[]=.tag") == 0
        former = {row[1] for row in extracted(shell.db)}
        # The heavy page is read by another process, which has the plugin as it was.
        monkeypatch.setattr(plugin_examples, "headline", lambda page: {"other": 1})
        assert shell.types("reparse", "--plugin", plugin) == 0

        assert former == {"tag", "headline", "links", "title"}
        assert {row[1] for row in extracted(shell.db) if row[0] != "item/3"} == {"tag", "other"}

    def test_new_errors_stand_behind_those_of_other_rules(self, shell: Shell) -> None:
        for name in ("one", "two", "one"):
            file = shell.db.with_name(f"{name}.toml")
            file.write_text(f'[[select]]\nname = "{name}"\ncss = "h1"\ntype = "bool"\n')
            assert shell.types("reparse", "--config", str(file)) == 1

        counts = "SELECT source, count(*) FROM extraction_failures GROUP BY 1 ORDER BY 1"
        assert rows(shell.db, counts) == [("one", 8), ("two", 8)]

    def test_a_rule_that_fails_on_every_page_is_named_and_ends_with_exit_1(self, shell: Shell) -> None:
        file = shell.db.with_name("bad.toml")
        file.write_text('[[select]]\nname = "count"\ncss = "h1"\ntype = "bool"\n')

        assert shell.types("reparse", "--config", str(file), "--select", "none=.nothing") == 0
        assert "none: no value on any of 9 pages" in shell.err
        assert shell.types("reparse", "--config", str(file)) == 1
        assert "count: no success, and errors on 8 of 9 pages" in shell.err
        assert rows(shell.db, SOURCES) == [("count", 9, 0, 8), ("none", 9, 0, 0)]

    def test_a_reparse_fetches_nothing_and_adds_no_run(self, shell: Shell) -> None:
        """The server is gone, and the plugin's links are not taken."""
        urls = rows(shell.db, "SELECT * FROM urls")
        assert shell.types("reparse", "--plugin", "tests.support.plugin_examples:on_page") == 0

        assert rows(shell.db, "SELECT * FROM urls") == urls
        assert rows(shell.db, "SELECT count(*) FROM runs") == [(1,)]
        assert "16 values" in shell.err

    def test_rules_may_stand_in_the_crawls_file_of_options(self, shell: Shell, tmp_path: Path) -> None:
        file = tmp_path / "shop.toml"
        file.write_text('seed = "http://a/"\nquiet = true\n[[select]]\nname = "name"\ncss = "h1"\n')

        assert shell.types("reparse", "--config", str(file)) == 0
        assert len(extracted(shell.db)) == 8

    def test_a_reparse_uses_the_charset_of_the_stored_header(self, shell: Shell, tmp_path: Path) -> None:
        web = website({"/": ""})
        web.resources["/"].raw = "<h1>grün</h1>".encode("iso-8859-2")
        web.resources["/"].content_type = "text/html; charset=iso-8859-2"
        crawled(web, tmp_path / "other.db")
        other = Shell(tmp_path / "other.db", shell.capture)

        assert other.types("reparse", "--select", "name=h1") == 0
        assert extracted(other.db) == [("", "name", 0, "grün")]

    def test_a_body_that_is_damaged_yields_nothing_and_is_counted(self, shell: Shell) -> None:
        with closing(sqlite3.connect(shell.db)) as connection:
            connection.execute("UPDATE body SET body = ? WHERE url_id = 2", (b"no zlib",))
            connection.execute("UPDATE body SET body = ? WHERE url_id = 3", (zlib.compress(b"x" * 99)[:-4],))
            connection.commit()

        assert shell.types("reparse", "--select", "name=h1") == 0
        assert len(extracted(shell.db)) == 6
        assert "2 pages could not be parsed" in shell.err


class TestCutOff:
    WANTED = ReparseRequest(plan="a", values=True, structured=True, search=False)

    async def some(
        self, db: Path, wanted: ReparseRequest, value: str, *, anew: bool = False
    ) -> tuple[bool, int]:
        """Store `value` for the pages of the first batch that a reparse comes to, and be cut off."""
        store = await ReparseStore.open(db, wanted, anew=anew)
        try:
            batch = (await store.next())[:3]
            await store.save([(page, self.content(page, value)) for page in batch])
            return store.resumed, batch[0].url_id
        finally:
            await store.close()

    def content(self, page: SavedBody, value: str) -> Content:
        return Content(extraction=ExtractionResult(values=[Value("x", value)]))

    async def test_an_interrupted_reparse_continues_after_the_last_batch(self, kept: Path) -> None:
        assert await self.some(kept, self.WANTED, "one") == (False, 1)
        assert await self.some(kept, self.WANTED, "two") == (True, 4)

        assert [row[3] for row in extracted(kept)].count("one") == 3

    async def test_a_reparse_with_other_rules_or_anew_starts_from_the_beginning(self, kept: Path) -> None:
        other = ReparseRequest(plan="b", values=True, structured=True, search=False)
        await self.some(kept, self.WANTED, "one")

        assert await self.some(kept, other, "two") == (False, 1)
        assert await self.some(kept, other, "three", anew=True) == (False, 1)
        assert {row[3] for row in extracted(kept)} == {"three"}

    async def test_a_reparse_after_a_finished_one_starts_from_the_beginning(self, kept: Path) -> None:
        store = await ReparseStore.open(kept, self.WANTED)
        while batch := await store.next():
            await store.save([(page, None) for page in batch])
        await store.finish()
        await store.close()

        assert await self.some(kept, self.WANTED, "one") == (False, 1)

    def test_ctrl_c_prints_the_command_that_resumes_the_reparse(
        self, shell: Shell, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def interrupted(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(ReparseStore, "finish", interrupted)

        assert shell.types("reparse", "--select", "name=h1") == 130
        assert shell.err.startswith("resume with: python run_crawl.py reparse ")

    @pytest.fixture
    def kept(self, shell: Shell) -> Path:
        return shell.db


class TestRefusals:
    @pytest.mark.parametrize(
        ("words", "said"),
        [
            ((), "nothing to extract"),
            (("--select", "a=p["), "is no CSS selector"),
            (("--select", "a", "--plugin", "b c"), "must have the form NAME=CSS"),
            (("--plugin", "no_such_module:f"), "No module named"),
        ],
    )
    def test_a_mistake_in_the_options_of_reparse_is_one_line(
        self, shell: Shell, words: tuple[str, ...], said: str
    ) -> None:
        assert shell.types("reparse", *words) == 2
        assert shell.err.count("\n") == 1
        assert said in shell.err

    def test_a_reparse_without_saved_bodies_names_the_way_to_them(self, shell: Shell, tmp_path: Path) -> None:
        async def run() -> None:
            async with shop(1).serve() as url:
                await crawl(seeds=[url], db=tmp_path / "bare.db")

        asyncio.run(run())
        bare = Shell(tmp_path / "bare.db", shell.capture)

        assert bare.types("reparse", "--search") == 2
        assert "crawl with --save-bodies" in bare.err

    def test_a_reparse_does_not_create_a_missing_file(self, shell: Shell, tmp_path: Path) -> None:
        nowhere = Shell(tmp_path / "nowhere.db", shell.capture)

        assert nowhere.types("reparse", "--search") == 2
        assert not nowhere.db.exists()

    def test_a_reparse_refuses_a_running_crawl(self, shell: Shell) -> None:
        lock = FileLock.acquire(shell.db)
        try:
            assert shell.types("reparse", "--search") == 75
        finally:
            lock.release()
        assert shell.err.count("\n") == 1
