"""Parse: the second stage. Read the body of an HTML page; let everything else pass.

May touch: an Extractor, through `crawler.ports`; parser processes, through the same port's shape.

Light pages are read here and now. Heavy ones, on which the parser could take seconds and
gigabytes, go to a process that can be killed; and once there is enough work, any page goes
to a process that has room, so that other cores share it. The body's share of the byte
budget ends here, unless the body itself is to be stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from crawler.messages import CanonicalUrl, Content, Failed, Fetched, Message, ParsedPage, Sitemap
from crawler.policies.robots_tag import forbids_following
from crawler.policies.robots_txt import PRODUCT_TOKEN
from crawler.policies.sessions import fingerprint
from crawler.ports import Extractor, ParseMarker
from stages.extractors.children import ParseFailed
from stages.extractors.sitemap import read_sitemap
from stages.rewriting import Rewrite, rewrite_answer, rewrite_content, rewrite_sitemap

HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
WARM_UP_PAGES = 150  # before that a crawl is too small to pay for starting processes


class Readers(Protocol):
    """Parser processes (`stages.extractors.children.Children`)."""

    @property
    def has_room(self) -> bool: ...
    def start(self) -> None: ...
    async def extract(
        self, body: bytes, *, url: CanonicalUrl, charset: str | None = None, nofollow: bool = False
    ) -> Content: ...
    async def read_sitemap(
        self, body: bytes, *, url: CanonicalUrl, charset: str | None = None
    ) -> Sitemap: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """What may be read on the event loop. The worst page within it holds everybody up for 0.1 s.

    Measured on nested, misnested and attribute-laden pages, on which the parser's time and
    memory grow with the square of what these bound (`<font size=1><p><font size=2><p>...` is
    the worst: 1,000 tags take 0.1 s and 45 MiB, 8,000 take 13 s and 2.9 GiB).
    """

    max_bytes: int = 32 << 10
    max_tags: int = 1_000

    def is_light(self, body: bytes) -> bool:
        return len(body) <= self.max_bytes and body.count(b"<") <= self.max_tags


@dataclass(slots=True, kw_only=True)
class ParseStage:
    extractor: Extractor
    marker: ParseMarker
    readers: Readers | None = None  # None: everything is read here
    share: bool = False  # light pages too, once there is enough work
    weight: Weight = Weight()
    rewrite: Rewrite | None = None  # the operator's URL rules
    token: str = PRODUCT_TOKEN  # what X-Robots-Tag calls us
    keep_bodies: bool = False
    name: str = "parse"
    is_last: bool = False
    pages_read: int = 0

    async def handle(self, message: Fetched) -> Sequence[Message]:
        kept = False
        try:
            content = sitemap = seen_as = None
            if message.task.kind == "page":
                content = await self._read(message)
                if content is not None and message.body is not None:
                    seen_as = fingerprint(message.task.url, message.body)
                kept = self.keep_bodies and message.body is not None
            elif message.body is not None:
                sitemap = await self._read_sitemap(message.task.url, message.body, message.answer.charset)
            answer = message.answer
            if self.rewrite is not None:
                answer = rewrite_answer(answer, self.rewrite, message.task.url)
                content = rewrite_content(content, self.rewrite) if content is not None else None
                sitemap = rewrite_sitemap(sitemap, self.rewrite) if sitemap is not None else None
            return [
                ParsedPage(
                    task=message.task,
                    answer=answer,
                    content=content,
                    sitemap=sitemap,
                    fingerprint=seen_as,
                    body=message.body if kept else None,
                    hold=message.hold if kept else None,
                )
            ]
        except ParseFailed as failure:
            return [Failed(task=message.task, stage=self.name, reason=failure.reason, answer=message.answer)]
        finally:
            if message.hold is not None and not kept:
                message.hold.release()

    async def _read(self, message: Fetched) -> Content | None:
        answer, body, url = message.answer, message.body, message.task.url
        if body is None or answer.status != 200 or answer.content_type not in HTML_TYPES:
            return None
        nofollow = forbids_following(answer.robots, self.token)
        self.pages_read += 1
        if self.readers is not None and not self._stays(body):
            return await self.readers.extract(body, url=url, charset=answer.charset, nofollow=nofollow)
        mark = self.marker.begin(url)
        try:
            return self.extractor.extract(body, url=url, charset=answer.charset, nofollow=nofollow)
        finally:
            self.marker.end(mark)

    async def _read_sitemap(self, url: CanonicalUrl, body: bytes, charset: str | None) -> Sitemap:
        if self.readers is not None and len(body) > self.weight.max_bytes:
            return await self.readers.read_sitemap(body, url=url, charset=charset)
        return read_sitemap(body, url=url, charset=charset)

    def _stays(self, body: bytes) -> bool:
        """True if the page is to be read on the event loop."""
        assert self.readers is not None
        if self.share and self.pages_read >= WARM_UP_PAGES:
            if self.pages_read == WARM_UP_PAGES:
                self.readers.start()
            if self.readers.has_room:
                return False
        return self.weight.is_light(body)
