"""Batch: what verdicts that commit together lead to, and what they count as.

May touch: messages, rows. Pure.
"""

from __future__ import annotations

from collections.abc import Container

from msgspec import Struct

from crawler.messages import Dead, Done, RetryAt, RobotsAnswer, Skipped, Verdict
from storage.pages import redirect_target
from storage.rows import KIND_NUMBERS, Key, UrlKind, key_of


class Counts(Struct):
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
            keys += [url for link in verdict.content.links if (url := link.url) not in known]
            keys += [key_of(resource.url, UrlKind.RESOURCE) for resource in verdict.content.resources]
        if verdict.sitemap is not None:
            kind = UrlKind.SITEMAP if verdict.sitemap.kind == "index" else UrlKind.PAGE
            keys += [key_of(url, kind) for url in verdict.sitemap.locations]
    return keys
