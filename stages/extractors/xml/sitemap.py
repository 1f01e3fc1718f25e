"""Sitemap: read the URLs that a site lists, in every form of sitemaps.org.

May touch: the two halves of the work beside it (bytes to text, XML to entries), urls.
Never: raise for what a file contains; hold more of it than a piece; open what it names.

Whoever reads one from a network feeds it chunk by chunk and takes the locations as they
come. Which URLs a sitemap may list (sitemaps.org, "location") is not asked here: entries
pass the same door as links do, and a sitemap that robots.txt or the operator named may
list any.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from penstock.crawler.messages import CanonicalUrl, Sitemap
from penstock.crawler.urls import MAX_URL_CHARS, canonical, is_http, resolve, resolve_handwritten
from penstock.stages.extractors.xml.text_stream import BLANK, TextStream
from penstock.stages.extractors.xml.xml_reader import (
    MAX_TEXT,
    AddEntry,
    Stopped,
    XmlReader,
    has_sitemap_root,
)
from penstock.stages.http.content_coding import CodingError

MAX_BYTES = 50 * 1024 * 1024  # sitemaps.org: 52,428,800, uncompressed
MAX_ENTRIES = 50_000  # sitemaps.org, for the URLs of a file and for the sitemaps of an index
MAX_LASTMOD = 64  # characters; a date is shorter
MAX_LINES = 1_000_000  # of the text form: most of so many are blank

_PIECE_BYTES = 64 * 1024
_JUNK_CHARS = 512  # before the document, such as a warning of the program that writes it
_MAX_STRAY_LINES = 1_000  # of a text without any URL, until we believe that it is another text


_INVISIBLE = "\ufeff\u200b\u2060\u200e\u200f\xa0\t\n\f\r "  # around a URL that was pasted
_ESCAPED_TWICE = re.compile("&(amp|lt|gt|quot|apos|#38|#x26|#39|#x27);")  # no URL means these
_CHARACTERS = {"lt": "<", "gt": ">", "quot": '"', "apos": "'", "#39": "'", "#x27": "'"}


class Location(NamedTuple):
    url: CanonicalUrl  # http(s)
    lastmod: str | None  # as written


def read_sitemap(body: bytes, *, url: CanonicalUrl, charset: str | None = None) -> Sitemap:
    """Read a whole file; arguments as of SitemapReader. Does not raise."""
    pieces = (body[start : start + _PIECE_BYTES] for start in range(0, len(body), _PIECE_BYTES))
    return read_chunks(pieces, url=url, charset=charset)


def read_chunks(chunks: Iterable[bytes], *, url: CanonicalUrl, charset: str | None = None) -> Sitemap:
    """Read a file in pieces, and take no more of them once reading stops. Raises what `chunks` raises."""
    reader = SitemapReader(url, charset)
    found: dict[CanonicalUrl, str | None] = {}
    for chunk in chunks:
        _merge(found, reader.feed(chunk))
        if reader.error:
            break
    _merge(found, reader.finish())
    return Sitemap(
        kind=reader.kind,
        locations=tuple(found),
        lastmods=tuple(found.values()),
        error=reader.error,
        too_long=reader.too_long,
        other=reader.other,
    )


def _merge(found: dict[CanonicalUrl, str | None], locations: Iterable[Location]) -> None:
    for url, lastmod in locations:
        found[url] = found.get(url) or lastmod


class SitemapReader:
    """Reads one file: `feed` it to its end, then `finish`. Neither raises.

    Both return the locations that were read meanwhile, repeats included. Once `error` is
    set nothing more will come, and no more need be fed.
    """

    def __init__(self, url: CanonicalUrl, charset: str | None = None) -> None:
        """`url`: the sitemap's, for what is written relative to it. `charset`: the
        label of the Content-Type header, as sent."""
        self.error: str | None = None
        self.too_long = 0
        self._refused = 0  # entries without a valid http(s) URL
        self._url = url
        self._text = TextStream(charset, MAX_BYTES)
        self._form: XmlReader | _LineReader | None = None
        self._entries = 0
        self._taken: list[Location] = []

    @property
    def other(self) -> int:
        """Entries without a valid http(s) URL, and those that could not be read."""
        return self._refused + (self._form.lost if isinstance(self._form, XmlReader) else 0)

    @property
    def kind(self) -> str | None:
        """`urlset`, `index`, `rss`, `atom` or `text`; None: not known yet, or no sitemap."""
        return None if self._form is None or self.error == "not_a_sitemap" else self._form.kind

    def feed(self, chunk: bytes) -> Sequence[Location]:
        if self.error is None:
            self._attempt(self._text.feed(chunk))
        return self._take()

    def finish(self) -> Sequence[Location]:
        if self.error is None:
            self._attempt(self._text.finish(), is_last=True)
        return self._take()

    def _attempt(self, texts: Iterator[str], *, is_last: bool = False) -> None:
        try:
            for text in texts:
                self._read(text)
            if is_last:
                self._finish()
                self.error = self._damage()
        except (Stopped, CodingError) as stop:
            self.error = stop.reason
            if self._form is not None:
                with suppress(Stopped):
                    self._form.flush()

    def _read(self, text: str) -> None:
        if self._form is None:
            is_xml = text.startswith("<") or has_sitemap_root(text[:_JUNK_CHARS])
            self._form = XmlReader(self._add) if is_xml else _LineReader(self._add)
        self._form.feed(text)

    def _finish(self) -> None:
        if self._form is None:
            raise Stopped("empty")
        self._form.finish()
        if self._form.kind == "text" and self._entries == self._refused:
            raise Stopped("not_a_sitemap")

    def _damage(self) -> str | None:
        if isinstance(self._form, XmlReader) and self._form.is_damaged:
            return "bad_xml"
        return "bad_encoding" if self._text.has_bad_bytes else None

    def _add(self, location: str, lastmod: str | None, title: str, bases: Sequence[str]) -> None:
        if self._entries >= MAX_ENTRIES:
            raise Stopped("too_many")
        self._entries += 1
        is_text = isinstance(self._form, _LineReader)
        # Nearly all are whole URLs of plain characters: nothing of them is to be resolved or mended.
        is_whole = location.startswith(("http://", "https://")) and location.isascii() and ";" not in location
        url = canonical(location) if is_text or is_whole else self._resolve(location, bases)
        if url is None or not is_http(url):
            self._refused += 1
            if is_text and self._entries == self._refused > _MAX_STRAY_LINES:
                raise Stopped("not_a_sitemap")
        elif len(url) > MAX_URL_CHARS:
            self.too_long += 1
        else:
            if lastmod is not None and len(lastmod) > MAX_LASTMOD:
                lastmod = None
            self._taken.append(Location(CanonicalUrl(url), lastmod))

    def _resolve(self, text: str, bases: Sequence[str]) -> str | None:
        text = _ESCAPED_TWICE.sub(_unescaped, text.strip(_INVISIBLE))
        base = self._url
        for reference in bases:
            base = CanonicalUrl(resolve(base, reference) or base)
        return resolve_handwritten(base, text)

    def _take(self) -> list[Location]:
        taken, self._taken = self._taken, []
        return taken


def _unescaped(found: re.Match[str]) -> str:
    return _CHARACTERS.get(found[1], "&")


class _LineReader:
    """The text form: one URL a line, nothing else. Raises Stopped, and what `add` raises."""

    kind = "text"

    def __init__(self, add: AddEntry) -> None:
        self._add = add
        self._line = ""  # its beginning, until its end arrives
        self._lines = 0

    def feed(self, text: str) -> None:
        *lines, line = (self._line + text).replace("\r", "\n").split("\n")
        self._line = line[:MAX_TEXT]  # no URL that we take is longer
        self._lines += len(lines)
        if self._lines > MAX_LINES:
            raise Stopped("too_many")
        for line in lines:
            self._read(line)

    def finish(self) -> None:
        self._read(self._line)

    def flush(self) -> None:
        """The text broke off: its last line may not be whole."""

    def _read(self, line: str) -> None:
        line = line.strip(BLANK)
        if line:
            self._add(line, None, "", ())
