"""Blocking: a whole crawl as one call, for scripts and notebooks.

May touch: one thread of its own, which ends with the call.

The call blocks with and without a running event loop. In a notebook a loop is running, but a person
expects of a cell that its last line is the result, not a coroutine; and the same line has to work in
a script. So the crawl has a thread and a loop of its own, and the caller's thread waits for them.
That also keeps Ctrl-C, and a notebook's interrupt, in the caller's thread: no signal handler is
needed for it to stop the crawl gently.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, wait
from threading import Thread
from typing import Any

from penstock.crawler.config.crawl_config import CrawlConfig
from penstock.crawler.library.crawl import Crawl
from penstock.crawler.library.crawl_file import CrawlFile
from penstock.crawler.library.events import CrawlEvent
from penstock.crawler.run_result import Report

LOOK_EVERY = 1.0  # seconds; on Windows a wait without end cannot be interrupted


def crawl(
    seeds: str | Sequence[str],
    *,
    documents: Mapping[str, object] | None = None,
    exports: Mapping[str, object] | None = None,
    on_event: Callable[[CrawlEvent], object] | None = None,
    **options: Any,
) -> CrawlFile:
    """Crawl to the end and return the crawl's file, opened for reading: `penstock.crawl(URL, depth=1)`.

    `options` are those of `CrawlConfig`: the command's flags with underscores. `result` of the returned
    object tells how the run ended. The call blocks, in a notebook too. Within a coroutine of your own
    use `await Crawl(...).run()`, which does not hold up your event loop.

    Ctrl-C, or interrupting the cell, stops the crawl gently, a second time at once; KeyboardInterrupt
    is raised when its file is closed, and the same call resumes the crawl. `on_event` is called with
    every event in the crawl's thread. Raises PenstockError as `Crawl.run` does.
    """
    config = CrawlConfig(seeds=seeds, **options)
    crawl = Crawl(config, documents=documents, exports=exports, on_event=on_event)
    report = _RunInThread(crawl).result()
    opened = crawl.open()
    opened.result = report
    return opened


class _RunInThread:
    """A run on an event loop of its own."""

    def __init__(self, crawl: Crawl) -> None:
        self._crawl = crawl
        self._loop: Future[asyncio.AbstractEventLoop] = Future()
        self._report: Future[Report] = Future()
        Thread(target=self._work, name="penstock-crawl", daemon=True).start()

    def result(self) -> Report:
        """Wait for the end, passing interrupts on. Raises what the run raises, or KeyboardInterrupt."""
        interrupted = False
        while True:
            try:
                if self._report.done():
                    break
                wait([self._report], timeout=LOOK_EVERY)
            except KeyboardInterrupt:
                interrupted = True
                self._loop.result().call_soon_threadsafe(self._crawl.stop, "sigint")
        report = self._report.result()
        if interrupted:
            raise KeyboardInterrupt
        return report

    def _work(self) -> None:
        try:
            report = asyncio.run(self._run())
        except BaseException as error:
            self._report.set_exception(error)
        else:
            self._report.set_result(report)

    async def _run(self) -> Report:
        self._loop.set_result(asyncio.get_running_loop())
        return await self._crawl.run()
