"""The command line, with a fake crawl behind it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from penstock.crawler.cli import main
from penstock.crawler.config.crawl_config import CrawlConfig
from penstock.crawler.ports import Totals
from penstock.crawler.run_result import Report
from penstock.crawler.snapshot import Snapshot

SEED = "http://example.com/"
Capture = pytest.CaptureFixture[str]

TOTALS = Totals(
    states={"pending": 5, "done": 1000, "failed": 34, "skipped": 200},
    requests=1050,
    pages=990,
    bytes=12_897_485,
    retries=12,
    robots_requests=3,
)
REPORT = Report(
    exit_code=0,
    stop_reason="finished",
    run_id=1,
    totals=TOTALS,
    elapsed_s=10.0,
    resumed=False,
    nothing_to_do=False,
    this_run=Snapshot(elapsed_s=10.0, pages=990),
)


@dataclass
class FakeCrawl:
    """Stands where `penstock.crawler.library.crawl.Crawl` stands; `act` is its whole run."""

    config: CrawlConfig
    act: Callable[[FakeCrawl], Report] = lambda crawl: REPORT
    signals: tuple[signal.Signals, ...] = ()

    def __post_init__(self) -> None:
        self.stops: list[str] = []
        self.asked = asyncio.Event()

    async def run(self) -> Report:
        for number in self.signals:
            self.asked.clear()
            os.kill(os.getpid(), number)
            async with asyncio.timeout(5):
                await self.asked.wait()
        return self.act(self)

    def stop(self, reason: str) -> None:
        self.stops.append(reason)
        self.asked.set()

    def snapshot(self) -> Snapshot:
        return REPORT.this_run


class CommandLine:
    """A command line with a fake crawl behind it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
        self._capsys = capsys
        self.crawls: list[FakeCrawl] = []
        self.act: Callable[[FakeCrawl], Report] = lambda crawl: REPORT
        self.signals: tuple[signal.Signals, ...] = ()
        monkeypatch.setattr("penstock.crawler.library.crawl.Crawl", self._made)

    def _made(self, config: CrawlConfig) -> FakeCrawl:
        self.crawls.append(FakeCrawl(config, self.act, self.signals))
        return self.crawls[-1]

    def run(self, *words: str) -> int:
        code = main(words)
        said = self._capsys.readouterr()
        self.out, self.err = said.out, said.err
        assert "Traceback" not in self.err
        return code

    def config(self, *words: str) -> CrawlConfig:
        assert self.run(*words) == 0, self.err
        return self.crawls[-1].config

    def refusal(self, *words: str) -> str:
        """The one line with which a command is refused before anything is built."""
        assert self.run(*words) == 2
        assert self.crawls == []
        assert self.out == ""
        assert self.err.startswith("penstock: error: ")
        assert self.err.count("\n") == 1
        return self.err
