"""Fetch: the first stage. One task, one request, one answer.

May touch: a Fetcher and a HostGate, through `penstock.crawler.ports`.
Never: a retry, a redirect of a page, a wait for politeness: those are the frontier's.

Whatever happens, the host's gate is told that its connection is free again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from msgspec import Struct

from penstock.crawler.messages import (
    CanonicalUrl,
    Failed,
    Fetched,
    FetchTask,
    Message,
    RobotsAnswer,
    RobotsTask,
)
from penstock.crawler.policies.robots import RobotsPolicy
from penstock.crawler.ports import Fetcher, HostGate
from penstock.crawler.urls import is_http


class FetchStage(Struct, frozen=True, kw_only=True):
    fetchers: Mapping[str, Fetcher]  # by tier
    gate: HostGate
    robots_fetcher: Fetcher  # takes the body of any type, cut at the policy's bound
    sitemap_fetcher: Fetcher | None = None  # the same, cut at the protocol's bound
    resource_fetcher: Fetcher | None = None  # wants no body
    robots: RobotsPolicy
    name: str = "fetch"
    is_last: bool = False

    async def handle(self, message: FetchTask | RobotsTask) -> Sequence[Message]:
        if isinstance(message, RobotsTask):
            return [await self._robots(message)]
        result: Fetched | Failed = Failed(task=message, stage=self.name, reason="cancelled")
        try:
            result = await self._fetcher(message).get(message)
        finally:
            self.gate.answered(message, result)
        return [result]

    def _fetcher(self, task: FetchTask) -> Fetcher:
        if task.kind == "sitemap" and self.sitemap_fetcher is not None:
            return self.sitemap_fetcher
        if task.kind == "resource" and self.resource_fetcher is not None:
            return self.resource_fetcher
        return self.fetchers[task.tier]

    async def _robots(self, task: RobotsTask) -> RobotsAnswer:
        """Ask for robots.txt. Its redirects are followed here, across origins (RFC 9309 section
        2.3.1.2): they lead to no page, so the door for pages has nothing to say about them."""
        started_at = time.time()
        try:
            result = await self._follow(CanonicalUrl(task.origin + "/robots.txt"), task.host)
        finally:
            self.gate.robots_answered(task.host)
        if isinstance(result, Failed):
            return RobotsAnswer(task=task, fetched_at=started_at, error=result.reason)
        if result.hold is not None:
            result.hold.release()
        return RobotsAnswer(
            task=task, fetched_at=started_at, status=result.answer.status, body=result.body or b""
        )

    async def _follow(self, url: CanonicalUrl, host: str) -> Fetched | Failed:
        """The last answer of a bounded chain of redirects."""
        redirects_left = self.robots.max_redirects
        while True:
            result = await self.robots_fetcher.get(FetchTask(url=url, host=host, depth=0))
            location = None if isinstance(result, Failed) else result.answer.location
            if location is None or not is_http(location) or not redirects_left:
                return result
            redirects_left -= 1
            url = CanonicalUrl(location)
