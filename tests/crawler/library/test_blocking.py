"""`penstock.crawl`: one call that works in a script and in a notebook, where an event loop is running."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import penstock
from penstock import BadConfig, CrawlEvent, RunEnded
from tests.support.crawls import QUICK, ROOT, differences, rows
from tests.support.synthetic_web import SyntheticWeb


class TestOneCall:
    def test_a_script_calls_it_without_a_loop(self, tmp_path: Path) -> None:
        web = SyntheticWeb(seed=70, pages=30)
        with web.serve_in_thread() as url:
            crawl = penstock.crawl(url, depth=2, db=tmp_path / "a.db", **QUICK)

        assert differences(tmp_path / "a.db", web.expected(2)) == []
        assert crawl.result is not None
        assert crawl.result.stop_reason == "finished"
        assert len(list(crawl.pages())) > 0
        crawl.close()

    async def test_a_notebook_calls_it_while_a_loop_is_running(self, tmp_path: Path) -> None:
        """The last line of a cell shows its value: a coroutine would be no answer."""
        web = SyntheticWeb(seed=70, pages=30)
        with web.serve_in_thread() as url:
            crawl = penstock.crawl([url], depth=2, db=tmp_path / "a.db", **QUICK)
        with crawl:
            assert "done" in crawl._repr_html_()

        assert differences(tmp_path / "a.db", web.expected(2)) == []

    def test_events_are_told_and_no_thread_is_left(self, tmp_path: Path) -> None:
        web = SyntheticWeb(pages=0)
        web.page("/")
        told: list[CrawlEvent] = []
        with web.serve_in_thread() as url:
            penstock.crawl(url, db=tmp_path / "a.db", on_event=told.append, **QUICK).close()

        assert [type(event).__name__ for event in told] == ["PageStored", "RunEnded"]
        assert isinstance(told[-1], RunEnded)
        assert [thread for thread in threading.enumerate() if thread.name == "penstock-crawl"] == []

    def test_parser_processes_can_be_started_from_its_thread(self, tmp_path: Path) -> None:
        web = SyntheticWeb(pages=0)
        web.page("/", *[f"/{number}" for number in range(2_000)])  # heavy: read by a parser process
        with web.serve_in_thread() as url:
            crawl = penstock.crawl(url, db=tmp_path / "a.db", depth=0, processes=2, **QUICK)
        with crawl:
            assert len(crawl.query("SELECT * FROM links")) == 2_000

    def test_a_wrong_option_is_refused_before_anything_begins(self, tmp_path: Path) -> None:
        with pytest.raises(BadConfig, match="--depth"):
            penstock.crawl("http://h/", depth=-1, db=tmp_path / "a.db")

        assert list(tmp_path.iterdir()) == []

    def test_an_error_of_the_run_is_raised_in_the_caller(self, tmp_path: Path) -> None:
        (tmp_path / "a.db").write_bytes(b"no database at all" * 100)
        with pytest.raises(penstock.BadDatabase):
            penstock.crawl("http://127.0.0.1:9/", db=tmp_path / "a.db")

    @pytest.mark.skipif(sys.platform == "win32", reason="SIGINT")
    def test_ctrl_c_stops_it_gently_and_the_same_call_resumes_it(self, tmp_path: Path) -> None:
        web = SyntheticWeb(pages=0)
        web.page("/", "/slow")
        web.page("/slow", "/end", delay=3)
        web.page("/end")
        with web.serve_in_thread() as url:
            options = f"depth=5, db={str(tmp_path / 'a.db')!r}, **{dict(QUICK)!r}"
            code = f"import penstock; penstock.crawl({url!r}, {options})"
            with subprocess.Popen(
                [sys.executable, "-c", code], cwd=ROOT / ".src", stderr=subprocess.PIPE, text=True
            ) as process:
                web.wait_for("/slow")
                process.send_signal(signal.SIGINT)
                _, stderr = process.communicate(timeout=30)
            assert stderr.rstrip().endswith("KeyboardInterrupt")
            assert rows(tmp_path / "a.db", "SELECT stop_reason FROM runs") == [("sigint",)]
            assert rows(tmp_path / "a.db", "SELECT state FROM urls WHERE url LIKE '%slow'") == [("done",)]

            penstock.crawl(url, depth=5, db=tmp_path / "a.db", **QUICK).close()

        assert differences(tmp_path / "a.db", web.expected(5)) == []
