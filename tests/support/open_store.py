"""Open store: a crawl's file that is open for a run, and its tables without row numbers, for comparison."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from penstock.crawler.messages import CanonicalUrl, Verdict
from penstock.crawler.policies.reach import Horizon
from penstock.crawler.policies.scope import Scope
from penstock.crawler.policies.traps import Traps
from penstock.crawler.ports import Saved, TelemetrySource, ThrottleSource
from penstock.crawler.scheduler.discovery import Admission
from penstock.crawler.scheduler.seen import SeenFilter
from penstock.storage.writing.crawl_store import CrawlSettings, CrawlStore, OpenRun

SEED = "http://h/"

URLS = """
    SELECT (CASE secure WHEN 1 THEN 'https://' ELSE 'http://' END) || host.name || path,
           depth, hops, followed, listed, run, seed, state, reason
    FROM url JOIN host ON host.id = host_id WHERE kind = 0 ORDER BY 1
"""
LINKS = "SELECT source, target, text, rel, followed FROM links ORDER BY 1, 2"
PAGES = "SELECT url, status, redirect_to, error FROM pages ORDER BY 1"


class AlwaysMaybe(SeenFilter):
    """A Bloom filter at its worst: every answer is wrong but for "maybe"."""

    def probe(self, url: CanonicalUrl) -> bool:
        super().probe(url)
        return True


def use_equal_digests(patch: pytest.MonkeyPatch) -> None:
    """From now on all texts have the same digest."""
    for where in ("database.digests", "reading.uses", "writing.parse_marks", "writing.url_table"):
        patch.setattr(f"penstock.storage.{where}.digest_of_path", lambda path: 0)
    for where in ("database.digests", "writing.interned_strings"):
        patch.setattr(f"penstock.storage.{where}.digest_of_text", lambda text: 0)


def settings(
    *seeds: str,
    sitemaps: Sequence[str] = (),
    robots: bool = True,
    retry_failed: bool = False,
    durable: bool = False,
    **identity: object,
) -> CrawlSettings:
    return CrawlSettings(
        identity={"seeds": sorted(seeds), **identity},
        seeds=[CanonicalUrl(seed) for seed in seeds],
        sitemaps=[CanonicalUrl(sitemap) for sitemap in sitemaps],
        robots=robots,
        retry_failed=retry_failed,
        public={"seeds": list(seeds)},
        durable=durable,
    )


def admission(
    *seeds: str, kind: str = "any", depth: int | None = None, hops: int = 20, traps: Traps | None = None
) -> Admission:
    scope = Scope(kind, [CanonicalUrl(seed) for seed in seeds], registrable=registrable)
    return Admission(scope, Horizon(depth=depth, hops=hops), traps)


def registrable(host: str) -> str | None:
    """The last two labels; enough for names that a test makes up."""
    return ".".join(host.split(".")[-2:]) if "." in host else None


@dataclass(slots=True)
class Stored:
    """One run on a file. What is saved together is one transaction."""

    store: CrawlStore
    run: OpenRun

    async def save(self, *verdicts: Verdict) -> Saved:
        """Save them all in one commit."""
        saved = await asyncio.gather(*map(self.run.writer.save, verdicts))
        assert all(one is saved[0] for one in saved)
        return saved[0]

    async def pending(self, host: str = "h") -> list[str]:
        return [found.url for found in await self.run.frontier.pending(host, limit=10_000)]


@asynccontextmanager
async def stored(
    path: Path,
    *seeds: str,
    kind: str = "any",
    depth: int | None = None,
    hops: int = 20,
    traps: Traps | None = None,
    sitemaps: Sequence[str] = (),
    seen: SeenFilter | None = None,
    max_batch: int = 1,
    on_commit: Callable[[Saved], None] = lambda saved: None,
    robots: bool = True,
    retry_failed: bool = False,
    clocks: ThrottleSource | None = None,
    telemetry: TelemetrySource | None = None,
    end: str | None = "finished",
) -> AsyncIterator[Stored]:
    """Open a file and begin a run. `max_batch` of 1 lets nothing wait for others, but what comes
    at the same moment is committed together all the same."""
    seeds = seeds or (SEED,)
    chosen = settings(*seeds, sitemaps=sitemaps, robots=robots, retry_failed=retry_failed)
    store = await CrawlStore.open(path, chosen)
    try:
        door = admission(*seeds, kind=kind, depth=depth, hops=hops, traps=traps)
        filter_ = seen if seen is not None else SeenFilter(loaded=not store.known_urls)
        run = await store.begin(chosen, door, filter_, max_batch=max_batch, on_commit=on_commit)
        run.writer.start(clocks=clocks, telemetry=telemetry)
        await store.fill_seen(filter_)
        yield Stored(store, run)
        if end is not None:
            await store.finish(end, 0)
    finally:
        await store.close()


def rows(path: Path, query: str, params: Sequence[object] = ()) -> list[tuple[Any, ...]]:
    """Read a file as another program would."""
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute(query, params).fetchall()


def states(path: Path) -> dict[str, tuple[str, str | None]]:
    """Every URL's state and reason."""
    return {url: (state, reason) for url, state, reason in rows(path, "SELECT url, state, reason FROM urls")}


def depths(path: Path) -> dict[str, int]:
    return dict(rows(path, "SELECT url, depth FROM urls"))
