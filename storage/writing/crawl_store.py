"""Crawl store: one crawl's file. Check its identity, create or resume it, note its runs, close it.

May touch: all of storage.

A crawl is its identity (seeds, scope, patterns, URL rules): another identity on an existing file is
refused. All else may change from run to run. After a change of depth or robots, the URLs that were
judged under the old value are judged again here, at the start.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec import Struct

from penstock.crawler.errors import BadDatabase, StorageFailed
from penstock.crawler.messages import CanonicalUrl
from penstock.crawler.output.logs import get_logger
from penstock.crawler.ports import Saved, Totals
from penstock.crawler.scheduler.discovery import Admission, Discovery, UrlKind
from penstock.crawler.scheduler.seen import SeenFilter
from penstock.crawler.urls import unsplit
from penstock.storage.database.database import Database
from penstock.storage.writing import statements as sql
from penstock.storage.writing.extraction_statements import FIND_SOURCES
from penstock.storage.writing.extraction_tables import make_search
from penstock.storage.writing.failed_urls import admit_failed
from penstock.storage.writing.frontier_store import SqliteFrontier
from penstock.storage.writing.handshake_table import HandshakePlan
from penstock.storage.writing.interned_strings import InternedStrings
from penstock.storage.writing.parse_marks import ParseMarks, judge_last_run
from penstock.storage.writing.resource_table import add_known_links, count_resources, resume_resources
from penstock.storage.writing.rows import UrlRow, key_of, totals_of
from penstock.storage.writing.sitemap_tables import resume_sitemaps
from penstock.storage.writing.url_table import UrlTable
from penstock.storage.writing.writer import Target, Writer

SEEN_ROWS_AT_ONCE = 2_000  # some 5 ms of filling the seen set between two turns of the event loop
_MOST_SHOWN = 100  # characters of an option in a message

log = get_logger()


class CrawlSettings(Struct, frozen=True, kw_only=True):
    """The part of a configuration that the file stores or needs."""

    identity: Mapping[str, Any]
    seeds: Sequence[CanonicalUrl]
    sitemaps: Sequence[CanonicalUrl] = ()
    robots: bool
    retry_failed: bool
    retries: int = 3  # of one URL, after its first request
    public: Mapping[str, Any]  # for runs.config, without secrets
    durable: bool = False
    search: bool = False  # index the text of pages
    resources: bool = False  # request what pages load
    external: bool = False  # check the links out of scope
    longest_wait: float = 450.0  # seconds; no retry is scheduled further ahead


class OpenRun(Struct, frozen=True, kw_only=True):
    """The parts of storage that one run uses. `start` its writer."""

    id: int
    writer: Writer
    frontier: SqliteFrontier
    admission: Admission  # its scope may widen during the run
    poison_pages: Sequence[CanonicalUrl]  # may have crashed the last run: parse them last, one at a time
    path: Path

    def open_marks(self, parsers: int) -> ParseMarks:
        """Make room for one mark per parser. The marks of an earlier run are removed."""
        return ParseMarks.open(self.path, parsers)

    def clear_marks(self) -> None:
        """Remove the marks of an earlier run; for a run that parses nothing."""
        ParseMarks.clear(self.path)


class CrawlStore:
    """An open crawl. Made by `open`; `begin` a run and work with it, `finish` it, then `close`."""

    def __init__(
        self,
        database: Database,
        *,
        known_urls: int,
        resumed: bool,
        generation: int,
        last_config: Mapping[str, Any] | None = None,
    ) -> None:
        self._database = database
        self._run = 0
        self._generation = generation
        self.known_urls = known_urls  # rows of `url` when it was opened
        self.resumed = resumed
        self.last_config = last_config or {}  # of the run before this one
        self._writer: Writer | None = None

    @classmethod
    async def open(cls, path: Path, settings: CrawlSettings) -> CrawlStore:
        """Raises BadDatabase if the file is another crawl's, another program's, damaged or in use."""
        database = await Database.open(path, durable=settings.durable)
        try:
            crawl = await database.row(sql.FIND_CRAWL)
            if crawl is not None:
                _refuse_other_crawls(path, _stored_facts(path, crawl[0]), settings.identity)
            last_url, _, _ = await database.row(sql.LAST_IDS)
            last_run = await database.row(sql.LAST_CONFIG)
            last_config = _stored_facts(path, last_run[0]) if last_run is not None else None
        except BaseException as error:
            await database.close()
            if isinstance(error, StorageFailed):
                raise BadDatabase(str(error)) from error
            raise
        generation = 1 if crawl is None else crawl[3]
        return cls(
            database,
            known_urls=last_url,
            resumed=crawl is not None,
            generation=generation,
            last_config=last_config,
        )

    async def begin(
        self,
        settings: CrawlSettings,
        admission: Admission,
        seen: SeenFilter,
        *,
        max_batch: int,
        on_commit: Callable[[Saved], None] = lambda saved: None,
    ) -> OpenRun:
        """Create the crawl or adapt it to the present settings, and note the run.

        `max_batch` is the number of callers of the writer. Raises BadDatabase: a file that cannot be
        written is refused before the first request.
        """
        try:
            return await self._begin(settings, admission, seen, max_batch, on_commit)
        except StorageFailed as error:
            raise BadDatabase(str(error)) from error

    async def _begin(
        self,
        settings: CrawlSettings,
        admission: Admission,
        seen: SeenFilter,
        max_batch: int,
        on_commit: Callable[[Saved], None],
    ) -> OpenRun:
        database = self._database
        target = Target(
            database=database,
            urls=UrlTable(database, seen),
            strings=InternedStrings(database),
            admission=admission,
            generation=self._generation,
            external=settings.external,
        )
        url, host, string = await database.row(sql.LAST_IDS)
        target.urls.start_at(url=url + 1, host=host + 1)
        target.strings.start_at(string + 1)
        now = _utc_now()
        poison_pages: list[CanonicalUrl] = []
        async with database.transaction():
            if self.resumed:
                marked = ParseMarks.left_behind(database.path)
                poison_pages = await judge_last_run(database, marked, generation=self._generation)
                await self._adopt(admission, settings)
                for secure, name, path, moves in await database.rows(sql.FIND_MOVES):
                    target.moves[unsplit(secure, name, path)] = moves
                await resume_resources(database, resources=settings.resources, external=settings.external)
                await resume_sitemaps(database, admission, asked=settings.sitemaps)
            else:
                await self._create(admission, settings, now)
            if settings.search:
                await make_search(database)
            await self._plant(target, settings)
            if settings.external and self.resumed:
                await add_known_links(database, target.urls, lambda: Discovery(target.urls, target.admission))
            config = json.dumps(settings.public, sort_keys=True)
            self._run = (await database.row(sql.START_RUN, {"now": now, "config": config}))[0]
        self._writer = Writer(target, run=self._run, max_batch=max_batch, on_commit=on_commit)
        return OpenRun(
            id=self._run,
            writer=self._writer,
            frontier=SqliteFrontier(
                database, HandshakePlan(database, target.urls, self._generation, on_commit)
            ),
            admission=admission,
            poison_pages=poison_pages,
            path=database.path,
        )

    async def _create(self, admission: Admission, settings: CrawlSettings, now: str) -> None:
        horizon = {"depth": admission.horizon.depth, "robots": int(settings.robots), "now": now}
        identity = json.dumps(settings.identity, sort_keys=True)
        await self._database.run(sql.CREATE_CRAWL, {"identity": identity, **horizon})

    async def _plant(self, target: Target, settings: CrawlSettings) -> None:
        """Add the seeds, on the first run, and on any run the sitemaps that the operator names."""
        seeds = [] if self.resumed else settings.seeds
        sitemaps = [key_of(url, UrlKind.SITEMAP) for url in settings.sitemaps]
        await target.urls.remember([], [*seeds, *sitemaps])
        discovery: Discovery[UrlRow] = Discovery(target.urls, target.admission)
        for seed in seeds:
            discovery.add_seed(seed)
        for sitemap in settings.sitemaps:
            discovery.add_sitemap(sitemap)
        await target.urls.write_new(discovery.new, discovery.seeds)
        await target.urls.update(discovery.improved)

    async def _adopt(self, admission: Admission, settings: CrawlSettings) -> None:
        for (url,) in await self._database.rows(sql.FIND_SCOPES):
            admission.widen(CanonicalUrl(url))
        _, old_depth, old_robots, _ = await self._database.row(sql.FIND_CRAWL)
        # A retry that is further ahead than any wait was noted while the clock was wrong.
        latest = {"now": time.time(), "latest": time.time() + settings.longest_wait}
        await self._database.run(sql.ADVANCE_RETRIES, latest)
        await self._database.run(sql.FORGET_ROBOTS_ATTEMPTS)
        depth = admission.horizon.depth
        now = json.loads(json.dumps(settings.public))
        _warn_of_other_rules(self.last_config, now)
        await admit_failed(
            self._database,
            all_of_them=settings.retry_failed,
            depth=depth,
            retries=settings.retries,
            last=self.last_config,
            now=now,
        )
        if old_robots and not settings.robots:
            await self._database.run(sql.ADMIT_PAST_ROBOTS)
        if depth != old_depth:
            hops = admission.horizon.hops
            await self._database.run(sql.ADMIT_WITHIN_DEPTH, {"depth": depth, "hops": hops})
        if depth != old_depth or bool(old_robots) != settings.robots:
            await self._database.run(sql.LIMIT_BEYOND_DEPTH, {"depth": depth})
            await self._database.run(sql.SET_HORIZON, {"depth": depth, "robots": int(settings.robots)})

    async def fill_seen(self, seen: SeenFilter) -> None:
        """Fill the seen set from the table, in chunks; until it ends every answer is "maybe"."""
        after = 0
        while True:
            async with self._database.lock:
                rows = await self._database.rows(sql.URLS_AFTER, {"after": after, "limit": SEEN_ROWS_AT_ONCE})
            if not rows:
                break
            seen.load(
                CanonicalUrl(key_of(unsplit(secure, host, path), kind))
                for _, secure, host, path, kind in rows
            )
            after = rows[-1][0]
        seen.finish_loading()

    async def totals(self) -> Totals:
        """The counts of the whole crawl, from the database."""
        async with self._database.lock:
            return await self._totals()

    async def _totals(self) -> Totals:
        [states] = await self._database.rows(sql.COUNT_STATES)
        [(pages,)] = await self._database.rows(sql.COUNT_PAGES, {"generation": self._generation})
        [runs] = await self._database.rows(sql.SUM_RUNS)
        [(stored,)] = await self._database.rows(sql.HAS_STORED_PAGE)
        resources = await count_resources(self._database)
        sources = await self._database.rows(FIND_SOURCES)
        return totals_of(states, pages, runs, resources, stored=bool(stored), sources=sources)

    async def finish(self, reason: str, rss_bytes: int, *, wait_for_lock: bool = True) -> None:
        """Commit the verdicts that wait, and note how the run ended.

        With `wait_for_lock` False, fail at once if another program holds the write lock.
        """
        await self._settle()
        if not wait_for_lock:
            await self._database.run("PRAGMA busy_timeout = 500")
        params = {"run": self._run, "now": _utc_now(), "reason": reason, "rss": rss_bytes}
        async with self._database.transaction():
            await self._database.run(sql.FINISH_RUN, params)

    async def close(self) -> None:
        """Commit the verdicts that wait, then close the file."""
        try:
            await self._settle()
        finally:
            await self._database.close()

    async def _settle(self) -> None:
        if self._writer is not None:
            writer, self._writer = self._writer, None
            await writer.close()


def _utc_now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _warn_of_other_rules(last: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Warn if this run would take other values of a page than the run before it."""
    changed = [
        name
        for name in ("select", "structured", "plugins")
        if (last.get(name) or None) != (now.get(name) or None)
    ]
    if last and changed:
        log.warning(
            "rules_changed",
            options=", ".join(changed),
            reason="pages that are stored keep the values that the earlier rules took",
            hint="take the values again with reparse (needs --save-bodies), or crawl into another --db",
        )


def _stored_facts(path: Path, text: str | None) -> dict[str, Any]:
    """Parse a JSON object that an earlier run stored. Raises BadDatabase if it is damaged."""
    try:
        facts = json.loads(text or "")
    except ValueError:
        facts = None
    if not isinstance(facts, dict):
        raise BadDatabase(
            f"{path} is damaged: the seeds and rules of its crawl cannot be read; "
            "restore a copy, or choose another --db"
        )
    return facts


def _refuse_other_crawls(path: Path, stored: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    asked = json.loads(json.dumps(asked))
    # An option that one of them does not name is off, as it was before the option existed.
    different = [key for key in {**asked, **stored} if (stored.get(key) or None) != (asked.get(key) or None)]
    if different:
        key, verb = (
            different[0],
            "differs" if len(different) == 1 and not different[0].endswith("s") else "differ",
        )
        raise BadDatabase(
            f"{path} holds another crawl: its {', '.join(different)} {verb} "
            f"({key} there: {_shown(stored.get(key))}, here: {_shown(asked.get(key))}); "
            "choose another --db, or give the same options"
        )


def _shown(value: object) -> str:
    """An option in a message. There may be a million seeds."""
    text = json.dumps(value)
    return "none" if not value else text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."
