"""Events: typed messages to the program that follows a running crawl, each after its commit.

May touch: messages, the extractors' text tools (to decode a body when a program asks for it).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from msgspec import Struct

from penstock.crawler.messages import Answer, Content, Dead, Done, FetchTask, Link, RetryAt, Skipped, Verdict
from penstock.crawler.run_result import Report


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StoredPage:
    """One row of the table `pages`: a URL that was requested, and its answer.

    A page without `error` was answered. With `redirect_to` the answer is a redirect. A failed
    URL has an `error`, and its `status` is None if no answer arrived.
    """

    url: str  # canonical
    status: int | None
    depth: int  # link hops from the nearest seed, as known when the page was requested
    title: str | None = None  # None: there is no title element
    content_type: str | None = None  # without parameters, lower case
    body_bytes: int | None = None  # after content-coding
    elapsed_ms: int | None = None  # from the request to the last byte
    fetched_at: datetime | None = None  # when the request was sent, UTC
    content_hash: str | None = None  # SHA-256 of the body, hexadecimal
    redirect_to: str | None = None  # canonical target of a redirect
    error: str | None = None  # why the URL failed: http_404, timeout, dns ...
    body: bytes | None = field(default=None, repr=False)  # only where bodies were asked for
    _charset: str | None = field(default=None, repr=False)
    _links: Callable[[], Sequence[Link]] = field(default=tuple, repr=False)
    _values: Callable[[], Mapping[str, Sequence[object]]] = field(default=dict, repr=False)

    @property
    def links(self) -> Sequence[Link]:
        """The distinct http(s) links of the page in document order, followed or not."""
        return self._links()

    @property
    def values(self) -> Mapping[str, Sequence[object]]:
        """What rules and plugins took from the page: name to all values of that name, in order."""
        return self._values()

    @property
    def html(self) -> str | None:
        """The body as text, decoded as a browser would; None unless bodies were asked for."""
        if self.body is None:
            return None
        from penstock.stages.extractors.text.charset import sniff, to_utf8

        return to_utf8(self.body, sniff(self.body, self._charset)).decode("utf-8", "replace")


class PageStored(Struct, frozen=True):
    """A page or a redirect was answered and is stored."""

    page: StoredPage


class UrlFailed(Struct, frozen=True):
    """A URL was given up, after its last attempt."""

    page: StoredPage  # its `error` is the reason

    @property
    def url(self) -> str:
        return self.page.url

    @property
    def reason(self) -> str:
        return self.page.error or ""


class UrlSkipped(Struct, frozen=True):
    """A URL that was about to be requested was not, by a rule: robots, address.

    URLs that are skipped when they are discovered (scope, depth, a pattern) cause no event.
    They are rows of the table `urls`.
    """

    url: str
    reason: str


class RetryScheduled(Struct, frozen=True):
    """A request failed and is going to be repeated."""

    url: str
    reason: str
    at: datetime | None  # not before this time (UTC); None: after everything else


class RunEnded(Struct, frozen=True):
    """The run has ended and its file is closed. It is the last event, unless the run ends with an error."""

    report: Report


CrawlEvent = PageStored | UrlFailed | UrlSkipped | RetryScheduled | RunEnded


def event_of(verdict: Verdict) -> PageStored | UrlFailed | UrlSkipped | RetryScheduled | None:
    """The event of a committed verdict; None for robots.txt, sitemaps and resources."""
    match verdict:
        case Done(task=FetchTask(kind="page") as task, answer=answer):
            return PageStored(_page(task, answer, verdict.content, body=verdict.body))
        case Dead(task=FetchTask(kind="page") as task, reason=reason, answer=answer):
            return UrlFailed(_page(task, answer, error=reason))
        case Skipped(task=FetchTask(kind="page") as task, reason=reason):
            return UrlSkipped(task.url, reason)
        case RetryAt(task=FetchTask(kind="page") as task, reason=reason, requested=True, at=at):
            return RetryScheduled(task.url, reason, _utc(at))
        case _:
            return None


def _page(
    task: FetchTask,
    answer: Answer | None,
    content: Content | None = None,
    *,
    error: str | None = None,
    body: bytes | None = None,
) -> StoredPage:
    if answer is None:
        return StoredPage(url=task.url, status=None, depth=task.depth, error=error)
    extraction = content.extraction if content is not None else None

    def links() -> Sequence[Link]:
        return tuple(content.links) if content is not None else ()

    def values() -> Mapping[str, Sequence[object]]:
        found: dict[str, list[object]] = {}
        for value in extraction.values if extraction is not None else ():
            found.setdefault(value.name, []).append(value.value)
        return found

    return StoredPage(
        url=task.url,
        status=answer.status,
        depth=task.depth,
        title=content.title if content is not None else None,
        content_type=answer.content_type,
        body_bytes=answer.body_bytes,
        elapsed_ms=answer.elapsed_ms,
        fetched_at=_utc(answer.fetched_at),
        content_hash=answer.content_hash.hex() if answer.content_hash is not None else None,
        redirect_to=answer.location,
        error=error,
        body=body,
        _charset=answer.charset,
        _links=links,
        _values=values,
    )


def _utc(seconds: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):  # infinity, or a clock beyond the year 9999
        return None
