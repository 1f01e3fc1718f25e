"""Messages: what travels between the stages, and the verdicts about URLs.

May touch: msgspec, for the shape of a message; extraction.

A message is one frozen fact. Stages share nothing else, so a message is never changed;
a changed one is a new one (`msgspec.structs.replace`).

A Struct is built in a tenth of the time of a frozen dataclass, and a page takes some ten of
them. `gc=False` keeps it out of the cyclic garbage collector: text and numbers cannot be part of
a reference cycle. A message with a hold stays in: the hold refers to its budget, the budget to
the tasks that wait for it, and such a task may refer to the message.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, NewType, Protocol

from msgspec import Struct, field

from penstock.crawler.extraction import ExtractionResult

CanonicalUrl = NewType("CanonicalUrl", str)
"""The one spelling of a URL that is compared: WHATWG serialisation, no fragment, no userinfo."""


Kind = Literal["page", "sitemap", "resource", "robots"]
"""The purpose of a request. The same URL may have several, each with an answer of its own; the
requests for robots.txt are made by the fetch stage itself."""

REDIRECTS = frozenset({301, 302, 303, 307, 308})
"""The statuses whose Location is the URL to request instead (RFC 9110 section 15.4)."""
MAX_REDIRECTS = 20
"""In a row: what browsers follow (Fetch standard, HTTP-redirect fetch)."""


LOGGED_OUT = "logged_out"
"""The reason of a page that was not fetched because the operator's session has ended."""


class Hold(Protocol):
    """A share of a byte budget, for one body or for what was read in it."""

    def release(self) -> None:
        """Return the share to the budget. Called once the body is no longer needed; twice is harmless."""
        ...


class Jar(Protocol):
    """Cookies that answers set, for the requests that they belong to (`policies.cookie_jar`)."""

    def receive(self, url: CanonicalUrl, lines: Iterable[str], *, now: float) -> None:
        """Keep the cookies in the Set-Cookie headers of the answer of `url`."""
        ...

    def header(self, url: CanonicalUrl, *, now: float) -> str | None:
        """Return the value of the Cookie header of a request; None: no cookie belongs to it."""
        ...


class Handshake(Struct, frozen=True, kw_only=True, gc=False):
    """A private exchange of several requests with a jar of its own, to get one URL past a cookie gate."""

    url: CanonicalUrl  # whose own answer is wanted
    at: CanonicalUrl  # the URL to request next
    before: str | None = None  # why `url` failed without cookies; None: it redirected
    hops: int = 0  # requests of the exchange before this one
    jar: Jar | None = None  # None: the exchange has not begun


class FetchTask(Struct, frozen=True, kw_only=True, gc=False):
    """One URL that the frontier has leased to the fetch stage."""

    url: CanonicalUrl
    kind: Kind = "page"  # the purpose of the request
    host: str  # name and non-default port: the key of the throttle
    depth: int  # link hops from the nearest seed; a seed is 0
    attempt: int = 1  # counts from 1
    tier: str = "plain"  # the fetcher to use: a plug of stages/fetchers
    timeout: float | None = None  # seconds, if less than those of the crawl: others wait for a fetcher
    handshake: Handshake | None = None  # the exchange that the request is part of
    opens: CanonicalUrl | None = None  # request this URL of the origin first, for its cookies


class RobotsTask(Struct, frozen=True, kw_only=True, gc=False):
    """A request for the robots.txt of one origin, before its first page."""

    origin: str  # scheme://host, no trailing slash
    host: str  # name and non-default port: the key of the throttle
    attempt: int = 1  # counts from 1
    timeout: float | None = None  # as in `FetchTask`


class Answer(Struct, frozen=True, kw_only=True, gc=False):
    """The answer of one HTTP exchange, without its body."""

    status: int
    fetched_at: float  # unix seconds, when the request was sent
    elapsed_ms: int  # from the request to the last byte that was read
    latency: float | None = None  # seconds from the request to the status line, connecting not counted
    content_type: str | None = None  # MIME essence, lower case
    charset: str | None = None  # the Content-Type header's label, as sent
    body_bytes: int | None = None  # after content-coding; Content-Length if not downloaded
    content_hash: bytes | None = None  # SHA-256 of the body after content-coding; None if not downloaded
    location: str | None = None  # canonical target of a redirect, any scheme
    retry_after: float | None = None  # seconds, counted from the answer (RFC 9110 section 10.2.3)
    etag: str | None = None  # as sent
    last_modified: str | None = None  # as sent
    robots: str | None = None  # the X-Robots-Tag headers, one a line
    link: str | None = None  # the Link headers, joined by ", " (RFC 9110 section 5.3)
    refresh: str | None = None  # the first Refresh header, as sent
    sets_cookie: bool = False  # some Set-Cookie header was sent
    headers: tuple[tuple[str, str], ...] = ()  # (name, value) as sent; only with --save-bodies
    status_line: str | None = None  # with version and reason, as sent; only with --save-bodies
    request: tuple[tuple[str, str], ...] = ()  # its headers but credentials; only with --save-bodies


