"""Plugins: functions of the operator's own. What they return arrives; what they do wrong is noted."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from selectolax.lexbor import LexborHTMLParser

from penstock import CrawlConfig, Follow, Page, Value
from penstock.crawler.cli import main
from penstock.crawler.config.plugins import load_plugin
from penstock.crawler.errors import BadConfig
from penstock.crawler.messages import CanonicalUrl, Content, Document
from penstock.stages.extractors.fields.page import ParsedDocument
from tests.support import plugin_examples
from tests.support.crawls import check_invariants, crawl, rows
from tests.support.shop_site import HEAVY, extracted, shop, website
from tests.support.synthetic_web_resource import Resource

EXAMPLES = "tests.support.plugin_examples"
FAILURES = "SELECT source, error FROM extraction_failures"


class TestFindings:
    async def test_values_of_a_plugin_are_rows_like_those_of_rules(self, tmp_path: Path) -> None:
        db = tmp_path / "crawl.db"
        async with shop(1).serve() as url:
            await crawl(seeds=[url], db=db, plugins=[f"{EXAMPLES}:headline"])

        assert extracted(db) == [
            ("", "links", 0, 1),
            ("", "title", 0, "Shop"),
            ("item/0", "headline", 0, "Item 0"),
            ("item/0", "links", 0, 0),
            ("item/0", "title", 0, "Item 0"),
        ]

    async def test_a_rule_and_a_plugin_may_share_a_name(self, tmp_path: Path) -> None:
        db = tmp_path / "crawl.db"
        async with website({"/": "<h1>a</h1>"}).serve() as url:
            await crawl(seeds=[url], db=db, select=["headline=h1"], plugins=[plugin_examples.headline])

        assert [row for row in extracted(db) if row[1] == "headline"] == [
            ("", "headline", 0, "a"),
            ("", "headline", 1, "a"),
        ]


class TestLinks:
    async def test_a_link_of_a_plugin_enters_by_the_one_door(self, tmp_path: Path) -> None:
        """Followed where the rules allow it, and answered for where they do not."""
        db = tmp_path / "crawl.db"
        web = website({"/": "<p>no links", "/hidden": "<title>Hidden</title>"})

        def links(page: Page) -> list[Follow]:
            return [Follow("hidden", "there"), Follow("http://elsewhere.invalid/"), Follow("/hidden#again")]

        async with web.serve() as url:
            await crawl(seeds=[url], db=db, depth=1, plugins=[links])

        assert web.requests["/hidden"] == 1
        assert rows(db, "SELECT url, state, reason, depth FROM urls ORDER BY depth, url") == [
            (url, "done", None, 0),
            (f"{url}hidden", "done", None, 1),
            ("http://elsewhere.invalid/", "skipped", "scope", 1),
        ]
        # Relative links of /hidden lead to itself and outside once more.
        assert ("there", "plugin", 1) in rows(db, "SELECT text, rel, followed FROM links")
        assert check_invariants(db) == []

    async def test_a_link_that_the_page_has_but_forbids_is_followed_all_the_same(
        self, tmp_path: Path
    ) -> None:
        db = tmp_path / "crawl.db"
        async with website({"/": "<a rel=nofollow href=/a>text</a>", "/a": "<p>a"}).serve() as url:
            await crawl(seeds=[url], db=db, plugins=[lambda page: Follow("/a", "other")])

        assert rows(db, "SELECT text, rel, followed FROM links WHERE source NOT LIKE '%/a'") == [
            ("text", "nofollow", 1)
        ]


class TestElement:
    def test_its_text_has_a_blank_at_line_breaks_and_blocks_and_no_scripts(self) -> None:
        """As the text that a rule takes: 10<br>20 is not 1020."""
        html = "<div>10<br>20<p>a</p>b<script>x</script></div>"
        page = ParsedDocument(
            LexborHTMLParser(html), b"", Document(url=CanonicalUrl("http://h/"), body=b""), Content()
        )

        found = page.first("div")

        assert found is not None
        assert found.text == "10 20 a b"


class TestPage:
    """What a plugin sees of a page, in this process and in a parser process."""

    @pytest.mark.parametrize("heavy", [False, True])
    async def test_source_status_and_headers_are_the_pages_own(self, heavy: bool, tmp_path: Path) -> None:
        db = tmp_path / "crawl.db"
        source = "<meta charset=windows-1252><h1>gr\u00fcn</h1>" + (HEAVY if heavy else "")
        web = website({"/": ""})
        web.resources["/"] = Resource(path="/", raw=source.encode("windows-1252"))
        async with web.serve() as url:
            await crawl(seeds=[url], db=db, plugins=[f"{EXAMPLES}:response"])

        found = {name: value for _, name, _, value in extracted(db)}
        assert found["status"] == 200
        assert found["type"].startswith("text/html")
        assert found["has_source"] == 1
        assert rows(db, "SELECT count(*) FROM sqlite_schema WHERE name = 'body'") == [(1,)]
        assert rows(db, "SELECT count(*) FROM body") == [(0,)]

    async def test_headers_are_read_by_lower_case_name_and_cannot_be_changed(self) -> None:
        document = Document(url=CanonicalUrl("http://h/"), headers=(("X-A", "1"), ("x-a", "2"), ("B", "3")))
        page = ParsedDocument(LexborHTMLParser(""), b"", document, Content())

        assert dict(page.headers) == {"x-a": "1, 2", "b": "3"}
        with pytest.raises(TypeError):
            page.headers["b"] = "4"  # type: ignore[index]


class TestValues:
    @pytest.mark.parametrize("heavy", [False, True])
    async def test_dicts_and_lists_are_stored_as_json(self, heavy: bool, tmp_path: Path) -> None:
        db = tmp_path / "crawl.db"
        async with website({"/": HEAVY if heavy else "<p>a"}).serve() as url:
            await crawl(seeds=[url], db=db, plugins=[f"{EXAMPLES}:nested"])

        assert extracted(db) == [
            ("", "cells", 0, '[["a",1],["b",null]]'),
            ("", "offer", 0, '{"price":1.5,"in stock":true,"name":"gr\u00fcn ?"}'),
        ]
        price = "SELECT json_extract(value, '$.price') FROM extracted WHERE name = 'offer'"
        assert rows(db, price) == [(1.5,)]
        assert rows(db, FAILURES) == [
            (f"{EXAMPLES}:nested", "bad: Object of type set is not JSON serializable"),
            (f"{EXAMPLES}:nested", "nan: Out of range float values are not JSON compliant"),
            (f"{EXAMPLES}:nested", "circle: Circular reference detected"),
            (f"{EXAMPLES}:nested", "long: JSON of more than 100000 characters"),
        ]


class TestFailures:
    async def test_a_plugin_that_fails_costs_nothing_but_its_own_rows(self, tmp_path: Path) -> None:
        """What came before is kept, the page is stored, and the other plugins run."""
        db = tmp_path / "crawl.db"
        async with website({"/": "<h1>a</h1>"}).serve() as url:
            report = await crawl(
                seeds=[url],
                db=db,
                plugins=[f"{EXAMPLES}:failing", f"{EXAMPLES}:leaving", f"{EXAMPLES}:headline"],
            )

        assert report.exit_code == 1  # it failed on the only page
        assert [row[1] for row in extracted(db)] == ["before", "headline", "links"]
        assert rows(db, FAILURES) == [
            (f"{EXAMPLES}:failing", f"RuntimeError: cannot read {url}"),
            (f"{EXAMPLES}:leaving", "SystemExit: 3"),
        ]

    async def test_what_cannot_be_stored_is_noted_thing_by_thing(self, tmp_path: Path) -> None:
        db = tmp_path / "crawl.db"
        async with website({"/": "<p>a"}).serve() as url:
            await crawl(seeds=[url], db=db, plugins=[plugin_examples.wrong])

        assert [error for _, error in rows(db, FAILURES)] == [
            "a plugin returns Value, Follow or a mapping of values, not int",
            "the name of a value must be text of 1 to 100 characters",
            "big: a whole number of more than 64 bits",
            "nan: nan is no number that can be stored",
            "no http(s) URL, or one that is too long: 'mailto:a@b'",
        ]

    async def test_a_plugin_without_an_end_is_ended(self, tmp_path: Path) -> None:
        db = tmp_path / "crawl.db"
        async with website({"/": "<p>a"}).serve() as url:
            await crawl(seeds=[url], db=db, plugins=[plugin_examples.endless])

        assert len(extracted(db)) == 10_000
        assert "only the first 10000 findings are kept" in rows(db, FAILURES)[0][1]

    async def test_a_slow_plugin_is_named_once_in_the_log(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with shop(2).serve() as url:
            await crawl(seeds=[url], db=tmp_path / "crawl.db", plugins=[plugin_examples.slow])

        err = caplog.text
        assert err.count("plugin_slow") == 1
        assert f"plugin={EXAMPLES}:slow" in err


class TestElsewhere:
    async def test_a_named_plugin_runs_where_a_heavy_page_is_read(self, tmp_path: Path) -> None:
        db = tmp_path / "crawl.db"
        async with website({"/": "<h1>a</h1>" + HEAVY}).serve() as url:
            await crawl(seeds=[url], db=db, plugins=[plugin_examples.headline])

        assert extracted(db) == [("", "headline", 0, "a"), ("", "links", 0, 0)]

    @pytest.mark.parametrize("processes", [1, 2])
    async def test_a_plain_function_runs_on_heavy_pages_as_on_light_ones(
        self, processes: int, tmp_path: Path
    ) -> None:
        """In the thread of the event loop, whose objects it may use: sqlite3 connections, for one."""
        seen: list[tuple[str, int]] = []

        def on_page(page: Page) -> dict[str, object]:
            seen.append((page.url, threading.get_ident()))
            return {"title": page.title, "tags": [tag.text for tag in page.css("li.tag")]}

        found = []
        for heavy in (False, True):
            db = tmp_path / f"{heavy}.db"
            async with shop(5, heavy=heavy).serve() as url:
                await crawl(seeds=[url], db=db, processes=processes, select=["name=h1"], plugins=[on_page])
            found.append(extracted(db))
            assert rows(db, FAILURES) == []

        assert found[0] == found[1] != []
        assert len(seen) == 12
        assert {thread for _, thread in seen} == {threading.get_ident()}

    async def test_a_plain_function_names_links_of_heavy_pages(self, tmp_path: Path) -> None:
        """Relative ones lead from the page's base, as in a parser process."""
        db = tmp_path / "crawl.db"
        web = website({"/": "<base href=/folder/><p>" + HEAVY, "/folder/x": "<title>x</title>"})
        async with web.serve() as url:
            await crawl(seeds=[url], db=db, depth=1, plugins=[lambda page: Follow("x", "there")])

        assert ("there", "plugin", 1) in rows(db, "SELECT text, rel, followed FROM links")
        assert rows(db, "SELECT title FROM pages WHERE depth = 1") == [("x",)]
        assert check_invariants(db) == []

    async def test_one_plain_function_takes_all_plugins_to_this_process(self, tmp_path: Path) -> None:
        """So that their values stand in the order of the plugins, on every page."""
        db = tmp_path / "crawl.db"
        plugins = [lambda page: Value("headline", "first"), plugin_examples.headline]
        async with website({"/": "<h1>a</h1>" + HEAVY}).serve() as url:
            await crawl(seeds=[url], db=db, plugins=plugins)

        assert [row for row in extracted(db) if row[1] == "headline"] == [
            ("", "headline", 0, "first"),
            ("", "headline", 1, "a"),
        ]

    async def test_light_pages_stay_here_for_a_plugin_without_a_name(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Also once there is so much work that other processes would help, and have room."""
        monkeypatch.setattr("penstock.stages.parse.WARM_UP_PAGES", 0)
        monkeypatch.setattr("penstock.stages.workers.worker_pool.WorkerPool.has_room", True)
        db = tmp_path / "crawl.db"
        async with shop(2).serve() as url:
            await crawl(seeds=[url], db=db, processes=2, plugins=[lambda page: Value("x", 1)])

        assert len(extracted(db)) == 3


class TestLoading:
    def test_a_function_is_known_by_its_module_and_name(self) -> None:
        plugin = load_plugin(plugin_examples.headline)

        assert (plugin.name, plugin.importable) == (f"{EXAMPLES}:headline", True)
        assert not load_plugin(lambda page: None).importable

    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("no_such_module:f", "No module named 'no_such_module'"),
            (f"{EXAMPLES}:nothing", "has no 'nothing'"),
            (f"{EXAMPLES}:NO_FUNCTION", "is no function"),
            (f"{EXAMPLES}:asynchronous", "is async"),
            ("no-such-plugin", "no plugin is named"),
        ],
    )
    def test_what_cannot_be_loaded_is_refused_before_the_first_request(
        self, name: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        db = tmp_path / "crawl.db"

        code = main(["--seed", "http://127.0.0.1:9/", "--db", str(db), "--plugin", name])

        err = capsys.readouterr().err
        assert (code, err.count("\n"), db.exists()) == (2, 1, False)
        assert said in err

    def test_a_module_that_fails_while_it_is_imported_is_one_line(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "broken_plugin.py").write_text("raise SystemExit('no\\nway')")
        monkeypatch.syspath_prepend(tmp_path)

        with pytest.raises(BadConfig, match="'broken_plugin:f' cannot be imported: SystemExit: no way"):
            load_plugin("broken_plugin:f")

    def test_a_module_in_the_folder_where_one_stands_is_found(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "my_own_plugin.py").write_text("def on_page(page): return None\n")
        monkeypatch.setattr("sys.path", [*__import__("sys").path])
        monkeypatch.chdir(tmp_path)

        assert load_plugin("my_own_plugin:on_page").importable

    def test_an_installed_package_announces_its_plugins(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        info = tmp_path / "shop_plugin-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shop-plugin\nVersion: 1\n")
        (info / "entry_points.txt").write_text(f"[penstock.plugins]\nshop = {EXAMPLES}:headline\n")
        monkeypatch.syspath_prepend(tmp_path)

        assert load_plugin("shop").hook is plugin_examples.headline

    @pytest.mark.parametrize("value", [7, [None], "two words", "a:b:c"])
    def test_a_value_that_is_not_a_plugin_is_refused(self, value: object) -> None:
        with pytest.raises(BadConfig, match="--plugin: "):
            CrawlConfig(seeds="http://a/", plugins=value)  # type: ignore[arg-type]
