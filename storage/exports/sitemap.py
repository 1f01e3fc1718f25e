"""Sitemap: sitemap.xml of the pages of status 200, in the format of sitemaps.org.

May touch: see the package.

A sitemap holds at most 50,000 URLs and 50 MiB. A larger crawl needs several files; the main file is then
their index. Pages with noindex are left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC
from email.utils import parsedate_to_datetime
from itertools import chain, islice
from pathlib import PurePath
from typing import Any, BinaryIO
from xml.sax.saxutils import escape

from penstock.storage.exports import ExportFiles, ExportSource

ABOUT = "sitemap.xml of the pages of status 200; over 50,000 need several files with an index"
TAKES = "crawl"
SIDECAR = False

MAX_URLS = 50_000  # sitemaps.org
MAX_BYTES = 50 << 20  # sitemaps.org, before compression
_LONGEST_ENTRY = 2_083 * 5 + 200  # bytes; an ampersand is written with five characters

_PAGES = "SELECT url, last_modified, robots FROM pages WHERE status = 200 AND error IS NULL"
_SPACE = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'

Entry = tuple[str, str | None]  # URL and Last-Modified


def write(source: ExportSource, files: ExportFiles) -> int:
    rows: Any = source.reader.select(_PAGES)
    pages = ((url, modified) for url, modified, robots in rows if _may_be_indexed(robots))
    first = list(islice(pages, MAX_URLS + 1))
    if len(first) <= MAX_URLS and sum(len(url) + 200 for url, _ in first) < MAX_BYTES:
        return _urlset(iter(first), source, files.main())
    return _several(chain(first, pages), source, files)


def _may_be_indexed(robots: str | None) -> bool:
    """False if X-Robots-Tag or meta robots forbid it to all robots ("none" is noindex and nofollow)."""
    # A directive with a colon is for one robot, or has a value, such as "max-image-preview: none".
    directives = (robots or "").lower().split(",")
    words = {word for directive in directives if ":" not in directive for word in directive.split()}
    return words.isdisjoint(("noindex", "none"))


def _several(pages: Iterator[Entry], source: ExportSource, files: ExportFiles) -> int:
    """Write the parts, then the index, with URLs at the root of the first page's site."""
    name = PurePath(files.name)
    count = 0
    parts: list[str] = []
    base = ""
    for entry in pages:
        base = base or entry[0][: entry[0].index("/", 8)]
        parts.append(f"{name.stem}-{len(parts) + 1}{name.suffix}")
        count += _urlset(chain([entry], pages), source, files.part(parts[-1]))
    out = files.main()
    out.write(_head("sitemapindex", source).encode())
    for part in parts:
        out.write(f"<sitemap><loc>{escape(f'{base}/{part}')}</loc></sitemap>\n".encode())
    out.write(b"</sitemapindex>\n")
    return count


def _urlset(pages: Iterable[Entry], source: ExportSource, out: BinaryIO) -> int:
    """Write one file up to its limits; return the number of URLs."""
    size = out.write(_head("urlset", source).encode())
    count = 0
    for url, modified in pages:
        size += out.write(f"<url><loc>{escape(url)}</loc>{_lastmod(modified)}</url>\n".encode())
        count += 1
        source.on_record()
        if count == MAX_URLS or size > MAX_BYTES - _LONGEST_ENTRY:
            break
    out.write(b"</urlset>\n")
    return count


def _head(element: str, source: ExportSource) -> str:
    # Two hyphens are not allowed in an XML comment.
    about = json.dumps(source.provenance).replace("--", "-\\u002d")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{element} {_SPACE}>\n<!-- penstock {about} -->\n'


def _lastmod(modified: str | None) -> str:
    """Last-Modified as a W3C date; empty if it is no valid date."""
    try:
        when = parsedate_to_datetime(modified or "")
        return f"<lastmod>{when.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}</lastmod>"
    except (ValueError, TypeError, OverflowError, IndexError):
        return ""