class Fetched(Struct, frozen=True, kw_only=True):
    """An answer on its way to the parse stage, with its body if one was downloaded."""

    task: FetchTask
    answer: Answer
    body: bytes | None = None  # content-coding undone
    hold: Hold | None = None  # of the body


class Link(Struct, frozen=True, gc=False):
    """One distinct http(s) target of a page, merged over its mentions there."""

    url: CanonicalUrl
    text: str  # the first non-empty text, white space collapsed; '' if none
    rel: str  # union of the rel tokens, lower case, in order of appearance
    followed: bool  # true if any mention may be followed


class Links(Struct, frozen=True, gc=False, array_like=True):
    """A page's links, distinct by URL and in document order, as columns.

    A page has a hundred links. Columns are sent to another process and matched with their rows in
    half the time of one `Link` each. Iteration builds the `Link`s.
    """

    urls: Sequence[CanonicalUrl] = ()
    texts: Sequence[str] = ()  # one for each URL
    rels: Mapping[int, str] = {}  # by position; only of the links that have one
    nofollow: frozenset[int] = frozenset()  # positions of the links that must not be followed

    @classmethod
    def of(cls, links: Iterable[Link]) -> Links:
        given = list(links)
        return cls(
            urls=[link.url for link in given],
            texts=[link.text for link in given],
            rels={at: link.rel for at, link in enumerate(given) if link.rel},
            nofollow=frozenset(at for at, link in enumerate(given) if not link.followed),
        )

    def part(self, begin: int, end: int) -> Links:
        """Return the links from position `begin` up to, not including, `end`."""
        if begin == 0 and end >= len(self):
            return self
        return Links(
            urls=self.urls[begin:end],
            texts=self.texts[begin:end],
            rels={at - begin: rel for at, rel in self.rels.items() if begin <= at < end},
            nofollow=frozenset(at - begin for at in self.nofollow if begin <= at < end),
        )

    def __len__(self) -> int:
        return len(self.urls)

    def __iter__(self) -> Iterator[Link]:
        for at, (url, text) in enumerate(zip(self.urls, self.texts, strict=True)):
            yield Link(url, text, self.rels.get(at, ""), at not in self.nofollow)


class Resource(Struct, frozen=True, gc=False, array_like=True):
    """A file that a browser loads to show the page; distinct by (url, use) within a page."""

    url: CanonicalUrl
    use: str  # image, script, style, media, icon, font, object or manifest


HEAD_RELS = frozenset({"next", "prev", "previous", "alternate", "amphtml"})
"""What a link element or a Link header leads to besides resources; `previous` is an old word for `prev`."""
FRAME_RELS = frozenset({"frame", "iframe"})
"""The rels under which the documents of frames are recorded."""


class LinkRules(Struct, frozen=True, gc=False, array_like=True):
    """Which links are followed besides those that a browser's user would click on."""

    nofollow: bool = False  # follow links that a page forbids to follow
    head_links: bool = False  # follow next, prev, alternate and amphtml of link elements and Link headers
    frames: bool = False  # follow frames and iframes
    token: str = "penstock"  # the product token by which a meta element may address this crawler; lower case


