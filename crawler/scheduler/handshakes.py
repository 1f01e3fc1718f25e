"""Handshakes: the way past a cookie gate, one private exchange for each URL behind one.

May touch: messages, ports, policies, urls, the clock's reading of a caller.
Never: the network, SQL, a cookie's value.

Some sites answer a first request with a cookie and a redirect, and the page only to whoever brings the
cookie. Requests that keep no cookies see a circle of redirects there, or a 401 or 403 at its end. A jar for
the whole crawl would solve that, and make each page depend on the pages requested before it. So when nothing
else is left to do, each such URL is requested once more with an empty jar of its own, which is thrown away
afterwards. The answer counts as the URL's own only if the exchange ends at that very URL: what is stored
is what a first visitor with cookies gets there, in any order and after any kill.

Each request of an exchange passes through the frontier like any other: its host's throttle, its robots.txt.
Which URLs are tried is a question to the stored redirects (`FrontierStore.plan_handshakes`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from msgspec import Struct
from msgspec.structs import replace

from penstock.crawler.messages import (
    MAX_REDIRECTS,
    CanonicalUrl,
    Failed,
    Fetched,
    FetchTask,
    Handshake,
    Rejected,
)
from penstock.crawler.ports import Pending
from penstock.crawler.urls import MAX_URL_CHARS, host_of, is_http

ELSEWHERE = "elsewhere"
"""The exchange ended at another URL."""


class HopRules(Struct, frozen=True, kw_only=True):
    """Where the requests of an exchange may go, and when it ends."""

    scope: Callable[[CanonicalUrl], str | None] = lambda url: None  # the rule that keeps a URL out
    rewrite: Callable[[CanonicalUrl], CanonicalUrl] | None = None  # the operator's URL rules
    registrable_domain: Callable[[str], str | None] = lambda host: host

    def begin(self, handshake: Handshake) -> Handshake:
        """The same with a jar: an empty one if the exchange has not begun."""
        if handshake.jar is not None:
            return handshake
        from penstock.crawler.policies.cookie_jar import CookieJar  # few crawls need it

        return replace(handshake, jar=CookieJar(self.registrable_domain))

    def follow(
        self, task: FetchTask, result: Fetched | Failed, *, spent: Collection[str] = ()
    ) -> Pending | Fetched | Failed | Rejected:
        """Return the next request of an exchange, or the message that ends it.

        `spent`: hosts whose page budget is used up. The body of an answer that is not the URL's own is
        given back.
        """
        handshake = task.handshake
        assert handshake is not None
        if isinstance(result, Failed):
            return result  # the store stage knows which failures are worth another try
        location = result.answer.location
        if location is None and task.url == handshake.url:
            return result
        if result.hold is not None:
            result.hold.release()
        if location is None:
            status = result.answer.status
            if 200 <= status < 300:
                return unsolved(task, ELSEWHERE)
            return Failed(task=task, reason=f"http_{status}", answer=result.answer)
        target = CanonicalUrl(location)
        if not is_http(target) or len(target) > MAX_URL_CHARS:
            return unsolved(task, "redirect_invalid")
        if self.rewrite is not None and (rewritten := self.rewrite(target)) != task.url:
            target = rewritten  # as the stored redirects are
        rule = None if target == handshake.url else self.scope(target)
        if rule is None and handshake.hops >= MAX_REDIRECTS:
            rule = "redirect_limit"
        host = host_of(target)
        if rule is None and host in spent:
            rule = "max_pages_per_host"
        further = replace(handshake, at=target, hops=handshake.hops + 1)
        if rule is not None:
            return unsolved(replace(task, handshake=further), rule)
        return Pending(
            url=handshake.url,
            host=host,
            depth=task.depth,
            attempts=task.attempt - 1,
            kind=task.kind,
            deferred=True,
            handshake=further,
        )


def unsolved(task: FetchTask, reason: str) -> Rejected:
    """The end of an exchange that did not reach its URL, or not with a page."""
    return Rejected(task=task, state="unsolved", reason=reason)


# -- which URLs are tried


class Circles:
    """Tell the redirects that lead into a circle. `add` all redirects that follow one another from some
    sources on, then ask."""

    def __init__(self) -> None:
        self._next: dict[int, int] = {}
        self._known: dict[int, bool] = {}

    def add(self, redirects: Iterable[tuple[int, int]]) -> None:
        self._next.update(redirects)

    def leads_into_one(self, source: int) -> bool:
        """True if the redirects from `source` on come to no end."""
        walk: dict[int, None] = {}
        at: int | None = source
        while at is not None and at not in walk and at not in self._known:
            walk[at] = None
            at = self._next.get(at)
        answer = at is not None and self._known.get(at, True)
        self._known.update(dict.fromkeys(walk, answer))
        return answer

    def end(self, source: int) -> int:
        """The URL at which the redirects from `source` on end. It must not lead into a circle."""
        while source in self._next:
            source = self._next[source]
        return source
