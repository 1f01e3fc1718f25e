"""Writer: many verdicts, one transaction. The only task that writes while a crawl runs.

May touch: the ledger, pages, the database.

Group commit: callers of `save` wait together for one commit. When there is little to do
a verdict commits at once; under load the writer lingers a few commits' time, so that the
cost of a transaction is shared by many pages. The task is never cancelled: cancelling an
await of a statement does not cancel the statement, which would run outside its transaction.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from msgspec.structs import asdict

from penstock.crawler.errors import StorageFailed
from penstock.crawler.messages import Dead, Done, RetryAt, RobotsAnswer, Skipped, Verdict
from penstock.crawler.ports import HostClocks, Saved
from penstock.storage.database.cooperative import chunkwise
from penstock.storage.database.database import Database
from penstock.storage.database.row_enums import State, UrlKind
from penstock.storage.writing import statements as sql
from penstock.storage.writing.batch import BatchCounts, Waiting, key_of_page, take, targets
from penstock.storage.writing.extraction_tables import ExtractedPage, ExtractionTables
from penstock.storage.writing.interned_strings import InternedStrings
from penstock.storage.writing.ledger import Changes, Ledger
from penstock.storage.writing.pages import (
    body_row,
    fetch_row,
    redirect_target,
    robots_row,
    sitemap_row,
    texts_of,
)
from penstock.storage.writing.resource_table import ResourceTable
from penstock.storage.writing.rows import UrlRow
from penstock.storage.writing.telemetry_samples import Samples
from penstock.storage.writing.url_table import UrlTable

LINGER_PER_COMMIT = 4.0  # so at most a fifth of the time goes to commits
CROWDED_LINGER_PER_COMMIT = 8.0  # the same while the batches are half full or fuller
MAX_LINGER = 0.1  # seconds
PAGES_IN_A_CHUNK = 20  # 2 ms with 80 links each


class Writer:
    """Implements `VerdictStore`. `start` it, then `close` it: it commits what it was given first."""

    def __init__(
        self,
        database: Database,
        urls: UrlTable,
        ledger: Ledger,
        strings: InternedStrings,
        *,
        run: int,
        generation: int,
        max_batch: int,
        on_commit: Callable[[Saved], None] = lambda saved: None,
    ) -> None:
        self._database = database
        self._urls = urls
        self._ledger = ledger
        self._strings = strings
        self._extractions = ExtractionTables(database, strings)
        self._resources = ResourceTable(database, urls, strings)
        self._run = run
        self._generation = generation
        self._max_batch = max_batch
        self._on_commit = on_commit
        self._waiting: list[Waiting] = []
        self._bell = asyncio.Event()
        self.samples = Samples(database, run, self._bell.set)  # they ride along as the clocks do
        self._full = asyncio.Event()
        self.clocks: HostClocks | None = None  # whose changes ride along with every commit
        self._closing = False
        self._failed: Exception | None = None  # what ended the writing, if something did
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._work(), name="writer")

    async def close(self) -> None:
        """Commit what waits, then stop."""
        self._closing = True
        self._bell.set()
        self._full.set()
        if self._task is not None:
            await asyncio.shield(self._task)

    async def save(self, verdict: Verdict) -> Saved:
        """Return after the commit that holds it. Raises StorageFailed, and from then on always.

        So it does after `close`: nobody would commit it, and its caller would wait for ever.
        """
        if self._failed is not None:
            raise self._failed
        if self._closing:
            raise StorageFailed("a verdict came after the last commit; the next run asks for its URL again")
        future: asyncio.Future[Saved] = asyncio.get_running_loop().create_future()
        self._waiting.append((verdict, future))
        self._bell.set()
        if len(self._waiting) >= self._max_batch:
            self._full.set()
        return await future

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        linger = 0.0
        small_first = True
        while True:
            await self._bell.wait()
            if linger and not self._closing:
                await self._linger(linger)
            batch, self._waiting = take(self._waiting, small_first=small_first)
            left_over = bool(self._waiting)
            small_first = not (small_first and left_over)
            self._full.clear()
            if not left_over:
                self._bell.clear()
            if batch:
                started = loop.time()
                await self._commit(batch)
                # A batch of one means that nobody else was under way: the next is not kept waiting.
                linger = 0.0 if left_over else self._patience(len(batch)) * (loop.time() - started)
            elif self.samples.due:
                await self.samples.commit()
            if self._closing and not self._waiting:
                return

    def _patience(self, batch: int) -> float:
        """How long to wait for company after a commit of so many, in times of what it took."""
        if batch == 1:
            return 0.0
        return LINGER_PER_COMMIT if 2 * batch < self._max_batch else CROWDED_LINGER_PER_COMMIT

    async def _linger(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(min(seconds, MAX_LINGER)):
                await self._full.wait()
        except TimeoutError:
            return

    async def _commit(self, batch: Sequence[Waiting]) -> None:
        try:
            async with self._database.transaction():
                saved = await self._write([verdict for verdict, _ in batch])
            self._on_commit(saved)
            self._urls.evict()
            self._strings.evict()
        except Exception as error:
            # The memory of the tables is no longer true, so nothing may be written on top of it:
            # a link to a URL that it takes for known would lead nowhere, and the URL be lost.
            self._failed = error
            waiting, self._waiting = self._waiting, []
            for _, future in (*batch, *waiting):
                if not future.done():
                    future.set_exception(error)
                    future.exception()  # one caller is enough to end the run; the others are cancelled
            return
        for _, future in batch:
            if not future.done():
                future.set_result(saved)

    async def _write(self, verdicts: Sequence[Verdict]) -> Saved:
        """Everything that one transaction changes, in a fixed number of statements."""
        pages = [verdict for verdict in verdicts if not isinstance(verdict, RobotsAnswer)]
        urls, texts = self._urls.recent, self._strings.recent
        await self._urls.remember(
            [key_of_page(page) for page in pages],
            [key for verdict in verdicts for key in targets(verdict, urls)],
        )
        await self._strings.remember([text for page in pages for text in texts_of(page, texts)])
        changes, counts = Changes(), BatchCounts()
        settled: list[object] = []  # row behind row, as `fetched`
        fetched: list[object] = []
        bodies: list[tuple[Done, int]] = []
        sitemaps: list[tuple[object, ...]] = []
        sessions: list[tuple[object, ...]] = []
        gathered: list[ExtractedPage] = []
        async for page in chunkwise(pages, PAGES_IN_A_CHUNK):
            row = self._urls.recent[key_of_page(page)]
            match page:
                case Done() | Dead():
                    row.state = State.DONE if isinstance(page, Done) else State.FAILED
                    row.reason = None if isinstance(page, Done) else page.reason
                    requested = isinstance(page, Done) or page.requested
                    if row.kind == UrlKind.SITEMAP:
                        sitemaps.append(await self._sitemap(changes, page, row))
                    elif row.kind == UrlKind.RESOURCE:
                        self._resources.answered(changes, page, row)
                    elif requested:
                        fetched += await self._page(changes, page, row)
                    settled += (row.state, row.reason, None, requested, row.id)
                    counts.settled(page, requested)
                    if isinstance(page, Done) and page.body is not None:
                        bodies.append((page, row.id))
                    if isinstance(page, Done) and page.fingerprint is not None:
                        sessions.append((row.id, page.fingerprint))
                    content = page.content if isinstance(page, Done) else None
                    if content is not None and content.resources:
                        await self._resources.used(changes, row, content.resources)
                    if content is not None and content.extraction is not None:
                        gathered.append(
                            ExtractedPage(row.id, self._generation, content.title, content.extraction)
                        )
                case RetryAt(at=at, reason=reason, requested=requested):
                    row.state, row.reason = State.WAITING, reason
                    settled += (row.state, reason, at, requested, row.id)
                    counts.put_off(page)
                case Skipped(reason=reason):
                    row.state, row.reason = State.SKIPPED, reason
                    settled += (row.state, reason, None, False, row.id)
        await self._strings.write()
        await self._database.run_multi_row(sql.SETTLE_URL, settled)
        await self._database.run_multi_row(sql.SAVE_FETCH, fetched)
        if sitemaps:
            await self._database.run_many(sql.SAVE_SITEMAP, sitemaps)
        if sessions:
            await self._database.run_many(sql.SAVE_SESSION_PAGE, sessions)
        if gathered:
            await self._extractions.save(gathered)
        await self._save_bodies(bodies)
        await self._save_robots(changes, [v for v in verdicts if isinstance(v, RobotsAnswer)], counts)
        await self._ledger.write(changes)
        await self._resources.write(changes)
        await self._save_clocks()
        await self.samples.save()
        await self._count_run(counts)
        return changes.saved()

    async def _page(self, changes: Changes, page: Done | Dead, row: UrlRow) -> tuple[object, ...]:
        """Note what a page leads to; return its own row."""
        redirect_id = None
        if isinstance(page, Done):
            if (target := redirect_target(page)) is not None:
                redirect_id = self._ledger.discover_redirect(changes, row, target)
            if page.content is not None:
                await self._ledger.discover_links(changes, row, page.content.links)
        kind = page.answer.content_type if page.answer is not None else None
        return fetch_row(
            page,
            url_id=row.id,
            generation=self._generation,
            type_id=self._strings.recent[kind] if kind else None,
            redirect_id=redirect_id,
        )

    async def _sitemap(self, changes: Changes, answer: Done | Dead, row: UrlRow) -> tuple[object, ...]:
        """Note what a sitemap names (an index: sitemaps, any other: pages); return its own row."""
        if (target := redirect_target(answer)) is not None:
            self._ledger.discover_sitemap(changes, target, row)
        if isinstance(answer, Done) and answer.sitemap is not None:
            if answer.sitemap.kind == "index":
                for url in answer.sitemap.locations:
                    self._ledger.discover_sitemap(changes, url, row)
            else:
                await self._ledger.discover_listed(changes, answer.sitemap.locations)
        return sitemap_row(answer, row.id)

    async def _save_bodies(self, bodies: Sequence[tuple[Done, int]]) -> None:
        for page, url_id in bodies:
            row = await asyncio.to_thread(body_row, page, url_id=url_id, generation=self._generation)
            await self._database.run_many(sql.SAVE_BODY, [row])

    async def _save_robots(
        self, changes: Changes, answers: Sequence[RobotsAnswer], counts: BatchCounts
    ) -> None:
        counts.robots_requests += len(answers)
        for answer in answers:
            for url in answer.sitemaps:
                self._ledger.discover_sitemap(changes, url, None)
        if answers:
            await self._database.run_many(sql.SAVE_ROBOTS, [robots_row(answer) for answer in answers])

    async def _save_clocks(self) -> None:
        clocks = self.clocks.changed_clocks() if self.clocks is not None else {}
        if clocks:
            await self._database.run_many(sql.SET_CLOCK, [(*clock, name) for name, clock in clocks.items()])

    async def _count_run(self, counts: BatchCounts) -> None:
        await self._database.run(sql.COUNT_RUN, {"run": self._run, **asdict(counts)})
