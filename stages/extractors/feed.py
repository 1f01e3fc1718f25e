"""Feed: RSS and Atom. The entries are links, their titles the texts of the links.

May touch: the bounded XML reader.

Feeds are often served as plain XML, so `application/xml` and `text/xml` are read too; the root
element tells whether it is a feed. What comes before an error in the file is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from penstock.crawler.messages import Document
from penstock.stages.extractors import LinkCollector
from penstock.stages.extractors.text.markup import collapse

if TYPE_CHECKING:
    from penstock.crawler.messages import Content

content_types = ("application/rss+xml", "application/atom+xml", "application/xml", "text/xml")

_FEEDS = frozenset({"rss", "atom"})
_PIECE_BYTES = 64 * 1024


def read(document: Document) -> Content | None:
    """Read one feed; None if the root element is that of another document. Does not raise."""
    from penstock.crawler.urls import resolve  # slow to load, and many crawls meet no XML
    from penstock.stages.extractors.xml.text_stream import TextStream
    from penstock.stages.extractors.xml.xml_reader import Stopped, XmlReader
    from penstock.stages.http.content_coding import CodingError

    links = LinkCollector(document)

    def add(location: str, lastmod: str | None, title: str, bases: Sequence[str]) -> None:
        base: str = document.url
        for reference in bases:
            base = resolve(base, reference) or base
        links.add(location, title, base=base)
        if links.dropped:
            raise Stopped("too_many")

    reader = XmlReader(add)
    text = TextStream(document.charset, len(document.body))
    with suppress(Stopped, CodingError):
        try:
            for start in range(0, len(document.body), _PIECE_BYTES):
                for piece in text.feed(document.body[start : start + _PIECE_BYTES]):
                    reader.feed(piece)
            for piece in text.finish():
                reader.feed(piece)
            reader.finish()
        except (Stopped, CodingError):
            reader.flush()
    if reader.kind not in _FEEDS:
        return None
    return links.content(title=None if reader.title is None else collapse(reader.title))
