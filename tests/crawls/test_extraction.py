"""What is taken from pages, in whole crawls: the right rows, wherever a page is read, once each."""

from __future__ import annotations

import signal
from pathlib import Path
from random import Random

import pytest

from penstock.crawler.config.select_rules import check_rules
from penstock.crawler.messages import CanonicalUrl, Document
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

        assert report.exit_code == 0
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
        for table in ("structured", "extraction_failures"):
            columns = "url, kind, position, data, error" if table == "structured" else "*"
            query = f"SELECT {columns} FROM {table} ORDER BY 1, 2, 3"
            assert rows(db, query) == rows(peace, query)
        text = "SELECT title, headings, text FROM page_text ORDER BY 1, 2"
        assert rows(db, text) == rows(peace, text)
        assert copy_of("page_index", db) != []
