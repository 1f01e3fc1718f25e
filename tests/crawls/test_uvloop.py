"""uvloop: a host program may run its tasks on another event loop than asyncio's own."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web

from penstock import Crawl, CrawlConfig
from penstock.crawler.run_result import Report
from tests.support.app_server import serving
from tests.support.crawls import QUICK, check_invariants, differences
from tests.support.synthetic_web import SyntheticWeb

uvloop = pytest.importorskip("uvloop", reason="uvloop is not installed (extra `dev`)")


class TestUvloop:
    @pytest.mark.parametrize("processes", [1, 2])
    def test_a_crawl_on_uvloop_is_the_same_crawl(self, tmp_path: Path, processes: int) -> None:
        """With parser processes, whose pipes are transports too; and it leaves no failure in the log."""
        db = tmp_path / "crawl.db"
        synthetic = SyntheticWeb(seed=7, pages=60)
        with synthetic.serve_in_thread() as url:
            config = CrawlConfig(**{**QUICK, "seeds": [url], "depth": None, "db": db, "processes": processes})
            report = uvloop.run(Crawl(config).run())

        assert (report.exit_code, report.stop_reason) == (0, "finished")
        assert differences(db, synthetic.expected()) == []
        assert check_invariants(db) == []

    def test_heavy_pages_go_through_a_parser_process(self, tmp_path: Path) -> None:
        """30 KB and more are not parsed on the event loop."""
        links = "".join(f"<a href=/{number}>x</a>" for number in range(20))

        async def answer(request: web.Request) -> web.Response:
            text = links if request.path == "/" else "<p>word" * 20_000
            return web.Response(text=text, content_type="text/html")

        async def run() -> Report:
            async with serving(answer) as url:
                config = CrawlConfig(**{**QUICK, "seeds": [url], "db": tmp_path / "crawl.db"})
                return await Crawl(config).run()

        report = uvloop.run(run())

        assert (report.exit_code, report.totals.pages) == (0, 21)
