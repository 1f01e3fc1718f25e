"""What is taken from pages, in whole crawls: the right rows, wherever a page is read, once each."""

from __future__ import annotations

import json
import signal
import sys
from functools import partial
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from random import Random

import pytest

from penstock import Page
from penstock.crawler.cli.summary import summary_lines
from penstock.crawler.config.select_rules import check_rules
from penstock.crawler.errors import BadConfig
from penstock.crawler.extraction import ExtractionError, SourceTally
from penstock.crawler.messages import CanonicalUrl, Document
from penstock.crawler.monitor.watchdog import FailureWarnings
from penstock.crawler.output import logs
from penstock.stages.extractors import html
from penstock.stages.extractors.fields.field_extractor import FieldExtractor
from penstock.stages.extractors.fields.plan import Plan
from penstock.stages.extractors.html import HtmlExtractor
from penstock.stages.workers.worker_pool import WorkerPool
from tests.crawls.test_resume import killed_after
from tests.support.crawls import QUICK_FLAGS, check_invariants, crawl, rows, run_command, start_command
from tests.support.shop_site import copy_of, extracted, shop, website

PRICE = {"name": "price", "css": [".sale", ".price"], "type": "float", "url": "/item/"}


class TestCrawl:
    async def test_every_page_yields_what_the_rules_find(self, tmp_path: Path) -> None:
        db = tmp_path / "crawl.db"
        async with shop(3).serve() as url:
            await crawl(seeds=[url], db=db, select=[PRICE, "tag[]=.tag"])

        assert extracted(db) == [
            row
            for n in range(3)
            for row in (
                (f"item/{n}", "price", 0, n + 0.5),
                (f"item/{n}", "tag", 0, "red"),
                (f"item/{n}", "tag", 1, f"size {n}"),
            )
        ]
        assert check_invariants(db) == []

    async def test_each_row_says_when_its_page_was_fetched(self, tmp_path: Path) -> None:
        """So that the files of several crawls make a series."""
        db = tmp_path / "crawl.db"
        async with shop(1).serve() as url:
            await crawl(seeds=[url], db=db, select=[PRICE])

        assert rows(db, "SELECT fetched_at FROM extracted") == rows(
            db, "SELECT fetched_at FROM pages WHERE url LIKE '%/item/0'"
        )

    async def test_types_arrive_in_the_database(self, tmp_path: Path) -> None:
        db = tmp_path / "crawl.db"
        async with website({"/": "<p>1<i>yes</i><b>2.5</b>"}).serve() as url:
            types = [("i", "bool"), ("p", "int"), ("b", "float"), ("b", "str")]
            select = [{"name": f"{css}-{kind}", "css": css, "type": kind} for css, kind in types]
            select[1]["regex"] = "^."
            await crawl(seeds=[url], db=db, select=select)

        assert rows(db, "SELECT name, value, typeof(value) FROM extracted ORDER BY name") == [
            ("b-float", 2.5, "real"),
            ("b-str", "2.5", "text"),
            ("i-bool", 1, "integer"),
            ("p-int", 1, "integer"),
        ]

    async def test_what_could_not_be_read_is_in_a_report(self, tmp_path: Path) -> None:
        db = tmp_path / "crawl.db"
        async with website({"/": "<p class=price>ask us"}).serve() as url:
            report = await crawl(
                seeds=[url], db=db, select=[{"name": "price", "css": ".price", "type": "int"}]
            )

        assert report.exit_code == 1  # it failed on every page
        assert rows(db, "SELECT * FROM extraction_failures") == [(url, "price", "no number: 'ask us'")]

    async def test_json_ld_as_sites_write_it_is_stored_and_marked(self, tmp_path: Path) -> None:
        db = tmp_path / "crawl.db"
        scripts = {
            "/plain": '{"name":"A &amp; B"}',
            "/semicolon": '{"name":"A"};',
            "/comma": '{"name":"A",}',
            "/comment": '/* json */ {"name":"A"}',
            "/two": '{"name":"A"}{"name":"B"}',
            "/bom": '\ufeff{"name":"A"}',
            "/nan": '{"name":NaN}',
            "/broken": '{"name":',
            "/empty": "",
        }
        pages = {
            path: f"<title>x</title><script type=application/ld+json>{text}</script>"
            for path, text in scripts.items()
        }
        async with website({"/": "".join(f"<a href={path}>x</a>" for path in pages), **pages}).serve() as url:
            await crawl(seeds=[url], db=db, structured=True)

        query = "SELECT substr(url, ?), data ->> 'name', error FROM structured ORDER BY 1, position"
        assert rows(db, query.replace("?", str(len(url)))) == [
            ("/bom", "A", "repaired:bom"),
            ("/broken", None, "bad_json"),
            ("/comma", "A", "repaired:trailing_comma"),
            ("/comment", "A", "repaired:comment"),
            ("/empty", None, "empty"),
            ("/nan", None, "repaired:nan"),
            ("/plain", "A &amp; B", None),
            ("/semicolon", "A", "repaired:semicolon"),
            ("/two", "A", "repaired:several_values"),
            ("/two", "B", "repaired:several_values"),
        ]

    async def test_heavy_pages_are_read_elsewhere_and_yield_the_same(self, tmp_path: Path) -> None:
        async with shop(3).serve() as url:
            await crawl(seeds=[url], db=tmp_path / "light.db", select=[PRICE], structured=True)
        async with shop(3, heavy=True).serve() as url:
            await crawl(seeds=[url], db=tmp_path / "heavy.db", select=[PRICE], structured=True)

        assert extracted(tmp_path / "heavy.db") == extracted(tmp_path / "light.db") != []
        query = "SELECT kind, data FROM structured ORDER BY data"
        assert rows(tmp_path / "heavy.db", query) == rows(tmp_path / "light.db", query) != []


