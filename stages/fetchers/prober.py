"""Prober: what a resource answers, without its body.

May touch: the plain fetcher.

The first request for a resource is a HEAD. Servers that do not implement it answer with almost
any status, so whoever refuses it is asked once more, with a GET whose body is left unread; that
is another attempt like any retry (`penstock.stages.store`), so the host's throttle has its say in between.
"""

from __future__ import annotations

from penstock.crawler.messages import Failed, Fetched, FetchTask
from penstock.stages.fetchers.plain import PlainFetcher


class Prober:
    """HEAD at the first attempt, GET at all others. Owns nothing: its fetcher is closed elsewhere."""

    def __init__(self, fetcher: PlainFetcher) -> None:
        self._head = fetcher.for_heads("HEAD")
        self._get = fetcher.for_heads("GET")

    async def get(self, task: FetchTask) -> Fetched | Failed:
        return await (self._head if task.attempt == 1 else self._get).get(task)

    async def close(self) -> None:
        """Nothing to do."""
