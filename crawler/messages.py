"""Messages: what travels between the stages, and the words they share.

May touch: msgspec, for the shape of a message; extraction.

A message is one frozen fact. Stages share nothing else, so nothing here may be
changed after it was made; a changed message is a new one (`msgspec.structs.replace`).

A Struct is made in a tenth of a frozen dataclass's time or less, and a page is some ten of
them and its links. `gc=False`: no search for circles looks at it, because none can pass
through what is made of text, numbers and the like. What carries a hold is searched: a
budget knows who waits for it, and who waits may know the message.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, NewType, Protocol

from msgspec import Struct, field

from penstock.crawler.extraction import ExtractionResult

CanonicalUrl = NewType("CanonicalUrl", str)
"""The one spelling of a URL that we compare: WHATWG serialisation, no fragment, no userinfo."""


Kind = Literal["page", "sitemap", "resource", "robots"]
"""The purpose of a request. The same URL may have several, each with an answer of its own; the
requests for robots.txt are made by the fetch stage itself."""

REDIRECTS = frozenset({301, 302, 303, 307, 308})
"""The statuses whose Location is another URL to ask for (RFC 9110 section 15.4)."""


class Hold(Protocol):
    """A share of a byte budget; whoever drops what it stands for releases it, once."""

    def release(self) -> None: ...


class FetchTask(Struct, frozen=True, kw_only=True, gc=False):
    """One URL that the frontier has leased to the fetch stage."""

    url: CanonicalUrl
    kind: Kind = "page"
    host: str  # name and non-default port: the throttle's key
    depth: int  # link hops from the nearest seed; a seed is 0
    attempt: int = 1  # counts from 1
    tier: str = "plain"  # the way of fetching: a file in stages/fetchers/


class RobotsTask(Struct, frozen=True, kw_only=True, gc=False):
    """Ask one origin for its robots.txt, before its first page."""

    origin: str  # scheme://host, no trailing slash
    host: str
    attempt: int = 1


class Answer(Struct, frozen=True, kw_only=True, gc=False):
    """What one HTTP exchange said: everything but the body."""

    status: int
    fetched_at: float  # unix seconds, when the request was sent
    elapsed_ms: int  # from the request to the last byte that was wanted
    latency: float | None = None  # seconds from the request to the status line, connecting not counted
    content_type: str | None = None  # MIME essence, lower case
    charset: str | None = None  # the Content-Type header's label, as sent
    body_bytes: int | None = None  # after content-coding; Content-Length if not downloaded
    content_hash: bytes | None = None  # SHA-256 of the body after content-coding
    location: str | None = None  # canonical target of a redirect, any scheme
    retry_after: float | None = None  # seconds
    etag: str | None = None
    last_modified: str | None = None
    robots: str | None = None  # X-Robots-Tag, each header line a line
    headers: tuple[tuple[str, str], ...] = ()  # only with --save-bodies


class Fetched(Struct, frozen=True, kw_only=True):
    """An answer on its way to the parser, with its body where one was wanted."""

    task: FetchTask
    answer: Answer
    body: bytes | None = None  # content-coding undone
    hold: Hold | None = None


class Link(Struct, frozen=True, gc=False):
    """One distinct http(s) target of a page, merged over its mentions there."""

    url: CanonicalUrl
    text: str  # the first non-empty text, white space collapsed; '' if none
    rel: str  # union of the rel tokens, lower case, in order of appearance
    followed: bool  # true if any mention may be followed


class Links(Struct, frozen=True, gc=False, array_like=True):
    """A page's links, distinct by URL and in document order, in columns.

    A page has a hundred, which in columns travel, and find their rows, in half the time that
    a value for each takes. To iterate makes those values.
    """

    urls: Sequence[CanonicalUrl] = ()
    texts: Sequence[str] = ()  # of each URL
    rels: Mapping[int, str] = {}  # by position, of the few that have one
    barred: frozenset[int] = frozenset()  # the positions of those that no mention allows to follow

    @classmethod
    def of(cls, links: Iterable[Link]) -> Links:
        given = list(links)
        return cls(
            urls=[link.url for link in given],
            texts=[link.text for link in given],
            rels={at: link.rel for at, link in enumerate(given) if link.rel},
            barred=frozenset(at for at, link in enumerate(given) if not link.followed),
        )

    def part(self, begin: int, end: int) -> Links:
        """Those from position `begin` to before `end`."""
        if begin == 0 and end >= len(self):
            return self
        return Links(
            urls=self.urls[begin:end],
            texts=self.texts[begin:end],
            rels={at - begin: rel for at, rel in self.rels.items() if begin <= at < end},
            barred=frozenset(at - begin for at in self.barred if begin <= at < end),
        )

    def __len__(self) -> int:
        return len(self.urls)

    def __iter__(self) -> Iterator[Link]:
        for at, (url, text) in enumerate(zip(self.urls, self.texts, strict=True)):
            yield Link(url, text, self.rels.get(at, ""), at not in self.barred)


class Resource(Struct, frozen=True, gc=False, array_like=True):
    """What a browser loads to show the page; one of a page's distinct (url, use)."""

    url: CanonicalUrl
    use: str  # image, script, style, media, icon or font


