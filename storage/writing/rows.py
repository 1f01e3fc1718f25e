"""Rows: one row of `url` in memory, and the bounded cache of such rows.

May touch: messages, policies, ports, msgspec for the shape of a row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar, cast

from msgspec import Struct

from penstock.crawler.extraction import SourceTally
from penstock.crawler.messages import CanonicalUrl, Kind
from penstock.crawler.policies.reach import Reach
from penstock.crawler.ports import Totals
from penstock.crawler.scheduler.discovery import UrlKind, UrlState

OVERSIZED = 256  # characters; longer keys are dropped after their batch: a hostile site may have only such

K = TypeVar("K")
V = TypeVar("V")


KIND_NUMBERS: Mapping[Kind, UrlKind] = {
    "page": UrlKind.PAGE,
    "sitemap": UrlKind.SITEMAP,
    "resource": UrlKind.RESOURCE,
}
KIND_NAMES: Mapping[int, Kind] = {number: name for name, number in KIND_NUMBERS.items()}

Key = str
"""Cache key of a row: a page's URL; any other kind's key has a prefix that no URL has."""


def key_of(url: CanonicalUrl, kind: UrlKind | int = UrlKind.PAGE) -> Key:
    return url if kind == UrlKind.PAGE else f"{KIND_NAMES[kind]} {url}"


def split_key(key: Key) -> tuple[CanonicalUrl, UrlKind]:
    kind, blank, url = key.partition(" ")  # no canonical URL has a blank
    return (CanonicalUrl(url), KIND_NUMBERS[cast(Kind, kind)]) if blank else (CanonicalUrl(key), UrlKind.PAGE)


class UrlRow(Struct, eq=False, gc=False):
    """One row of `url` as it will be after the current commit. Implements `KnownUrl`.

    `gc=False`: a hundred thousand rows are kept, none of them can be part of a reference cycle, and a
    garbage collection that looked at all of them would block the event loop for 0.1 s.
    """

    id: int
    url: CanonicalUrl
    depth: int
    hops: int
    followed: bool
    listed: bool
    run: int
    state: int
    reason: str | None
    kind: UrlKind = UrlKind.PAGE

    def __repr__(self) -> str:
        return f"<UrlRow {self.id} {self.url} depth={self.depth} state={UrlState(self.state).name}>"

    @property
    def reach(self) -> Reach:
        return Reach(self.depth, self.hops, self.followed, self.listed, self.run)


class TwoGenerations(Generic[K, V]):
    """A bounded cache in two generations: a full `recent` replaces the previous one, which is dropped.

    An entry that is used again moves to `recent`. A hot loop may read `recent` directly after it
    called `missing` with all its keys: only `evict` drops entries.
    """

    __slots__ = ("_limit", "_previous", "recent")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.recent: dict[K, V] = {}
        self._previous: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        value = self.recent.get(key)
        if value is None and (value := self._previous.pop(key, None)) is not None:
            self.recent[key] = value
        return value

    def missing(self, keys: Iterable[K]) -> list[K]:
        """The keys that are in neither generation, each once. The others move to `recent`."""
        recent = self.recent
        unknown = [key for key in dict.fromkeys(keys) if key not in recent]
        return [key for key in unknown if self.get(key) is None] if self._previous else unknown

    def evict(self, oversized: Iterable[K] = ()) -> bool:
        """Between batches: drop the oldest entries, and `oversized` keys of any age. True if
        anything was dropped."""
        sizes = len(self.recent), len(self._previous)
        for key in oversized:
            self.recent.pop(key, None)
        dropped = len(self.recent) < sizes[0]
        if len(self.recent) > self._limit:
            dropped = dropped or sizes[1] > 0
            self._previous, self.recent = self.recent, {}
            # Only one batch can bring much more than the limit. Its entries are the newest and go first.
            while len(self._previous) > self._limit + self._limit // 4:
                self._previous.popitem()
                dropped = True
        return dropped


def totals_of(
    states: Sequence[int],
    pages: int,
    runs: Sequence[int],
    resources: Mapping[str, int] | None = None,
    *,
    stored: bool,
    sources: Sequence[Sequence[Any]] = (),
) -> Totals:
    """The results of COUNT_STATES, COUNT_PAGES, SUM_RUNS, HAS_STORED_PAGE and FIND_SOURCES as one value."""
    pending, done, failed, skipped, internal = states
    requests, _, size, retries, robots, sitemaps = runs
    return Totals(
        states={"pending": pending, "done": done, "failed": failed, "skipped": skipped},
        requests=requests,
        pages=pages,
        bytes=size,
        retries=retries,
        robots_requests=robots,
        sitemap_requests=sitemaps,
        internal_failures=internal,
        stored=stored,
        resources=resources or {},
        sources=[SourceTally(*row) for row in sources],
    )
