"""Writer: the only part of a crawl that writes to the file. One batch of verdicts is one transaction.

May touch: the tables of this package, discovery, admission.

Each table is a class with `note(verdict, row)` and `write()`. A new table is one more class, noted and
written at its place in `Transaction`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Coroutine, Sequence
from typing import Any

from msgspec import Struct, field

from penstock.crawler.messages import CanonicalUrl, Dead, Done, RobotsAnswer, UrlVerdict, Verdict
from penstock.crawler.output.logs import get_logger
from penstock.crawler.ports import Saved, TelemetrySource, ThrottleSource
from penstock.crawler.scheduler.discovery import Admission, Discovery, UrlKind, redirect_target
from penstock.storage.database.batching import chunkwise
from penstock.storage.database.database import Database
from penstock.storage.writing.archive_tables import ArchiveTables
from penstock.storage.writing.discovered_urls import DiscoveredUrls
from penstock.storage.writing.extraction_tables import ExtractionTables, names_of
from penstock.storage.writing.group_commit import GroupCommit
from penstock.storage.writing.handshake_table import HandshakeTable
from penstock.storage.writing.interned_strings import InternedStrings
from penstock.storage.writing.resource_table import ResourceTable, outward
from penstock.storage.writing.rows import KIND_NUMBERS, Key, UrlRow, key_of
from penstock.storage.writing.sitemap_tables import RobotsTable, SitemapTable
from penstock.storage.writing.telemetry_samples import TelemetrySamples
from penstock.storage.writing.url_table import UrlTable
from penstock.storage.writing.verdict_tables import (
    FetchTables,
    HostClockTable,
    RunCounts,
    UrlStates,
)

PAGES_IN_A_CHUNK = 20  # 2 ms with 80 links each

log = get_logger()


class Target(Struct, frozen=True, kw_only=True):
    """Where the transactions of a run write, and the caches that they share."""

    database: Database
    urls: UrlTable
    strings: InternedStrings
    admission: Admission
    generation: int
    external: bool = False  # links out of scope are checked
    moves: dict[CanonicalUrl, int] = field(default_factory=dict)  # of URLs to which seeds have moved


class Writer:
    """Implements `VerdictStore`. `start` it, then `close` it: it commits what it was given first."""

    def __init__(
        self, target: Target, *, run: int, max_batch: int, on_commit: Callable[[Saved], None]
    ) -> None:
        self._target = target
        self._run = run
        self._on_commit = on_commit
        self._queue = GroupCommit(max_batch=max_batch)

    def start(
        self, *, clocks: ThrottleSource | None = None, telemetry: TelemetrySource | None = None
    ) -> None:
        """Begin to commit. Changed host clocks and telemetry samples are written with each commit."""
        target, run = self._target, self._run
        samples = TelemetrySamples(target.database, run, telemetry)

        async def commit(verdicts: Sequence[Verdict]) -> Saved:
            started = time.perf_counter()
            async with target.database.transaction():
                transaction = Transaction(target, run, clocks, samples)
                saved = await transaction.write(verdicts)
            self._on_commit(saved)
            target.urls.evict()
            target.strings.evict()
            log.debug(
                "committed",
                verdicts=len(verdicts),
                pages=transaction.counts.batch.pages,
                links=transaction.urls.links,
                ms=round(1000 * (time.perf_counter() - started), 1),
            )
            return saved

        self._queue.start(commit, samples.commit)

    def save(self, verdict: Verdict) -> Coroutine[Any, Any, Saved]:
        """Return after the commit of this verdict. Raises StorageFailed, and from then on always."""
        return self._queue.save(verdict)

    def request_flush(self) -> None:
        """Commit the telemetry samples soon, even if no verdict comes."""
        self._queue.request_flush()

    async def close(self) -> None:
        """Commit the waiting verdicts and samples, then stop."""
        await self._queue.close()


class Transaction:
    """What one commit changes. Used once, within the caller's transaction."""

    def __init__(
        self, target: Target, run: int, clocks: ThrottleSource | None, samples: TelemetrySamples
    ) -> None:
        database, strings, generation = target.database, target.strings, target.generation
        self._target = target
        self._discovery: Discovery[UrlRow] = Discovery(target.urls, target.admission, moves=target.moves)
        states = UrlStates(database)
        fetches = FetchTables(database, strings, self._discovery, generation)
        sitemaps = SitemapTable(database, self._discovery)
        resources = ResourceTable(database, target.urls, strings, self._discovery, external=target.external)
        extractions = ExtractionTables(database, strings, generation)
        self._robots = RobotsTable(database, self._discovery)
        archive = self._archive = ArchiveTables(database, generation)
        self._handshakes = HandshakeTable(database, self._discovery)
        self.urls = DiscoveredUrls(database, target.urls, strings, self._discovery, generation)
        self.counts = RunCounts(database, run)
        self._noting = (
            states.note,  # first: discovery reads the states
            fetches.note,
            archive.note,
            self.urls.note,
            sitemaps.note,
            resources.note,
            extractions.note,
            self.counts.note,
        )
        self._writing = (
            strings.write,
            states.write,
            fetches.write,
            archive.write,
            extractions.write,
            self._handshakes.write,
            self.urls.write,
            self._robots.write,
            sitemaps.write,
            resources.write,
            self.urls.spread,  # reads the links and redirects written above
            HostClockTable(database, clocks).write,
            samples.write,
            self.counts.write,
        )

    async def write(self, verdicts: Sequence[Verdict]) -> Saved:
        """Everything that these verdicts change, in a fixed number of statements."""
        await self._load(verdicts)
        rows = self._target.urls.recent
        async for verdict in chunkwise(verdicts, PAGES_IN_A_CHUNK):
            if isinstance(verdict, RobotsAnswer):
                self._robots.note(verdict)
                self._archive.note_robots(verdict)
                self.counts.batch.robots_requests += 1
                continue
            row = rows[_key_of_verdict(verdict)]
            for note in self._noting:
                await note(verdict, row)
            if verdict.task.handshake is not None:
                self._handshakes.note(verdict, row)
        for write in self._writing:
            await write()
        return self._discovery.summary(self.urls.grown)

    async def _load(self, verdicts: Sequence[Verdict]) -> None:
        """Load every row and string that the verdicts lead to."""
        pages = [verdict for verdict in verdicts if not isinstance(verdict, RobotsAnswer)]
        urls, strings = self._target.urls, self._target.strings
        rows, texts = urls.recent, strings.recent
        await urls.remember(
            [_key_of_verdict(page) for page in pages],
            [key for verdict in verdicts for key in _keys_of_targets(verdict, rows)]
            + self._keys_of_checks(pages),
        )
        await strings.remember([text for page in pages for text in _texts_of(page, texts)])

    def _keys_of_checks(self, pages: Sequence[UrlVerdict]) -> list[Key]:
        """The key of every link out of scope that is to be checked."""
        if not self._target.external:
            return []
        done = [page for page in pages if isinstance(page, Done) and page.task.kind == "page"]
        named = dict.fromkeys(url for page in done for url in outward(page))
        return [key_of(url, UrlKind.RESOURCE) for url in named if self._discovery.is_outside(url)]


