"""Crawl: a crawl as an object of a program.

May touch: the wiring.
"""

from __future__ import annotations

from collections.abc import Mapping

from penstock.crawler.app.parts import given_plugs, make_blueprint
from penstock.crawler.app.run import Run
from penstock.crawler.config.crawl_config import CrawlConfig
from penstock.crawler.ports import Extractor
from penstock.crawler.run_result import Report
from penstock.crawler.scheduler.seen import SeenFilter
from penstock.crawler.snapshot import Snapshot


class Crawl:
    """A crawl: `await Crawl(CrawlConfig(seeds=[URL])).run()`.

    The same configuration on the same database continues where the last run ended.

    `fetchers`, `documents` and `exports` are plugs by name: fetch tiers, kinds of document and
    export formats. A given object replaces the built-in or installed plug of the same name.
    `extractor` and `seen` replace the built-in ones, for tests.

    Raises BadConfig for a cookie file that cannot be read, an invalid selector, a plugin that
    cannot be loaded, or plugs that are no mapping from names to objects.
    """

    def __init__(
        self,
        config: CrawlConfig,
        *,
        fetchers: Mapping[str, object] | None = None,
        documents: Mapping[str, object] | None = None,
        exports: Mapping[str, object] | None = None,
        extractor: Extractor | None = None,
        seen: SeenFilter | None = None,
    ) -> None:
        self._blueprint = make_blueprint(
            config, fetchers=fetchers, documents=documents, extractor=extractor, seen=seen
        )
        self._exports = given_plugs("exports", exports)
        self._run = Run(self._blueprint)

    def stop(self, reason: str) -> None:
        """End the run: gently the first time, at once the second. Safe from a signal handler."""
        self._run.stop(reason)

    def snapshot(self) -> Snapshot:
        """How the run stands. Valid at any time."""
        return self._run.snapshot()

    def describe(self) -> list[str]:
        """One line on the frontier, on every stage and on every task of the event loop."""
        return self._run.describe()

    async def run(self) -> Report:
        """Crawl until finished, stopped or out of budget. Raises PenstockError.

        What was committed before an error stays; the same configuration resumes it.
        """
        return await self._run.run()