class Content(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """What the extractor read in one HTML document."""

    links: Links = field(default_factory=Links)
    title: str | None = None  # None: no title element; '': an empty one
    canonical: str | None = None  # canonical form of link[rel=canonical]
    language: str | None = None  # html[lang]
    robots: str | None = None  # directives of meta robots, lower case
    other_links: int = 0  # mentions with a scheme that is not http(s), or no valid URL
    long_links: int = 0  # mentions over the length limit
    extraction: ExtractionResult | None = None  # None: nothing of the kind is wanted
    dropped_links: int = 0  # mentions behind the last target that a page may have
    resources: Sequence[Resource] = ()  # only with --resources


class Sitemap(Struct, frozen=True, kw_only=True, gc=False):
    """What one file listed. With an `error`, that is what came before it:

    not_a_sitemap  it is something else, such as an HTML page; there is no `kind` then
    empty          it has nothing in it
    truncated      it broke off
    bad_xml        it is not well-formed, or nested or built beyond all measure
    dtd            it declares things of its own, such as entities
    bad_coding     it is no gzip file, though it begins like one
    too_large      it is longer than 50 MiB
    too_many       it has more than 50,000 entries
    """

    kind: str | None = None  # urlset, index, rss, atom or text
    locations: Sequence[CanonicalUrl] = ()  # distinct, in order; of an index, sitemaps
    lastmods: Sequence[str | None] = ()  # of each location, as written
    error: str | None = None
    too_long: int = 0  # entries over the length limit
    other: int = 0  # entries without a valid http(s) URL


class ParsedPage(Struct, frozen=True, kw_only=True):
    """An answer that is ready to be judged and stored."""

    task: FetchTask
    answer: Answer
    content: Content | None = None  # None: not an HTML page of status 200
    sitemap: Sitemap | None = None  # of a sitemap task, answered with status 200
    fingerprint: bytes | None = None  # where the URL may carry a session id; see policies.sessions
    body: bytes | None = None  # only with --save-bodies
    holds: Sequence[Hold] = ()  # of the body and of what was read in it


class RobotsAnswer(Struct, frozen=True, kw_only=True, gc=False):
    """What an origin said of its robots.txt, redirects followed."""

    task: RobotsTask
    fetched_at: float
    status: int | None = None  # None: no answer
    body: bytes = b""
    sitemaps: Sequence[CanonicalUrl] = ()  # what its Sitemap lines name
    error: str | None = None


class Failed(Struct, frozen=True, kw_only=True, gc=False):
    """A message that one stage could not turn into the next one."""

    task: FetchTask | RobotsTask
    stage: str
    reason: str  # a stable word: timeout, dns, reset, internal:KeyError ...
    answer: Answer | None = None  # what had arrived before it failed


class Rejected(Struct, frozen=True, kw_only=True, gc=False):
    """A URL the frontier may not ask for; its rule is the reason."""

    task: FetchTask
    state: str  # skipped, failed, or pending: its turn comes when nothing else is left
    reason: str


Task = FetchTask | RobotsTask
Message = FetchTask | RobotsTask | Fetched | ParsedPage | RobotsAnswer | Failed | Rejected


# Verdicts: what became of a URL. The store stage judges, storage remembers.


class Done(Struct, frozen=True, kw_only=True, gc=False):
    """Answered for good: a page, a redirect, a file of another type."""

    task: FetchTask
    answer: Answer
    content: Content | None = None
    sitemap: Sitemap | None = None
    fingerprint: bytes | None = None
    body: bytes | None = None


class RetryAt(Struct, frozen=True, kw_only=True, gc=False):
    """To be asked again, not before `at`."""

    task: FetchTask
    at: float  # unix seconds; infinity: when nothing else is left to do
    reason: str
    requested: bool = True  # false: its turn was put off before any request


class Dead(Struct, frozen=True, kw_only=True, gc=False):
    """Given up: a dead letter with its reason."""

    task: FetchTask
    reason: str
    answer: Answer | None = None
    requested: bool = True  # false: it was given up before any request, so it is no page


class Skipped(Struct, frozen=True, kw_only=True, gc=False):
    """Turned away by a rule that needed the host's word (robots)."""

    task: FetchTask
    reason: str


Verdict = Done | RetryAt | Dead | Skipped | RobotsAnswer


def is_internal(reason: str | None) -> bool:
    """True for the reason of a failure that was a bug of ours (`penstock.crawler.engine.pool` names it)."""
    return reason is not None and reason.startswith("internal:")
