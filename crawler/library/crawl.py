"""Crawl: a crawl as an object of a program. Run it, follow it page by page, stop it.

May touch: the wiring, the tasks of the running event loop.
Never: process-wide settings (signal handlers, logging, warnings, the allocator).

    async with Crawl(CrawlConfig(seeds=["https://example.com/"], depth=2)) as crawl:
        async for page in crawl.pages():
            print(page.url, page.title)
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from types import TracebackType
from typing import TYPE_CHECKING

from penstock.crawler.app.parts import Observer, make_blueprint
from penstock.crawler.app.run import Run
from penstock.crawler.config.crawl_config import CrawlConfig
from penstock.crawler.library.event_stream import EventStream
from penstock.crawler.library.events import (
    CrawlEvent,
    PageStored,
    RunEnded,
    StoredPage,
    UrlFailed,
    event_of,
)
from penstock.crawler.messages import Verdict
from penstock.crawler.plugs import given_plugs
from penstock.crawler.run_result import BY_PROGRAM, Report
from penstock.crawler.scheduler.seen import SeenFilter
from penstock.crawler.snapshot import Snapshot

if TYPE_CHECKING:
    from penstock.crawler.library.crawl_file import CrawlFile

# asyncio closes a generator two rounds of the event loop after its loop was left by `break`, and needs
# two more rounds for each generator of the program that wraps it.
ROUNDS_TO_CLOSE = 10


class Crawl:
    """A crawl of one configuration into one file.

    `run()` crawls to the end. `pages()` and `events()` do the same and hand over what happens.
    Each of them starts a run of its own: the first one begins the crawl or resumes it, and the
    next one finds what the one before has left. Only one can be running at a time.

    `fetchers`, `documents` and `exports` are plugs by name: fetch tiers, kinds of document and
    export formats. A given object replaces the built-in or installed plug of the same name.
    `on_event` is called with every event, after its commit and on the event loop; it must be quick,
    and an exception in it ends the run.
    `seen` replaces the built-in filter, for tests.

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
        on_event: Callable[[CrawlEvent], object] | None = None,
        seen: SeenFilter | None = None,
    ) -> None:
        self.config = config
        self.report: Report | None = None  # of the last run that ended without an error
        self._exports = given_plugs("exports", exports)
        self._blueprint = make_blueprint(config, fetchers=fetchers, documents=documents, seen=seen)
        self._on_event = on_event
        self._run = Run(self._blueprint)  # the present one, or else the next or the last one
        self._is_running = False
        self._streaming: asyncio.Task[Report] | None = None
        self._stream: EventStream[CrawlEvent] | None = None

    def __repr__(self) -> str:
        return f"<Crawl of {', '.join(self.config.seeds[:3]) or 'no seed'} into {self.config.db}>"

    async def __aenter__(self) -> Crawl:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the run if it is still going, and wait until its file is closed. It can be resumed."""
        await self._wind_down()

    async def run(self) -> Report:
        """Crawl until finished, stopped or out of budget. Raises PenstockError.

        What was committed before an error stays; the same configuration resumes it. On a finished
        crawl it fetches nothing. Raises RuntimeError while another run of this object is going.
        """
        await self._prepare_run()
        if self._on_event is None:
            return await self._run_once(None)
        on_event = self._on_event

        async def notify(verdict: Verdict) -> None:
            if (event := event_of(verdict)) is not None:
                on_event(event)

        report = await self._run_once(Observer(after_commit=notify))
        on_event(RunEnded(report))
        return report

    async def pages(
        self, *, failures: bool = False, redirects: bool = False, bodies: bool = False
    ) -> AsyncGenerator[StoredPage, None]:
        """Crawl, and hand over each page after its commit.

        A consumer that is slow slows the crawl: between the two is a queue of `queue_size` pages.
        Leaving the loop, by `break` or by an exception, stops the crawl, which can be resumed;
        use `async with` to wait until that is done. Pages of earlier runs are not handed over:
        `penstock.open(...).pages()` has them all.

        With `failures` also URLs that were given up (`page.error`), with `redirects` also redirects
        (`page.redirect_to`), with `bodies` each HTML page with its `body` and `html`, which are not
        stored for that. Raises as `run` does.
        """
        async with aclosing(self.events(bodies=bodies)) as events:
            async for event in events:
                match event:
                    case PageStored(page=page) if redirects or page.redirect_to is None:
                        yield page
                    case UrlFailed(page=page) if failures:
                        yield page

    async def events(self, *, bodies: bool = False) -> AsyncGenerator[CrawlEvent, None]:
        """Crawl, and hand over each event after its commit; the last one is `RunEnded`.

        The same rules as for `pages` hold.
        """
        await self._prepare_run()
        stream = EventStream[CrawlEvent](self.config.queue_size)
        on_event = self._on_event

        async def put(verdict: Verdict) -> None:
            if (event := event_of(verdict)) is not None:
                if on_event is not None:
                    on_event(event)
                body = getattr(verdict, "body", None)
                await stream.put(event, len(body) if body is not None else 0)

        observer = Observer(
            after_commit=put, on_stop=stream.release, is_waiting=lambda: stream.is_full, bodies=bodies
        )
        task = asyncio.create_task(self._run_once(observer), name="crawl")
        task.add_done_callback(lambda _: stream.end())
        self._streaming, self._stream = task, stream
        try:
            while (event := await stream.get()) is not None:
                yield event
            ended = RunEnded(await task)
            if on_event is not None:
                on_event(ended)
            yield ended
        finally:
            stream.close()
            if self._streaming is task:
                await self._wind_down()

    def open(self) -> CrawlFile:
        """Open the crawl's file for reading, with the `exports` that were given; the run may be going on.

        Raises BadDatabase if there is no file yet.
        """
        from penstock.crawler.library.crawl_file import open_crawl  # the command needs none of it

        return open_crawl(self.config.path, exports=self._exports)

    def stop(self, reason: str = BY_PROGRAM) -> None:
        """End the run: gently the first time, at once the second. Safe from a signal handler.

        Work in flight gets `grace` seconds to end. `reason` becomes the run's stop reason.
        Before a run it stops the next one. From another thread use `loop.call_soon_threadsafe`.
        """
        if self._run.began and not self._is_running and self._streaming is None:
            self._run = Run(self._blueprint)
        self._run.stop(reason)

    def snapshot(self) -> Snapshot:
        """The state of the run at this moment: counts, queues, hosts. Valid at any time."""
        return self._run.snapshot()

    def describe(self) -> list[str]:
        """One line on the frontier, on every stage and on every task of the event loop."""
        return self._run.describe()

    async def _prepare_run(self) -> None:
        """Wait for the end of a run whose loop was left. Raises RuntimeError while another run is going.

        After it the caller must start its run without awaiting anything else.
        """
        if self._is_streaming() and self._stream is not None:
            stream = self._stream
            for _ in range(ROUNDS_TO_CLOSE):
                if stream.is_closed:
                    break
                await asyncio.sleep(0)
            if stream.is_closed and stream is self._stream:
                await self._wind_down()
        if self._is_running or self._is_streaming():
            raise RuntimeError("this crawl is running already: wait until it ends, or make another Crawl")
        if self._run.began:
            self._run = Run(self._blueprint)

    def _is_streaming(self) -> bool:
        return self._streaming is not None and not self._streaming.done()

    async def _run_once(self, observer: Observer | None) -> Report:
        self._is_running = True
        try:
            self.report = await self._run.run(observer)
        finally:
            self._is_running = False
        return self.report

    async def _wind_down(self) -> None:
        """Stop the run that feeds `pages` or `events`, and wait for its end.

        A cancellation meanwhile asks for a hard stop, and is raised once the file is closed.
        """
        task, stream, run = self._streaming, self._stream, self._run
        if task is None or stream is None:
            return
        stream.close()
        cancelled: asyncio.CancelledError | None = None
        if not task.done() and run.stopping is None:
            run.stop(BY_PROGRAM)
        while not task.done():
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError as error:
                cancelled = error
                run.stop(BY_PROGRAM)
        if self._streaming is task:  # only now: until the end each caller has to wait for the run
            self._streaming = None
        if cancelled is not None:
            task.exception()  # or asyncio would log that nobody looked at it
            raise cancelled
        task.result()
