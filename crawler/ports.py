"""Ports: the interfaces between the rooms, as Protocols, and the values that cross them.

May touch: messages, snapshot, msgspec for the shape of values. `stages/` and `storage/` never
import one another; they meet as objects behind these. URLs cross a port as text, never as the
row numbers of a database.

A docstring names what its method raises. What the web does wrong is never an exception. Any method
that reads or writes the crawl's file may raise StorageFailed, which ends the run.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeVar

from msgspec import Struct, field

from penstock.crawler.extraction import SourceTally
from penstock.crawler.messages import (
    CanonicalUrl,
    Content,
    Failed,
    Fetched,
    FetchTask,
    Handshake,
    Hold,
    Kind,
    Message,
    RobotsAnswer,
    Verdict,
)
from penstock.crawler.snapshot import Sample, Snapshot

In = TypeVar("In", contravariant=True)


class Stage(Protocol[In]):
    """One step of the flow. It knows nothing of queues, pills, workers or shutdown."""

    @property
    def name(self) -> str:
        """The key of the stage in `engine.ROUTES`, in figures and in logs."""
        ...

    @property
    def is_last(self) -> bool:
        """True if no stage follows: an exception of `handle` then ends the run."""
        ...

    async def handle(self, message: In) -> Sequence[Message]:
        """Return the messages that follow from one message, in order.

        An exception becomes the message's failure (`internal:TYPE`), except in the last stage.
        """
        ...


class Fetcher(Protocol):
    """One way of fetching (a tier)."""

    async def get(self, task: FetchTask) -> Fetched | Failed:
        """Request one URL. Redirects are not followed; what the web does wrong is a `Failed`."""
        ...

    async def close(self) -> None:
        """Close all connections. Nothing is requested after that."""
        ...


class Extractor(Protocol):
    """Read one document: bytes in, a value out."""

    def extract(
        self, body: bytes, *, url: CanonicalUrl, charset: str | None = None, nofollow: bool = False
    ) -> Content:
        """Read `body`, the whole document at `url`.

        `charset` is the label of the Content-Type header, as sent. With `nofollow` no link of the
        page may be followed (X-Robots-Tag).
        """
        ...


class ParseMarker(Protocol):
    """Notes which URL is being parsed where a crash does not erase it, so that the next run can tell."""

    def begin(self, url: CanonicalUrl) -> int:
        """Note that `url` is being parsed. Returns the mark to end."""
        ...

    def end(self, mark: int) -> None:
        """The document of this mark is parsed, or its process has ended."""
        ...


class ByteBudget(Protocol):
    """One bound on the bytes of all bodies that are downloaded, queued and parsed."""

    def open(self) -> ByteHold:
        """Return a hold of 0 bytes for one body. Its age counts from now."""
        ...


class ByteHold(Hold, Protocol):
    """The share of one body."""

    def try_reserve(self, count: int) -> bool:
        """Take `count` more bytes if they are free now. False: nothing was taken."""
        ...

    async def reserve(self, count: int) -> None:
        """Take `count` more bytes; wait until they are free, or until this is the oldest hold."""
        ...

    def resize(self, count: int) -> None:
        """Hold exactly `count` bytes from now on, even beyond the bound."""
        ...


class HostGate(Protocol):
    """Learns when a request to a host has ended: its connection is free for the next URL."""

    def answered(self, message: FetchTask, result: Fetched | Failed) -> None:
        """The request of a leased task has ended, before its page is parsed or stored."""
        ...

    def robots_answered(self, host: str) -> None:
        """The request for a robots.txt of `host` has ended."""
        ...

    def continue_handshake(self, message: FetchTask, result: Fetched | Failed) -> Sequence[Message]:
        """Called after `answered` for a request of a handshake. Return what follows in the flow; nothing
        while the exchange goes on with another request."""
        ...


class Pending(Struct, frozen=True, gc=False):
    """One URL on disk that is to be fetched."""

    url: CanonicalUrl
    host: str  # name and non-default port
    depth: int  # link hops from the nearest seed
    attempts: int  # settled requests so far
    kind: Kind = "page"
    deferred: bool = False  # it has waited until nothing else was left
    listed: bool = False  # a sitemap names it; only known of deferred URLs
    handshake: Handshake | None = None  # `host` is that of the URL to request next, then


class SessionPage(NamedTuple):
    """A stored page whose URL may carry a session id."""

    url: CanonicalUrl
    fingerprint: bytes  # equal for pages with equal content; see policies.sessions
    depth: int  # link hops from the nearest seed


class HostThrottle(NamedTuple):
    """The state of one host's throttle that is kept from run to run."""

    ready_at: float = 0.0  # unix seconds before which the host may not be asked
    failures: int = 0  # consecutive requests without any answer
    openings: int = 0  # how often its circuit breaker opened meanwhile
    connections: int = 0  # requests that it may have open at once; 0: not known
    rate: float | None = None  # starts a second that it accepts; None: it never answered with 429


