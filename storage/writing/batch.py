"""Batch: what verdicts that commit together lead to, and what they count as.

May touch: messages, rows. Pure.
"""

from __future__ import annotations

import asyncio
from collections.abc import Container, Sequence

from msgspec import Struct

from penstock.crawler.messages import Dead, Done, RetryAt, RobotsAnswer, Skipped, Verdict
from penstock.crawler.ports import Saved
from penstock.storage.database.row_enums import UrlKind
from penstock.storage.writing.pages import redirect_target
from penstock.storage.writing.rows import KIND_NUMBERS, Key, key_of

# URLs that one commit may lead to, which is what its memory and its time depend on: a second for
# 30,000. One page or sitemap may have as many, and then is alone.
MAX_TARGETS = 30_000
SMALL_TARGETS = 1_000  # of a verdict that shall not wait for one like that

Waiting = tuple[Verdict, "asyncio.Future[Saved]"]


def take(waiting: Sequence[Waiting], *, small_first: bool) -> tuple[list[Waiting], list[Waiting]]:
    """What is to be committed next, and what is left, both in the order of arrival.

    `small_first`: the small ones overtake. Else nobody does, and so, if both take turns, all
    have theirs, and a small one waits for one large one at most.
    """
    leads = [count_targets(verdict) for verdict, _ in waiting]
    if sum(leads) <= MAX_TARGETS:
        return list(waiting), []
    small_first = small_first and min(leads) <= SMALL_TARGETS
    batch: list[Waiting] = []
    rest: list[Waiting] = []
    room = MAX_TARGETS
    for each, count in zip(waiting, leads, strict=True):
        if (small_first and count > SMALL_TARGETS) or (batch and count > room):
            rest.append(each)
        else:
            batch.append(each)
            room -= count
    return batch, rest


def count_targets(verdict: Verdict) -> int:
    """How many URLs a verdict leads to, roughly."""
    count = 0
    if isinstance(verdict, Done):
        if verdict.content is not None:
            count += len(verdict.content.links) + len(verdict.content.resources)
        if verdict.sitemap is not None:
            count += len(verdict.sitemap.locations)
    return count


class BatchCounts(Struct):
    """What a batch adds to its run (COUNT_RUN)."""

    requests: int = 0
    pages: int = 0
    bytes: int = 0
    retries: int = 0
    robots_requests: int = 0
    sitemap_requests: int = 0
    resource_requests: int = 0

    def settled(self, page: Done | Dead, requested: bool) -> None:
        self._asked(page, requested)
        answer = page.answer
        if page.task.kind == "page" and isinstance(page, Done) and answer is not None:
            self.pages += answer.status == 200
            if answer.content_hash is not None:
                self.bytes += answer.body_bytes or 0

    def put_off(self, page: RetryAt) -> None:
        self._asked(page, page.requested)
        self.retries += page.requested and page.task.kind != "resource"

    def _asked(self, page: Done | Dead | RetryAt, requested: bool) -> None:
        match page.task.kind:
            case "page":
                self.requests += requested
            case "sitemap":
                self.sitemap_requests += requested
            case "resource":
                self.resource_requests += requested


def key_of_page(page: Done | Dead | RetryAt | Skipped) -> Key:
    return key_of(page.task.url, KIND_NUMBERS[page.task.kind])


def targets(verdict: Verdict, known: Container[Key]) -> list[Key]:
    """The key of every row that a verdict leads to. Of links, nearly all of which a page shares with
    the pages before it, only those that are not `known`."""
    if isinstance(verdict, RobotsAnswer):
        return [key_of(url, UrlKind.SITEMAP) for url in verdict.sitemaps]
    keys = []
    if (redirect := redirect_target(verdict)) is not None:
        keys.append(key_of(redirect, KIND_NUMBERS[verdict.task.kind]))
    if isinstance(verdict, Done):
        if verdict.content is not None:
            keys += [url for url in verdict.content.links.urls if url not in known]
            keys += [key_of(resource.url, UrlKind.RESOURCE) for resource in verdict.content.resources]
        if verdict.sitemap is not None:
            kind = UrlKind.SITEMAP if verdict.sitemap.kind == "index" else UrlKind.PAGE
            keys += [key_of(url, kind) for url in verdict.sitemap.locations]
    return keys
