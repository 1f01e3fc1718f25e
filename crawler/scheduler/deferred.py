"""Deferred: URLs whose turn comes when nothing else is left to do, the nearest to the seeds first.

May touch: messages, ports, policies.
Never: anything in memory that the disk does not have; there they wait (`RetryAt` at infinity).

Two kinds of URL wait so. Those of an origin whose robots.txt could not be had: it is asked
once more at the end. And those that may carry a session id (`policies.sessions`): whether one
is a trap depends on the pages nearer to the seeds than itself, and on them alone, so it is
asked when all of these are in. That makes the answer the same at any speed: depth by depth,
every URL of lesser depth is settled before the first of these is looked at, and new ones of
lesser depth can no longer turn up, since each would have to be led to by a page nearer still.
So equal crawls are equal here too: at any number of fetchers, over any number of hosts, after
any kill, as long as the servers say the same and a budget does not end it, and for the first
hundred thousand different contents; what is beyond is fetched.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from penstock.crawler.messages import CanonicalUrl
from penstock.crawler.policies.sessions import Sessions, may_carry_session
from penstock.crawler.ports import FrontierStore, Pending

MOST_AT_ONCE = 16_000
NEARER_FIRST = "nearer_first"
"""Why a URL that may carry a session id is still pending."""


class DeferredUrls:
    """Says who has to wait, lets them in at the end, and which of them are traps after all."""

    def __init__(self, store: FrontierStore, sessions: Sessions | None) -> None:
        """`sessions` None: nobody looks for session ids."""
        self._store = store
        self._sessions = sessions
        self._noted_below = 0  # all stored pages of lesser depth are known to `sessions`

    def must_wait(self, url: Pending) -> bool:
        """True for what may carry a session id and was not let in by `release`."""
        return (
            self._sessions is not None
            and not url.deferred
            and url.depth > 0  # a seed is what the operator says it is
            and url.kind == "page"
            and may_carry_session(url.url)
        )

    def rule(self, url: Pending) -> str | None:
        """Return `trap:session`, or None. What a sitemap names is a page by the site's own word."""
        if self._sessions is None or not url.deferred or url.listed or url.kind != "page":
            return None
        return self._sessions.rule(CanonicalUrl(url.url), url.depth)

    async def release(self, *, without: Collection[str] = ()) -> Sequence[Pending]:
        """Those of the least depth, for when nothing else is left. `without`: hosts not to be asked."""
        found = await self._store.deferred(limit=MOST_AT_ONCE, without=without)
        if found and self._sessions is not None and found[0].depth > self._noted_below:
            least, below = self._noted_below, found[0].depth
            async for pages in self._store.session_pages(least=least, below=below):
                for page in pages:
                    self._sessions.note(page.url, page.fingerprint, page.depth)
            self._noted_below = below
        return found
