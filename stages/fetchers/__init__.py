"""Fetch tiers: one file per way of fetching; its name is what --tiers takes.

A tier is a module of this folder, an entry point of the group `penstock.fetchers`, or an object that
is given to `Crawl(fetchers={"name": object})`; `TIERS` finds them. It has one function:

    async def open(context: FetchContext) -> Fetcher

`open` runs once per run, in the running event loop. It raises a PenstockError if the tier cannot
work. The fetcher that it returns has two methods (`penstock.crawler.ports.Fetcher`):

    async def get(task: FetchTask) -> Fetched | Failed
    async def close() -> None

`get` answers one task with one request. It follows no redirect and does not raise for what the web
does wrong: that is a `Failed` with a stable reason, which the retry policy knows. It is called for as
many tasks at once as there are fetch workers. It reserves memory as it reads a body: `hold =
context.budget.open()`, `await hold.reserve(count)`, and passes the hold on in its `Fetched`.

The tier of a crawl fetches pages. The requests for robots.txt, sitemaps and resources (`task.kind`
tells them apart) are always made by the tier `plain`; so only a tier that is given under that name
has to answer them. A wrapper around `plain` passes them on, whatever they are:

    class Counting:
        async def open(self, context):
            self.inner, self.count = await plain.open(context), 0
            return self

        async def get(self, task):
            self.count += 1
            return await self.inner.get(task)

        async def close(self):
            await self.inner.close()

plain  HTTP with aiohttp, and nothing else
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, cast

from penstock.crawler.config.credentials import Proxy
from penstock.crawler.errors import BadConfig
from penstock.crawler.plugs import Plugs
from penstock.crawler.policies.politeness import Bandwidth
from penstock.crawler.ports import ByteBudget, Fetcher
from penstock.stages.http.mime import is_html as wants_html

if TYPE_CHECKING:
    from penstock.crawler.config.session_file import LogIn
    from penstock.crawler.policies.cookies import Cookies
    from penstock.stages.http.trust import Trust

__all__ = ["PLAIN", "TIERS", "FetchContext", "Tier", "load_tiers", "open_fetchers", "wants_html"]

TIERS = Plugs("fetch tier", "penstock.stages.fetchers", "penstock.fetchers")
PLAIN = "plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchContext:
    """All that a tier needs to know of the crawl."""

    user_agent: str
    headers: Mapping[str, str] = field(repr=False)  # the operator's, which may be credentials
    header_origins: frozenset[str] | None = None  # they go to these origins only; None: to all
    cookies: Cookies | None = None  # the operator's; they go to `header_origins` only
    log_in: LogIn | None = None  # before the first page; only the tier `plain` can
    first_cookies: bool = False  # heed `FetchTask.opens`; only the tier `plain` does
    proxy: Proxy | None = None  # every request leaves through it
    max_sockets: int | None = None  # open at once, idle ones included; None: any number
    trust: Trust | None = None  # the operator's TLS contexts; None: the system's authorities
    public_only: bool = False  # connect to no address that is not public
    timeout: float  # seconds, whole fetch
    wants: Callable[[str | None], bool] = wants_html  # download the body of a 2xx of this content type
    max_body: int  # bytes after content-coding; a longer page is the failure `too_large`, ...
    # ... but one of these content types is answered without its body, like a type that is not wanted
    may_skip: Callable[[str | None], bool] = lambda content_type: False
    max_robots: int = 512_000  # bytes; a longer robots.txt is cut
    max_sitemap: int = 50 << 20  # bytes; a longer sitemap is cut
    keep_headers: bool = False  # fill `Answer.headers`
    keep_all: bool = False  # with `status_line` and `request`; the body of any answer is downloaded
    budget: ByteBudget  # of all bodies under way
    bandwidth: Bandwidth | None = None  # of all bodies together


class Tier(Protocol):
    async def open(self, context: FetchContext) -> Fetcher: ...


def load_tiers(name: str, given: Mapping[str, object] | None = None) -> dict[str, Tier]:
    """The tier of the crawl and the tier `plain`, by name. Raises BadConfig if there is none."""
    found: dict[str, Tier] = {}
    for each in dict.fromkeys((PLAIN, name)):
        tier = TIERS.load(each, given)
        if not callable(getattr(tier, "open", None)):
            raise BadConfig(f"fetch tier {each!r} has no function open(context)")
        found[each] = cast(Tier, tier)
    return found


@asynccontextmanager
async def open_fetchers(
    tiers: Mapping[str, Tier], context: FetchContext
) -> AsyncIterator[Mapping[str, Fetcher]]:
    """Open every tier; close all fetchers at the end, also after an error."""
    async with AsyncExitStack() as stack:
        fetchers: dict[str, Fetcher] = {}
        for name, tier in tiers.items():
            fetcher = fetchers[name] = await tier.open(context)
            stack.push_async_callback(fetcher.close)
        yield fetchers
