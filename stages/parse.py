"""Parse: the second stage. Read the documents that somebody can read; let everything else pass.

May touch: the table of document kinds; parser processes, through a port.

`Placement` decides where a document is read. Light ones are read in this process, by `LocalReader`.
Heavy ones, on which a parser could take seconds and gigabytes, go to a process that can be stopped;
and once there is enough work, any document goes to a process that has room, so that other cores
share it.

The body's share of the byte budget ends here, unless the body itself is to be stored. What was read
takes up to eighty times as much memory as the body did: it has a budget of its own until it is stored.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Protocol

from msgspec import Struct, field

from penstock.crawler.extraction import ExtractionError
from penstock.crawler.messages import (
    Content,
    Document,
    Failed,
    Fetched,
    Hold,
    LinkRules,
    Message,
    ParsedPage,
    Sitemap,
)
from penstock.crawler.output.logs import get_logger
from penstock.crawler.policies.robots_txt import PRODUCT_TOKEN, forbids_following
from penstock.crawler.policies.sessions import fingerprint
from penstock.crawler.ports import ByteBudget, ByteHold, ParseMarker
from penstock.stages.extractors import HTML, DocumentTable, LoadedKind
from penstock.stages.extractors.html import with_headers
from penstock.stages.extractors.text.markup import has_more_tags
from penstock.stages.rewriting import Rewrite, rewrite_answer, rewrite_content, rewrite_sitemap
from penstock.stages.workers.worker_pool import ParseFailed

LINK_BYTES = 300  # that a link takes in memory until its commit is over, texts apart
TURN_SECONDS = 0.002  # of reading in this process, before other tasks run
# What may turn out to be XHTML, and how one sees cheaply that other XML does not.
_XML_TYPES = frozenset({"application/xml", "text/xml"})
_XHTML_MARK, _PROLOG_BYTES = b"1999/xhtml", 4096
_URL = attrgetter("url")  # of a Resource

WARM_UP_PAGES = 150  # before that a crawl is too small to pay for starting processes

log = get_logger()


class DocumentWorkers(Protocol):
    """Parser processes (`penstock.stages.workers.worker_pool.WorkerPool`)."""

    @property
    def has_room(self) -> bool: ...
    def start(self) -> None: ...
    async def read(self, where: str, document: Document, *, is_slow: bool = False) -> Content | None: ...
    async def read_sitemap(self, document: Document) -> Sitemap: ...


class Placement(Struct, frozen=True, kw_only=True):
    """Decide where a document is read: in this process, or in a parser process.

    The worst light document holds up the event loop for 0.04 s. Formatting elements are the worst
    that few tags can do: every `p` opens all those before it again (`<font size=1><p><font
    size=2><p>...`: 1,000 tags take 0.03 s and 46 MiB, 1,500 take 0.07 s and 102 MiB, 8,000 take 13 s
    and 2.9 GiB). Attributes are the worst of few bytes (one tag with as many as 24 KiB hold takes
    0.04 s, 32 KiB 0.06 s, 64 KiB 0.24 s). 1,000 tags of blocks, lists, tables, selects, templates or
    SVG, nested or misnested, take 0.002 s.
    """

    max_bytes: int = 24 << 10  # of a light document
    max_tags: int = 1_000  # the same
    shares_light: bool = False  # light documents go to other processes too, once there is enough work
    warm_up: int = WARM_UP_PAGES

    def is_light(self, body: bytes) -> bool:
        return len(body) <= self.max_bytes and not has_more_tags(body, self.max_tags)

    def starts_workers(self, count: int) -> bool:
        """True if from this document on, the `count`-th, there is enough work for other processes."""
        return self.shares_light and count == self.warm_up

    def is_for_worker(self, body: bytes, *, count: int, has_room: bool) -> bool:
        """`has_room`: a parser process would begin with the document at once."""
        return (self.shares_light and count >= self.warm_up and has_room) or not self.is_light(body)


class LocalReader(Struct, kw_only=True):
    """Reads documents in this process, in order and in turns.

    A queue full of slow documents may hold up neither the event loop nor the memory. After
    TURN_SECONDS of reading within one round of the event loop, the rest waits for the next round.
    The documents wait in a queue of their own, not for a lock: a lock would pass from one to the
    next, with a round of the event loop for each. Without the queue, a worker that has just read
    would be the first to ask again, and the other documents would wait for the end of the inbox.
    """

    marker: ParseMarker
    queue: deque[object] = field(default_factory=deque)  # what waits for its turn, the first one first
    busy: float = 0.0  # seconds of reading within this round of the event loop
    heavy: asyncio.Lock = field(default_factory=asyncio.Lock)  # one heavy document at a time

    async def read(self, kind: LoadedKind, document: Document, hold: ByteHold | None) -> Content | None:
        if self.queue or not self._may_read(hold):
            await self._wait_for_turn(hold)
        mark, began = self.marker.begin(document.url), time.perf_counter()
        try:
            return kind.read(document)
        finally:
            self.marker.end(mark)
            seconds = time.perf_counter() - began
            self.busy += seconds
            asyncio.get_running_loop().call_soon(self._end_round, seconds)

    async def complete(self, kind: LoadedKind, document: Document, content: Content) -> Content:
        """Do what is left after a parser process has read the document; one document at a time."""
        assert kind.complete is not None
        async with self.heavy:
            mark = self.marker.begin(document.url)
            try:
                return await kind.complete(document, content)
            finally:
                self.marker.end(mark)

    async def _wait_for_turn(self, hold: ByteHold | None) -> None:
        queue, place = self.queue, object()
        queue.append(place)
        try:
            while True:
                if self.busy > TURN_SECONDS:
                    await asyncio.sleep(0)
                elif hold is not None and not hold.try_reserve(0):
                    await hold.reserve(0)  # too much of other documents is not stored yet
                elif queue[0] is not place:
                    await asyncio.sleep(0)
                else:
                    return
        finally:
            queue.remove(place)

    def _may_read(self, hold: ByteHold | None) -> bool:
        return self.busy <= TURN_SECONDS and (hold is None or hold.try_reserve(0))

    def _end_round(self, seconds: float) -> None:
        self.busy -= seconds


class ParseStage(Struct, kw_only=True):
    documents: DocumentTable
    reader: LocalReader
    workers: DocumentWorkers | None = None  # None: everything is read in this process
    placement: Placement = Placement()
    rewrite: Rewrite | None = None  # the operator's URL rules
    token: str = PRODUCT_TOKEN  # the name by which X-Robots-Tag addresses us
    keep_bodies: bool = False  # of pages
    keep_all: bool = False  # and of sitemaps
    rules: LinkRules = LinkRules()
    on_errors: Callable[[str, Sequence[ExtractionError]], None] = lambda url, errors: (
        None
    )  # of rules, plugins
    results: ByteBudget | None = None  # for what was read and is not stored yet
    name: str = "parse"
    is_last: bool = False
    count: int = 0  # documents that could go to a parser process

    async def handle(self, message: Fetched) -> Sequence[Message]:
        result_hold = self.results.open() if self.results is not None and message.body is not None else None
        holds = [hold for hold in (message.hold, result_hold) if hold is not None]
        kept: Sequence[Hold] = ()
        try:
            page = await self._parse(message, result_hold)
            kept = page.holds
            return [page]
        except ParseFailed as failure:
            if failure.traceback:
                log.error("document_reader_failed", url=message.task.url, error=failure.traceback)
            return [Failed(task=message.task, stage=self.name, reason=failure.reason, answer=message.answer)]
        finally:
            for hold in holds:
                if hold not in kept:
                    hold.release()

    async def _parse(self, message: Fetched, result_hold: ByteHold | None) -> ParsedPage:
        task, answer, body = message.task, message.answer, message.body
        content = sitemap = page_fingerprint = None
        keeps_body = False
        if task.kind == "page":
            content = await self._read(message, result_hold)
            if content is not None and body is not None:
                page_fingerprint = fingerprint(task.url, body)
            keeps_body = self.keep_bodies and body is not None
        elif body is not None and 200 <= answer.status < 300:
            keeps_body = self.keep_all
            sitemap = await self._read_sitemap(message, body, result_hold)
        else:
            keeps_body = self.keep_all and body is not None
        # A resource is what a browser would load: the operator's rules are for links.
        if self.rewrite is not None and task.kind != "resource":
            answer = rewrite_answer(answer, self.rewrite, task.url)
            content = rewrite_content(content, self.rewrite) if content is not None else None
            sitemap = rewrite_sitemap(sitemap, self.rewrite) if sitemap is not None else None
        return ParsedPage(
            task=task,
            answer=answer,
            content=content,
            sitemap=sitemap,
            fingerprint=page_fingerprint,
            body=body if keeps_body else None,
            holds=[hold for hold in (message.hold if keeps_body else None, result_hold) if hold is not None],
        )

    async def _read(self, message: Fetched, hold: ByteHold | None) -> Content | None:
        answer, body = message.answer, message.body
        if not 200 <= answer.status < 300:
            return None
        content_type = answer.content_type
        if body is not None and content_type in _XML_TYPES and _XHTML_MARK in body[:_PROLOG_BYTES]:
            from penstock.stages.extractors.xml.xhtml import is_xhtml  # many crawls meet no XML

            if is_xhtml(body, answer.charset):
                content_type = "application/xhtml+xml"
        kind = None if body is None else self.documents.find(content_type)
        if (body is None or kind is None) and answer.link is None and answer.refresh is None:
            return None
        document = Document(
            url=message.task.url,
            body=body or b"",
            content_type=content_type,
            charset=answer.charset,
            nofollow=forbids_following(answer.robots, self.token),
            status=answer.status,
            link=answer.link,
            refresh=answer.refresh,
            headers=answer.headers,
            rules=self.rules,
        )
        if body is None or kind is None:
            return with_headers(None, document)
        if self.workers is not None and kind.where is not None and self._goes_to_worker(kind, body):
            content = await self.workers.read(kind.where, document, is_slow=kind.worker_only)
            if content is not None and kind.complete is not None:
                content = await self.reader.complete(kind, document, content)
        elif kind.worker_only:
            content = None
        else:
            content = await self.reader.read(kind, document, hold)
        if kind.name != HTML and (document.link is not None or document.refresh is not None):
            content = with_headers(content, document)
        if content is not None and content.extraction is not None and content.extraction.errors:
            self.on_errors(document.url, content.extraction.errors)
        if hold is not None and content is not None:
            hold.resize(_size(content, len(body)))
        return content

    def _goes_to_worker(self, kind: LoadedKind, body: bytes) -> bool:
        assert self.workers is not None
        self.count += 1
        if self.placement.starts_workers(self.count):
            self.workers.start()
        if kind.worker_only:
            return True
        has_room = self.placement.shares_light and self.workers.has_room
        return self.placement.is_for_worker(body, count=self.count, has_room=has_room)

    async def _read_sitemap(self, message: Fetched, body: bytes, hold: ByteHold | None) -> Sitemap:
        document = Document(url=message.task.url, body=body, charset=message.answer.charset)
        if self.workers is not None and len(body) > self.placement.max_bytes:
            sitemap = await self.workers.read_sitemap(document)
        else:
            # Slow to load, and many sites have none.
            from penstock.stages.extractors.xml.sitemap import read_sitemap

            sitemap = read_sitemap(body, url=document.url, charset=document.charset)
        if hold is not None:
            hold.resize(len(sitemap.locations) * LINK_BYTES + sum(map(len, sitemap.locations)))
        return sitemap


def _size(content: Content, body_bytes: int) -> int:
    """Bytes that a page's content takes until it is stored, roughly."""
    links, resources = content.links.urls, content.resources
    urls = sum(map(len, links)) + sum(map(len, map(_URL, resources)))  # other text is in the body
    return (len(links) + len(resources)) * LINK_BYTES + urls + body_bytes