class TestElsewhere:
    async def test_a_child_gathers_what_is_gathered_here(self) -> None:
        body = b"<title>t</title><p class=price>x</p><li class=tag>y</li>"
        body += b"<script type=application/ld+json>[1,{]</script>"
        plan = Plan(
            rules=check_rules("--select", [PRICE, "all[]=p"]),
            structured=True,
            text=True,
            plugins=["tests.support.plugin_examples:on_page"],
        )
        document = Document(url=CanonicalUrl("http://h/item/1"), body=body)
        pool = WorkerPool(1, plan=plan)
        try:
            there = await pool.read(html.__name__, document)
        finally:
            await pool.close()

        here = HtmlExtractor(fields=FieldExtractor(plan)).read(document)
        assert there == here
        assert here.extraction is not None
        assert [value.name for value in here.extraction.values] == ["all", "tag"]
        assert [item.error for item in here.extraction.items] == ["bad_json"]
        assert [link.url for link in here.links] == ["http://h/hidden"]

    async def test_a_plugins_text_that_is_no_unicode_comes_back_mended(self) -> None:
        plan = Plan(plugins=["tests.support.plugin_examples:broken_text"])
        pool = WorkerPool(1, plan=plan)
        try:
            there = await pool.read(html.__name__, Document(url=CanonicalUrl("http://h/"), body=b"<p>"))
        finally:
            await pool.close()

        assert there is not None
        assert [link.text for link in there.links] == ["a lone ?"]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="signals as POSIX has them")
class TestKill:
    def test_a_crawl_that_was_killed_has_the_same_rows_in_the_end(self, tmp_path: Path) -> None:
        web = shop(60)
        rng = Random(7)
        flags = (
            *("--structured", "--search", "--select", "tag[]=.tag", "--select", "name=h1"),
            *("--plugin", "tests.support.plugin_examples:on_page", "--fetchers", "4", "--parsers", "2"),
            *("--storers", "4", "--queue-size", "4", *QUICK_FLAGS),
        )
        for page in web.resources.values():
            page.delay = 0.008
        peace, db = tmp_path / "peace.db", tmp_path / "crawl.db"
        with web.serve_in_thread() as url:
            assert run_command(("--seed", url, *flags, "--db", peace)).code == 0
            web.forget()
            for wanted in (15, 40):
                with start_command(("--seed", url, *flags, "--db", db)) as process:
                    assert killed_after(process, web, wanted, rng)
                assert check_invariants(db, finished=False) == []
            ended = run_command(("--seed", url, *flags, "--db", db))

        assert ended.code == 0, ended.stderr
        assert len(extracted(db)) == 60 * 5
        assert extracted(db) == extracted(peace)
        for table in ("structured", "extraction_failures", "extraction_sources"):
            columns = "url, kind, position, data, error" if table == "structured" else "*"
            query = f"SELECT {columns} FROM {table} ORDER BY 1, 2, 3"
            assert rows(db, query) == rows(peace, query)
        text = "SELECT title, headings, text FROM page_text ORDER BY 1, 2"
        assert rows(db, text) == rows(peace, text)
        assert copy_of("page_index", db) != []


