"""Parse: the second stage. Read the body of an HTML page; let everything else pass.

May touch: an Extractor, through `crawler.ports`; threads for large documents.

The body's share of the byte budget ends here, unless the body itself is to be stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial

from crawler.messages import Content, Fetched, Message, ParsedPage
from crawler.ports import Extractor, ParseMarker

HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
# About 3 ms of parsing: longer would be felt by everybody else on the event loop, shorter
# is not worth the two switches of thread. The interpreter lock is free while a tree is built.
THREAD_FROM_BYTES = 300_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ParseStage:
    extractor: Extractor
    threads: Executor
    marker: ParseMarker
    keep_bodies: bool = False
    name: str = "parse"
    is_last: bool = False

    async def handle(self, message: Fetched) -> Sequence[Message]:
        kept = False
        try:
            content = await self._read(message)
            kept = self.keep_bodies and message.body is not None
            return [
                ParsedPage(
                    task=message.task,
                    answer=message.answer,
                    content=content,
                    body=message.body if kept else None,
                    hold=message.hold if kept else None,
                )
            ]
        finally:
            if message.hold is not None and not kept:
                message.hold.release()

    async def _read(self, message: Fetched) -> Content | None:
        answer, body = message.answer, message.body
        if body is None or answer.status != 200 or answer.content_type not in HTML_TYPES:
            return None
        extract = partial(
            self.extractor.extract,
            body,
            url=message.task.url,
            charset=answer.charset,
            nofollow=_forbids_links(answer.robots),
        )
        mark = self.marker.begin(message.task.url)
        try:
            if len(body) < THREAD_FROM_BYTES:
                return extract()
            return await asyncio.get_running_loop().run_in_executor(self.threads, extract)
        finally:
            self.marker.end(mark)


def _forbids_links(x_robots_tag: str | None) -> bool:
    """True if X-Robots-Tag says nofollow or none to every robot (a value may name one: `name: rule`)."""
    if x_robots_tag is None:
        return False
    rules = {rule.strip().lower() for rule in x_robots_tag.split(",")}
    rules |= {rule[len("penstock:") :].strip() for rule in rules if rule.startswith("penstock:")}
    return not rules.isdisjoint({"nofollow", "none"})
