"""Parse: the second stage. Read the body of an HTML page; let everything else pass.

May touch: an Extractor, through `penstock.crawler.ports`; parser processes, through the same port's shape.

Light pages are read here and now. Heavy ones, on which the parser could take seconds and
gigabytes, go to a process that can be killed; and once there is enough work, any page goes
to a process that has room, so that other cores share it. The body's share of the byte
budget ends here, unless the body itself is to be stored. What was read in it takes up to
eighty times as much memory as the body did: it has a budget of its own until it is stored.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from operator import attrgetter
from typing import Protocol

from msgspec import Struct, field

from penstock.crawler.messages import CanonicalUrl, Content, Failed, Fetched, Message, ParsedPage, Sitemap
from penstock.crawler.policies.robots_tag import forbids_following
from penstock.crawler.policies.robots_txt import PRODUCT_TOKEN
from penstock.crawler.policies.sessions import fingerprint
from penstock.crawler.ports import ByteBudget, ByteHold, Extractor, ParseMarker
from penstock.stages.extractors.text.markup import has_more_tags
from penstock.stages.rewriting import Rewrite, rewrite_answer, rewrite_content, rewrite_sitemap
from penstock.stages.workers.worker_pool import ParseFailed

HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
LINK_BYTES = 300  # that a link takes in memory until its commit is over, texts apart
TURN_SECONDS = 0.002  # of reading here, before others have their turn
_URL = attrgetter("url")  # of a Resource

WARM_UP_PAGES = 150  # before that a crawl is too small to pay for starting processes


class DocumentWorkers(Protocol):
    """Parser processes (`penstock.stages.workers.worker_pool.WorkerPool`)."""

    @property
    def has_room(self) -> bool: ...
    def start(self) -> None: ...
    async def extract(
        self, body: bytes, *, url: CanonicalUrl, charset: str | None = None, nofollow: bool = False
    ) -> Content: ...
    async def read_sitemap(
        self, body: bytes, *, url: CanonicalUrl, charset: str | None = None
    ) -> Sitemap: ...


class Weight(Struct, frozen=True, kw_only=True):
    """What may be read on the event loop. The worst page within it holds everybody up for 0.04 s.

    Formatting elements are the worst that few tags can do: every `p` opens all those before it
    again (`<font size=1><p><font size=2><p>...`: 1,000 tags take 0.03 s and 46 MiB, 1,500 take
    0.07 s and 102 MiB, 8,000 take 13 s and 2.9 GiB), and that of few bytes are attributes (one
    tag with as many as 24 KiB hold takes 0.04 s, 32 KiB 0.06 s, 64 KiB 0.24 s). 1,000 tags of
    blocks, lists, tables, selects, templates or SVG, nested or misnested, take 0.002 s.
    """

    max_bytes: int = 24 << 10
    max_tags: int = 1_000

    def is_light(self, body: bytes) -> bool:
        return len(body) <= self.max_bytes and not has_more_tags(body, self.max_tags)


class ParseStage(Struct, kw_only=True):
    extractor: Extractor
    marker: ParseMarker
    workers: DocumentWorkers | None = None  # None: everything is read here
    share: bool = False  # light pages too, once there is enough work
    weight: Weight = Weight()
    rewrite: Rewrite | None = None  # the operator's URL rules
    token: str = PRODUCT_TOKEN  # what X-Robots-Tag calls us
    keep_bodies: bool = False
    name: str = "parse"
    is_last: bool = False
    results: ByteBudget | None = None  # for what was read and is not stored yet
    pages_read: int = 0
    line: deque[object] = field(default_factory=deque)  # who waits to read here, the first one first
    busy: float = 0.0  # seconds of reading here within one round of the event loop

    async def handle(self, message: Fetched) -> Sequence[Message]:
        keeps_body = False
        result_hold = self.results.open() if self.results is not None and message.body is not None else None
        try:
            content = sitemap = page_fingerprint = None
            if message.task.kind == "page":
                content = await self._read(message, result_hold)
                if content is not None and message.body is not None:
                    page_fingerprint = fingerprint(message.task.url, message.body)
                keeps_body = self.keep_bodies and message.body is not None
            elif message.body is not None:
                sitemap = await self._read_sitemap(message, result_hold)
            answer = message.answer
            # A resource is what a browser would load: the operator's rules are for links.
            if self.rewrite is not None and message.task.kind != "resource":
                answer = rewrite_answer(answer, self.rewrite, message.task.url)
                content = rewrite_content(content, self.rewrite) if content is not None else None
                sitemap = rewrite_sitemap(sitemap, self.rewrite) if sitemap is not None else None
            holds = [hold for hold in (message.hold if keeps_body else None, result_hold) if hold is not None]
            page = ParsedPage(
                task=message.task,
                answer=answer,
                content=content,
                sitemap=sitemap,
                fingerprint=page_fingerprint,
                body=message.body if keeps_body else None,
                holds=holds,
            )
            result_hold = None
            return [page]
        except ParseFailed as failure:
            return [Failed(task=message.task, stage=self.name, reason=failure.reason, answer=message.answer)]
        finally:
            if message.hold is not None and not keeps_body:
                message.hold.release()
            if result_hold is not None:
                result_hold.release()

    async def _read(self, message: Fetched, result_hold: ByteHold | None) -> Content | None:
        answer, body, url = message.answer, message.body, message.task.url
        if body is None or answer.status != 200 or answer.content_type not in HTML_TYPES:
            return None
        nofollow = forbids_following(answer.robots, self.token)
        self.pages_read += 1
        if self.workers is not None and not self._stays(body):
            content = await self.workers.extract(body, url=url, charset=answer.charset, nofollow=nofollow)
        else:
            if self.line or not self._has_time_and_room(result_hold):
                await self._take_turn(result_hold)
            content = self._read_here(body, url, answer.charset, nofollow)
        if result_hold is not None:
            result_hold.resize(_size(content, len(body)))
        return content

    async def _take_turn(self, result_hold: ByteHold | None) -> None:
        """Let a queue full of slow pages hold up neither the event loop nor the memory.

        No lock: it would pass from page to page, and the event loop go round, for each of them.
        But a line: else a worker that has just read would be the first to ask again, round after
        round, and the pages of all others wait for the end of the queue.
        """
        line, place = self.line, object()
        line.append(place)
        try:
            while True:
                if self.busy > TURN_SECONDS:
                    await asyncio.sleep(0)
                elif result_hold is not None and not result_hold.try_reserve(0):
                    await result_hold.reserve(0)  # too much of others is not stored yet
                elif line[0] is not place:
                    await asyncio.sleep(0)
                else:
                    return
        finally:
            line.remove(place)

    def _has_time_and_room(self, result_hold: ByteHold | None) -> bool:
        return self.busy <= TURN_SECONDS and (result_hold is None or result_hold.try_reserve(0))

    def _read_here(self, body: bytes, url: CanonicalUrl, charset: str | None, nofollow: bool) -> Content:
        mark, began = self.marker.begin(url), time.perf_counter()
        try:
            return self.extractor.extract(body, url=url, charset=charset, nofollow=nofollow)
        finally:
            self.marker.end(mark)
            seconds = time.perf_counter() - began
            self.busy += seconds
            asyncio.get_running_loop().call_soon(self._has_gone_round, seconds)

    def _has_gone_round(self, seconds: float) -> None:
        self.busy -= seconds

    async def _read_sitemap(self, message: Fetched, result_hold: ByteHold | None) -> Sitemap:
        body, url, charset = message.body, message.task.url, message.answer.charset
        assert body is not None
        if self.workers is not None and len(body) > self.weight.max_bytes:
            sitemap = await self.workers.read_sitemap(body, url=url, charset=charset)
        else:
            from penstock.stages.extractors.sitemap import (
                read_sitemap,  # slow to load, and many sites have none
            )

            sitemap = read_sitemap(body, url=url, charset=charset)
        if result_hold is not None:
            result_hold.resize(len(sitemap.locations) * LINK_BYTES + sum(map(len, sitemap.locations)))
        return sitemap

    def _stays(self, body: bytes) -> bool:
        """True if the page is to be read on the event loop."""
        assert self.workers is not None
        if self.share and self.pages_read >= WARM_UP_PAGES:
            if self.pages_read == WARM_UP_PAGES:
                self.workers.start()
            if self.workers.has_room:
                return False
        return self.weight.is_light(body)


def _size(content: Content, body_bytes: int) -> int:
    """Bytes that a page's content takes until it is stored, roughly."""
    links, resources = content.links.urls, content.resources
    urls = sum(map(len, links)) + sum(map(len, map(_URL, resources)))  # other text is in the body
    return (len(links) + len(resources)) * LINK_BYTES + urls + body_bytes