UNREADABLE = {"name": "count", "css": "h1", "type": "int", "regex": "[a-z]+", "url": "/item/"}


class TestLoud:
    """What was not extracted as asked for is in the summary, in the log and in the exit code."""

    async def test_a_rule_that_fails_wherever_it_applies_ends_a_crawl_with_exit_1(
        self, tmp_path: Path
    ) -> None:
        db = tmp_path / "crawl.db"
        async with shop(3).serve() as url:
            report = await crawl(seeds=[url], db=db, select=[UNREADABLE, PRICE, "tag[]=.tag"])

        assert report.exit_code == 1
        assert report.sources == [
            SourceTally("count", 3, 0, 3),
            SourceTally("price", 3, 3, 0),
            SourceTally("tag", 4, 3, 0),
        ]
        head, *lines = summary_lines(report, database="crawl.db", program=["penstock"])
        assert "not what was asked for: count failed wherever applied" in head
        [line] = [line for line in lines if "extraction" in line.split()[0]]
        assert "count: no success, and errors on 3 of 3 pages" in line
        assert rows(db, "SELECT * FROM extraction_sources") == [
            ("count", 3, 0, 3),
            ("price", 3, 3, 0),
            ("tag", 4, 3, 0),
        ]

    async def test_other_rules_on_a_stored_crawl_are_a_warning(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Its pages are not read again: the old values would look like those of the new rules."""
        db = tmp_path / "crawl.db"
        async with shop(3).serve() as url:
            await crawl(seeds=[url], db=db, select=[PRICE])
            await crawl(seeds=[url], db=db, select=[PRICE])
            assert "rules_changed" not in caplog.text
            await crawl(seeds=[url], db=db, select=["title=title"])

        assert "rules_changed" in caplog.text

    async def test_a_plugin_that_fails_on_every_page_does_too_and_on_some_pages_does_not(
        self, tmp_path: Path
    ) -> None:
        def fails(page: Page) -> None:
            raise ValueError(page.url)

        def fails_on_items(page: Page) -> None:
            if "/item/" in page.url:
                raise ValueError(page.url)

        async with shop(3).serve() as url:
            always = await crawl(seeds=[url], db=tmp_path / "a.db", plugins=[fails])
            partly = await crawl(seeds=[url], db=tmp_path / "b.db", plugins=[fails_on_items])

        assert (always.exit_code, partly.exit_code) == (1, 0)
        assert [(tally.taken, tally.failed) for tally in (*always.sources, *partly.sources)] == [
            (0, 4),
            (1, 3),
        ]
        lines = summary_lines(partly, database="crawl.db", program=["penstock"])
        assert any("errors on 3 of 4 pages" in line for line in lines)

    async def test_a_rule_that_finds_nothing_is_a_line_of_the_summary_and_no_failure(
        self, tmp_path: Path
    ) -> None:
        nowhere = {"name": "nowhere", "css": "p", "url": "/nowhere/"}
        async with shop(3).serve() as url:
            report = await crawl(seeds=[url], db=tmp_path / "crawl.db", select=["none=.nothing", nowhere])

        text = "\n".join(summary_lines(report, database="crawl.db", program=["penstock"]))
        assert report.exit_code == 0
        assert "none: no value on any of 4 pages" in text
        assert "nowhere: no page to which it applies" in text

    async def test_a_value_that_is_cut_is_an_error_of_its_page(self, tmp_path: Path) -> None:
        db = tmp_path / "crawl.db"
        async with website({"/": "<p>" + "x" * 100_001}).serve() as url:
            report = await crawl(seeds=[url], db=db, select=["text=p"], plugins=[cuts])

        assert report.exit_code == 1
        assert rows(db, "SELECT error FROM extraction_failures ORDER BY error DESC") == [
            ("cut: text has 100001 characters, and 100000 are kept",),
            ("cut: long has 100002 characters, and 100000 are kept",),
        ]
        assert rows(db, "SELECT name, length(value) FROM extracted ORDER BY 1") == [
            ("long", 100_000),
            ("text", 100_000),
        ]

    def test_each_kind_of_failure_is_logged_once(self, capsys: pytest.CaptureFixture[str]) -> None:
        warnings = FailureWarnings()
        logs.configure(form="json")
        try:
            for page in range(3):
                warnings.note(f"http://h/{page}", [ExtractionError("price", f"no number: 'x{page}'")])
                warnings.note(f"http://h/{page}", [ExtractionError("price", f"several numbers: '{page}'")])
                warnings.note(f"http://h/{page}", [ExtractionError("size", f"no number: 'x{page}'")])
        finally:
            logs.reset()

        lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
        assert [(line["event"], line["source"], line["url"]) for line in lines] == [
            ("extraction_failed", "price", "http://h/0"),
            ("extraction_failed", "price", "http://h/0"),
            ("extraction_failed", "size", "http://h/0"),
        ]


def cuts(page: Page) -> dict[str, str]:
    return {"long": "x" * 100_002}


class ByCall:
    """A plugin without a name, and without a hash."""

    def __eq__(self, other: object) -> bool:
        return False

    def __call__(self, page: Page) -> dict[str, int]:
        return {"object": 1}


def with_argument(name: str, page: Page) -> dict[str, int]:
    return {name: 1}


class TestNameless:
    """A function without a name runs on every page, as any other."""

    @pytest.mark.parametrize("heavy", [False, True])
    async def test_lambdas_partials_and_objects_see_every_page(self, heavy: bool, tmp_path: Path) -> None:
        db = tmp_path / "crawl.db"
        plugins = [
            lambda page: {"first": 1},
            lambda page: {"second": 1},
            partial(with_argument, "partial"),
            partial(with_argument, "other"),
            ByCall(),
        ]
        async with shop(5, heavy=heavy).serve() as url:
            report = await crawl(seeds=[url], db=db, plugins=plugins, processes=3)

        names = ("first", "object", "other", "partial", "second")
        assert rows(db, "SELECT name, count(*) FROM extracted GROUP BY 1 ORDER BY 1") == [
            (name, 6) for name in names
        ]
        assert [tally.pages for tally in report.sources] == [6] * 5
        assert len({tally.source for tally in report.sources}) == 5

    async def test_a_function_of_a_module_that_no_import_finds_runs_on_every_page(
        self, tmp_path: Path
    ) -> None:
        """A notebook, or a program that loads its own files: a parser process could not import it."""
        file = tmp_path / "loaded_by_hand.py"
        file.write_text("def on_page(page):\n    return {'seen': 1}\n")
        spec = spec_from_file_location("loaded_by_hand", file)
        assert spec is not None
        assert spec.loader is not None
        module = sys.modules["loaded_by_hand"] = module_from_spec(spec)
        spec.loader.exec_module(module)
        try:
            async with shop(5, heavy=True).serve() as url:
                report = await crawl(seeds=[url], db=tmp_path / "crawl.db", plugins=[module.on_page])
        finally:
            del sys.modules["loaded_by_hand"]

        assert report.sources == [SourceTally("loaded_by_hand:on_page", 6, 6, 0)]

    async def test_an_object_whose_call_is_async_is_refused_before_the_first_request(
        self, tmp_path: Path
    ) -> None:
        class Async:
            async def __call__(self, page: Page) -> None: ...

        with pytest.raises(BadConfig, match="is async"):
            await crawl(seeds=["http://127.0.0.1:9/"], db=tmp_path / "crawl.db", plugins=[Async()])