def _key_of_verdict(verdict: UrlVerdict) -> Key:
    return key_of(verdict.task.url, KIND_NUMBERS[verdict.task.kind])


def _keys_of_targets(verdict: Verdict, known: Container[Key]) -> list[Key]:
    """The key of every row that a verdict leads to. Of links, nearly all of which a page shares with
    the pages before it, only those that are not `known`."""
    if isinstance(verdict, RobotsAnswer):
        return [key_of(url, UrlKind.SITEMAP) for url in verdict.sitemaps]
    if not isinstance(verdict, Done):
        return []
    keys = []
    if (redirect := redirect_target(verdict.answer)) is not None:
        keys.append(key_of(redirect, KIND_NUMBERS[verdict.task.kind]))
    if verdict.content is not None:
        keys += [url for url in verdict.content.links.urls if url not in known]
        keys += [key_of(resource.url, UrlKind.RESOURCE) for resource in verdict.content.resources]
    if verdict.sitemap is not None:
        kind = UrlKind.SITEMAP if verdict.sitemap.kind == "index" else UrlKind.PAGE
        keys += [key_of(url, kind) for url in verdict.sitemap.locations]
    return keys


def _texts_of(verdict: Verdict, known: Container[str]) -> list[str]:
    """The texts of a verdict that are interned, as often as they occur; '' may be among them. Of the
    texts of links only those that are not `known`."""
    if not isinstance(verdict, Done | Dead) or verdict.answer is None:
        return []
    texts = [verdict.answer.content_type or ""]
    if isinstance(verdict, Done) and verdict.content is not None:
        links = verdict.content.links
        texts += [text for text in links.texts if text not in known]
        texts += links.rels.values()
        texts += [resource.use for resource in verdict.content.resources]
        if verdict.content.extraction is not None:
            texts += names_of(verdict.content.extraction)
    return texts
