"""Ports: what the rooms may ask of each other, as Protocols.

May touch: messages, stats, msgspec for the shape of values. `stages/` and `storage/` never
import one another; they meet as objects behind these. URL text crosses a port, local row
numbers never do.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeVar

from msgspec import Struct, field

from penstock.crawler.messages import (
    CanonicalUrl,
    Content,
    Failed,
    Fetched,
    FetchTask,
    Hold,
    Kind,
    Message,
    RobotsAnswer,
    Verdict,
)
from penstock.crawler.snapshot import Sample, Snapshot

In = TypeVar("In", contravariant=True)


class Stage(Protocol[In]):
    """One step of the flow. It has never heard of queues, pills, workers or shutdown."""

    @property
    def name(self) -> str: ...
    @property
    def is_last(self) -> bool: ...
    async def handle(self, message: In) -> Sequence[Message]: ...


class Fetcher(Protocol):
    """One way of fetching (a tier). Never raises for what the web does wrong."""

    async def get(self, task: FetchTask) -> Fetched | Failed: ...
    async def close(self) -> None: ...


class Extractor(Protocol):
    """Read one document: bytes in, a value out."""

    def extract(
        self, body: bytes, *, url: CanonicalUrl, charset: str | None = None, nofollow: bool = False
    ) -> Content:
        """Read `body`, whose address is `url`. `charset` is the HTTP header's label, as
        sent; with `nofollow` no link of the page may be followed (X-Robots-Tag)."""
        ...


class ParseMarker(Protocol):
    """Told which URL is being parsed, so that a crash can be laid at its door."""

    def begin(self, url: CanonicalUrl) -> int: ...
    def end(self, mark: int) -> None: ...


class ByteBudget(Protocol):
    """One bound on the bytes of all bodies under way (DESIGN promise 7)."""

    def open(self) -> ByteHold: ...


class ByteHold(Hold, Protocol):
    def try_reserve(self, count: int) -> bool:
        """Take `count` more bytes if they may be had at once."""
        ...

    async def reserve(self, count: int) -> None:
        """Take `count` more bytes; wait until they are free, or until this is the oldest hold."""
        ...

    def resize(self, count: int) -> None:
        """Have `count` bytes from now on, whether there is room or not."""
        ...


class HostGate(Protocol):
    """Told when a host's answer is in: its connection is free for the next URL."""

    def answered(self, message: FetchTask, result: Fetched | Failed) -> None: ...
    def robots_answered(self, host: str) -> None: ...


class Pending(Struct, frozen=True, gc=False):
    """One URL on disk that is to be fetched."""

    url: CanonicalUrl
    host: str
    depth: int
    attempts: int  # settled requests so far
    kind: Kind = "page"
    deferred: bool = False  # it has waited until nothing else was left
    listed: bool = False  # a sitemap names it; told only of the late ones


class SessionPage(NamedTuple):
    """A stored page whose URL may carry a session id."""

    url: CanonicalUrl
    fingerprint: bytes
    depth: int


class HostThrottle(NamedTuple):
    """What outlives a run of a host's throttle."""

    ready_at: float = 0.0  # unix seconds before which it may not be asked
    failures: int = 0  # requests in a row without any answer
    openings: int = 0  # how often it was given a rest meanwhile
    connections: int = 0  # requests that it could have open at once; 0: not known
    rate: float | None = None  # starts a second that it takes; None: it never refused any


class Saved(Struct, frozen=True, kw_only=True, gc=False):
    """What one commit changed, for those who keep count (shared by all verdicts of the commit)."""

    grown: frozenset[str] = frozenset()  # hosts that gained pending URLs
    pending: int = 0  # URLs that became pending
    skipped: int = 0  # URLs that a rule keeps out from now on, less those that it did until now


class Totals(Struct, frozen=True, kw_only=True, gc=False):
    """The crawl's life so far, all runs together, as the database has it."""

    states: Mapping[str, int] = field(default_factory=dict)  # pending, done, failed, skipped
    requests: int = 0
    pages: int = 0  # status 200 without error
    bytes: int = 0
    retries: int = 0
    robots_requests: int = 0
    sitemap_requests: int = 0
    internal_failures: int = 0
    resources: Mapping[str, int] = field(default_factory=dict)  # as `states`; empty: none are known


class VerdictStore(Protocol):
    """What the store stage asks: remember this, durably."""

    async def save(self, verdict: Verdict) -> Saved:
        """Return after the commit that holds the verdict, its links and its frontier rows."""
        ...


class ThrottleSource(Protocol):
    def changed_throttles(self) -> Mapping[str, HostThrottle]:
        """The clocks that changed since the last call, for the commit that comes next."""
        ...


class TelemetrySource(Protocol):
    """What is told of a run beside its pages, for those who watch it from another process."""

    def unwritten(self) -> Sequence[Sample]:
        """The samples since the last call, the newest last."""
        ...

    def snapshot(self) -> Snapshot: ...


class FrontierStore(Protocol):
    """What the in-memory window asks of the frontier on disk. `without`: hosts that do not count."""

    async def pending_hosts(self, *, limit: int, without: Collection[str] = ()) -> Sequence[str]:
        """Names of at most `limit` hosts with pending URLs, in order of discovery."""
        ...

    async def pending(self, host: str, *, limit: int) -> Sequence[Pending]:
        """The first `limit` pending URLs of a host, by depth, then in order of discovery."""
        ...

    async def due(self, *, now: float, limit: int, without: Collection[str] = ()) -> Sequence[Pending]:
        """URLs whose retry time has come, the longest overdue first."""
        ...

    async def next_retry(self, *, after: float, without: Collection[str] = ()) -> float | None:
        """The earliest retry time later than `after` (unix seconds); None or infinity: there is none."""
        ...

    async def deferred(self, *, limit: int, without: Collection[str] = ()) -> Sequence[Pending]:
        """Of the URLs that wait until nothing else is left, those of the least depth."""
        ...

    def session_pages(self, *, least: int, below: int) -> AsyncIterator[Sequence[SessionPage]]:
        """Stored pages of these depths whose URL may carry a session id, some at a time, in no order."""
        ...

    async def count_pages(self, host: str) -> int:
        """How many pages of a host are stored: status 200 without error."""
        ...

    async def unfinished(self) -> bool:
        """True while any URL is pending or waits for a retry."""
        ...

    async def throttle(self, host: str) -> HostThrottle:
        """A host's throttle as the last commit left it."""
        ...

    async def robots(self, origin: str, *, newer_than: float) -> RobotsAnswer | None:
        """The stored robots.txt of an origin, if it was fetched after `newer_than`."""
        ...
