"""Resources of the synthetic web: what one URL answers, and how that is written down.

A mention knows both what its document says (`href`, any odd spelling) and what it means
(`target`, the canonical form). The two were made together, so the right answer needs no
URL parser, neither the crawler's nor another.
"""

from __future__ import annotations

import gzip
import hashlib
import html
import zlib
from dataclasses import dataclass, field
from typing import Literal

HERE = "@HERE@"  # http://127.0.0.1:PORT of the served web
PORT = "@PORT@"
AWAY = "@AWAY@"  # a second loopback origin that must never be asked

# A reserved name: were it ever asked for, the look-up would fail and show in the database.
ELSEWHERE = "elsewhere.invalid"

REDIRECTS = (301, 302, 303, 307, 308)
RETRIED = (408, 429, 500, 502, 503, 504)

Coding = Literal["gzip", "deflate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where the web is being served; documents and answers are filled in with it."""

    here: str
    away: str

    def fill(self, text: str) -> str:
        port = self.here.rpartition(":")[2]
        return text.replace(HERE, self.here).replace(PORT, port).replace(AWAY, self.away)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """One href in a document."""

    href: str  # as the document writes it
    target: str | None  # canonical: a path here, or an http(s) URL; None: it gets no row
    markup: str = ""  # content of the element
    text: str = ""  # what `markup` reads as
    rel: str = ""
    tag: Literal["a", "area", "refresh"] = "a"

    @property
    def followed(self) -> bool:
        return "nofollow" not in self.rel.split()

    def write(self) -> str:
        # In XHTML a line break is a blank, unless it is a character reference (XML 1.0 section 3.3.3).
        href = html.escape(self.href).translate({9: "&#9;", 10: "&#10;", 13: "&#13;"})
        if self.tag == "refresh":
            return f'<meta http-equiv="Refresh" content="3; url={href}" />'
        rel = f' rel="{self.rel.title()}"' if self.rel else ""  # the tokens know no case
        if self.tag == "area":
            return f'<map name="m"><area{rel} href="{href}" /></map>'
        return f'<p><a href="{href}"{rel}>{self.markup}</a></p>'


@dataclass(frozen=True, slots=True, kw_only=True)
class Charset:
    """How a document is encoded, and where it says so."""

    codec: str = "utf-8"  # Python's name
    header: str | None = "utf-8"
    meta: str | None = None
    bom: bytes = b""


@dataclass(slots=True, kw_only=True)
class Resource:
    """What one path answers. A page has a title and mentions; a file has only bytes."""

    path: str  # canonical path and query
    status: int = 200
    content_type: str | None = "text/html"
    title: str | None = None
    title_markup: str | None = None  # None: as `title`, escaped
    mentions: list[Mention] = field(default_factory=list)
    nofollow: str | None = None  # directives of meta robots that forbid every link
    nofollow_header: str | None = None  # the same as X-Robots-Tag
    base_href: str | None = None
    canonical: str | None = None  # href of link[rel=canonical]: recorded, never asked for
    charset: Charset = Charset()
    coding: Coding | None = None
    location: str | None = None  # header of a redirect, as sent
    redirect_to: str | None = None  # its canonical meaning; None: missing or invalid
    raw: bytes | None = None  # body of a file
    chunked: bool = False  # do not announce the length of the body
    delay: float = 0.0  # seconds before the answer
    fails_first: int = 0  # this many 503s come before the real answer
    body_note: str = ""  # makes two documents differ; the same note and links are duplicates

    @property
    def is_html(self) -> bool:
        return self.status == 200 and self.content_type in ("text/html", "application/xhtml+xml")

    @property
    def is_redirect(self) -> bool:
        return self.status in REDIRECTS

    @property
    def forbids_following(self) -> bool:
        return bool(self.nofollow or self.nofollow_header)

    def body(self, places: Places) -> bytes:
        """Return the body before content-coding."""
        if self.raw is not None:
            return self.raw
        text = places.fill(self._document())
        return self.charset.bom + text.encode(self.charset.codec, errors="xmlcharrefreplace")

    def content_hash(self, places: Places) -> str:
        return hashlib.sha256(self.body(places)).hexdigest()

    def headers(self, places: Places) -> dict[str, str]:
        headers = {}
        if self.content_type:
            label = self.charset.header if self.raw is None else None
            headers["Content-Type"] = f"{self.content_type}; charset={label}" if label else self.content_type
        if self.location is not None:
            headers["Location"] = places.fill(self.location)
        if self.nofollow_header:
            headers["X-Robots-Tag"] = self.nofollow_header
        return headers

    def _document(self) -> str:
        head = []
        if self.charset.meta:
            head.append(f'<meta charset="{self.charset.meta}" />')
        if self.base_href is not None:
            head.append(f'<base href="{html.escape(self.base_href)}" />')
        if self.title is not None:
            markup = html.escape(self.title) if self.title_markup is None else self.title_markup
            head.append(f"<title>{markup}</title>")
        if self.nofollow:
            head.append(f'<meta name="Robots" content="{self.nofollow}" />')
        if self.canonical:
            head.append(f'<link rel="canonical" href="{html.escape(self.canonical)}" />')
        head += [mention.write() for mention in self.mentions if mention.tag == "refresh"]
        body = [mention.write() for mention in self.mentions if mention.tag != "refresh"]
        # An inline image's own title must not be taken for the document's.
        drawing = "<svg><title>not the title</title></svg>" if self.title is not None else ""
        body.append(f"<p>{self.body_note}{drawing}</p>")
        lines = "\n".join(["<head>", *head, "</head>", "<body>", *body, "</body>"])
        return f"<!DOCTYPE html>\n<html>\n{lines}\n</html>\n"


def encode(body: bytes, coding: Coding) -> bytes:
    return gzip.compress(body, 1, mtime=0) if coding == "gzip" else zlib.compress(body, 1)