class Document(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """One response with its body, as a kind of document reads it."""

    url: CanonicalUrl
    body: bytes = b""  # content-coding undone
    content_type: str | None = None  # lower case, without parameters
    charset: str | None = None  # the label of the Content-Type header, as sent
    nofollow: bool = False  # an X-Robots-Tag forbids to follow any link
    status: int = 200
    link: str | None = None  # the Link headers, joined by ", "
    refresh: str | None = None  # the Refresh header, as sent
    headers: tuple[tuple[str, str], ...] = ()  # only if there are plugins, or with --save-bodies
    rules: LinkRules = LinkRules()  # the operator's


class Content(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """What the extractor found in one document."""

    links: Links = field(default_factory=Links)
    title: str | None = None  # None: no title element; '': an empty one
    canonical: str | None = None  # canonical form of link[rel=canonical], or of that in the Link header
    language: str | None = None  # html[lang]; without it body[lang], or meta http-equiv=content-language
    robots: str | None = None  # directives of meta robots, lower case
    other_links: int = 0  # mentions whose scheme is not http(s), or that are no valid URL
    long_links: int = 0  # mentions over the length limit
    extraction: ExtractionResult | None = None  # None: the operator asked for none
    dropped_links: int = 0  # mentions after the page's last allowed target
    moved_to: CanonicalUrl | None = None  # one of the links: a refresh sends the visitor there at once
    resources: Sequence[Resource] = ()  # only with --resources


class Sitemap(Struct, frozen=True, kw_only=True, gc=False):
    """The entries of one sitemap file. With an `error`, all that could be read:

    not_a_sitemap  the file is something else, such as an HTML page; `kind` is None
    empty          the file has no content
    truncated      the file breaks off
    bad_xml        not well-formed: entries before and after the damage are listed; or nested too deeply
    bad_encoding   not in UTF-8, though no other encoding is declared: read as windows-1252
    dtd            the file declares entities or other things of its own
    bad_coding     the file begins like gzip but is not
    too_large      longer than 50 MiB
    too_many       more than 50,000 entries
    """

    kind: str | None = None  # urlset, index, rss, atom or text
    locations: Sequence[CanonicalUrl] = ()  # distinct, in order; those of an index are sitemaps
    lastmods: Sequence[str | None] = ()  # one for each location, as written
    error: str | None = None
    too_long: int = 0  # entries over the length limit
    other: int = 0  # entries without a valid http(s) URL, and those that could not be read


class ParsedPage(Struct, frozen=True, kw_only=True):
    """An answer that is ready to be judged and stored."""

    task: FetchTask
    answer: Answer
    content: Content | None = None  # None: no document of status 2xx that is read
    sitemap: Sitemap | None = None  # of a sitemap task, answered with status 2xx
    fingerprint: bytes | None = None  # only if the URL may carry a session id; see policies.sessions
    body: bytes | None = None  # only with --save-bodies
    holds: Sequence[Hold] = ()  # of the body and of what was read in it


class RobotsAnswer(Struct, frozen=True, kw_only=True, gc=False):
    """The answer to a request for robots.txt, after redirects."""

    task: RobotsTask
    fetched_at: float  # unix seconds
    status: int | None = None  # None: no answer
    url: CanonicalUrl | None = None  # where its redirects ended; None: it did not redirect
    body: bytes = b""  # as far as it is read (RFC 9309 section 2.5)
    sitemaps: Sequence[CanonicalUrl] = ()  # from its Sitemap lines
    refused_sitemaps: int = 0  # of these lines, those that name no URL that can be requested
    error: str | None = None  # a reason, as in `Failed`
    # Each answer on the way, as (URL, answer, body); only with --save-bodies
    exchanges: Sequence[tuple[CanonicalUrl, Answer, bytes]] = ()


class Failed(Struct, frozen=True, kw_only=True, gc=False):
    """A message that one stage could not turn into the next one. Travels like any other message."""

    task: FetchTask | RobotsTask
    stage: str = "fetch"  # its name
    reason: str  # a stable word: timeout, dns, reset, internal:KeyError ...
    answer: Answer | None = None  # if a status line arrived before the failure


class Rejected(Struct, frozen=True, kw_only=True, gc=False):
    """A URL that the frontier does not lease, by a rule that is known only when its turn comes."""

    task: FetchTask
    state: str  # skipped, failed, unsolved, or pending: deferred until nothing else is left
    reason: str  # the rule


Task = FetchTask | RobotsTask
Message = FetchTask | RobotsTask | Fetched | ParsedPage | RobotsAnswer | Failed | Rejected


# Verdicts: the outcome of a URL, as the store stage judges it and storage writes it.


class Done(Struct, frozen=True, kw_only=True, gc=False):
    """Answered for good: a page, a redirect, a file of another type. Fields as in `ParsedPage`."""

    task: FetchTask
    answer: Answer
    content: Content | None = None
    sitemap: Sitemap | None = None
    fingerprint: bytes | None = None
    body: bytes | None = None


class RetryAt(Struct, frozen=True, kw_only=True, gc=False):
    """To be requested again, not before `at`."""

    task: FetchTask
    at: float  # unix seconds; infinity: when nothing else is left to do
    reason: str
    requested: bool = True  # false: it was deferred before any request


class Dead(Struct, frozen=True, kw_only=True, gc=False):
    """Given up: a dead letter with its reason."""

    task: FetchTask
    reason: str
    answer: Answer | None = None
    body: bytes | None = None  # of the answer; only with --save-bodies
    requested: bool = True  # false: it was given up before any request, so it has no row in `pages`


class Skipped(Struct, frozen=True, kw_only=True, gc=False):
    """Rejected by a rule that is known only when its turn comes: robots, trap:session, address."""

    task: FetchTask
    reason: str


class Unsolved(Struct, frozen=True, kw_only=True, gc=False):
    """A handshake did not end at its URL: what was stored of the URL before stays."""

    task: FetchTask  # of that URL; its handshake tells how far the exchange went
    reason: str  # elsewhere, redirect_limit, the rule that forbids a hop, or the failure of one


UrlVerdict = Done | RetryAt | Dead | Skipped | Unsolved
Verdict = UrlVerdict | RobotsAnswer


def is_internal(reason: str | None) -> bool:
    """True for the reason that `penstock.crawler.engine.pool` gives to an unexpected exception."""
    return reason is not None and reason.startswith("internal:")