class WaitingHost(NamedTuple):
    """A host with pending URLs on disk."""

    name: str  # and non-default port
    throttle: HostThrottle  # as the last commit left it


class LoadedHost(NamedTuple):
    """What a host needs to enter the window in memory."""

    urls: Sequence[Pending]  # the first ones, by depth, then in order of discovery
    robots: Mapping[str, RobotsAnswer | None]  # by origin of these URLs; None: not known, or too old


class Saved(Struct, frozen=True, kw_only=True, gc=False):
    """What one commit changed. `save` returns the same object for all verdicts of one commit."""

    grown: frozenset[str] = frozenset()  # hosts that gained pending URLs
    pending: int = 0  # URLs that became pending
    skipped: int = 0  # URLs that became skipped, less those that no longer are


class Totals(Struct, frozen=True, kw_only=True, gc=False):
    """Counts of all runs of a crawl together, as the database has them."""

    states: Mapping[str, int] = field(default_factory=dict)  # URLs: pending, done, failed, skipped
    requests: int = 0  # answers and failures, robots.txt and sitemaps apart
    pages: int = 0  # status 200 without error
    bytes: int = 0  # of downloaded bodies, after content-coding
    retries: int = 0  # failed requests after which the URL was to be requested again
    robots_requests: int = 0
    sitemap_requests: int = 0
    internal_failures: int = 0
    stored: bool = True  # at least one page is: status 2xx but 204 and 205, without error
    resources: Mapping[str, int] = field(default_factory=dict)  # as `states`; empty: none are known
    sources: Sequence[SourceTally] = ()  # rules and plugins that were applied to a page


class VerdictStore(Protocol):
    """Writes verdicts, durably."""

    async def save(self, verdict: Verdict) -> Saved:
        """Return after the commit that holds the verdict, its links and its frontier rows.

        Raises StorageFailed if the commit failed, and from then on for every verdict.
        """
        ...


class ThrottleSource(Protocol):
    """Knows the hosts' throttles, which are written with the pages."""

    def changed_throttles(self) -> Mapping[str, HostThrottle]:
        """Return the throttles that changed since the last call, by host, for the next commit."""
        ...


class TelemetrySource(Protocol):
    """Knows how the run stands, which is written with the pages for other processes to show."""

    def unwritten(self) -> Sequence[Sample]:
        """Return the samples since the last call, the newest last."""
        ...

    def snapshot(self) -> Snapshot:
        """Return how the run stands now."""
        ...


class FrontierStore(Protocol):
    """The frontier on disk, as the window in memory reads it.

    Every answer includes all commits before the call. `without`: hosts to leave out.
    """

    async def waiting_hosts(self, *, after: str | None, limit: int) -> Sequence[WaitingHost]:
        """Return at most `limit` hosts with pending URLs, in order of discovery, those `after` a host."""
        ...

    async def load_hosts(
        self, hosts: Sequence[str], *, limit: int, newer_than: float
    ) -> Mapping[str, LoadedHost]:
        """Return the first `limit` pending URLs of each host that has some, and its robots.txt files
        that were fetched after `newer_than` (unix seconds). A large robots.txt may be left out."""
        ...

    async def pending(self, host: str, *, limit: int) -> Sequence[Pending]:
        """Return the first `limit` pending URLs of a host, by depth, then in order of discovery."""
        ...

    async def due(self, *, now: float, limit: int, without: Collection[str] = ()) -> Sequence[Pending]:
        """Return URLs whose retry time has come at `now` (unix seconds), the longest overdue first."""
        ...

    async def next_retry(self, *, after: float, without: Collection[str] = ()) -> float | None:
        """Return the earliest retry time later than `after` (unix seconds); None or infinity: none."""
        ...

    async def deferred(self, *, limit: int, without: Collection[str] = ()) -> Sequence[Pending]:
        """Return the deferred URLs (`RetryAt` at infinity) of the least depth, at most `limit`."""
        ...

    def session_pages(self, *, least: int, below: int) -> AsyncIterator[Sequence[SessionPage]]:
        """Return the stored pages with `least` <= depth < `below` whose URL may carry a session id.

        In batches, in no order.
        """
        ...

    async def count_pages(self, host: str) -> int:
        """Return how many pages of a host are stored: status 200 without error."""
        ...

    async def plan_handshakes(self) -> bool:
        """Find the URLs that stand behind a cookie gate and defer each to one handshake; True if there are
        new ones. Only right when nothing else is left to do: then they depend on no order.
        """
        ...

    async def unfinished(self) -> bool:
        """True while any URL is pending or waits for a retry. Plans the handshakes if there is none."""
        ...

    async def throttle(self, host: str) -> HostThrottle:
        """Return a host's throttle as the last commit left it; all defaults if the host is unknown."""
        ...

    async def robots(self, site: str, *, newer_than: float) -> RobotsAnswer | None:
        """Return the stored robots.txt of an origin if it was fetched after `newer_than` (unix seconds)."""
        ...
