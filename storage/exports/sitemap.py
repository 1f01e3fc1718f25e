"""Sitemap: sitemap.xml of the pages of status 200, by the protocol of sitemaps.org.

May touch: see the package.

A sitemap holds 50,000 URLs and 50 MiB at most. A larger crawl becomes several files
beside the main one, which is then their index. A page that says noindex is left out.
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

ABOUT = "sitemap.xml of the pages of status 200; over 50,000 become several files with an index"
TAKES = "crawl"
SIDECAR = False

MOST_URLS = 50_000  # sitemaps.org
MOST_BYTES = 50 << 20  # sitemaps.org, before compression
_LONGEST_ENTRY = 2_083 * 5 + 200  # an ampersand is written with five characters

_PAGES = "SELECT url, last_modified, robots FROM pages WHERE status = 200 AND error IS NULL"
_SPACE = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'

Entry = tuple[str, str | None]  # URL and Last-Modified


def write(source: ExportSource, files: ExportFiles) -> int:
    rows: Any = source.reader.select(_PAGES)
    pages = ((url, modified) for url, modified, robots in rows if _may_be_indexed(robots))
    first = list(islice(pages, MOST_URLS + 1))
    if len(first) <= MOST_URLS and sum(len(url) + 200 for url, _ in first) < MOST_BYTES:
        return _urlset(iter(first), source, files.main())
    return _several(chain(first, pages), source, files)


def _may_be_indexed(robots: str | None) -> bool:
    """False if X-Robots-Tag or meta robots say so to everybody ("none" is noindex and nofollow)."""
    # What has a colon is for one robot, or has a value: the none of "max-image-preview: none".
    directives = (robots or "").lower().split(",")
    words = {word for directive in directives if ":" not in directive for word in directive.split()}
    return words.isdisjoint(("noindex", "none"))


def _several(pages: Iterator[Entry], source: ExportSource, files: ExportFiles) -> int:
    """Write the parts, then the index. It names them at the root of the first page's site."""
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
    """Write one file, as full as it may be; return how many URLs it holds."""
    size = out.write(_head("urlset", source).encode())
    count = 0
    for url, modified in pages:
        size += out.write(f"<url><loc>{escape(url)}</loc>{_lastmod(modified)}</url>\n".encode())
        count += 1
        source.on_record()
        if count == MOST_URLS or size > MOST_BYTES - _LONGEST_ENTRY:
            break
    out.write(b"</urlset>\n")
    return count


def _head(element: str, source: ExportSource) -> str:
    # Two hyphens would end the comment.
    about = json.dumps(source.provenance).replace("--", "-\\u002d")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{element} {_SPACE}>\n<!-- penstock {about} -->\n'


def _lastmod(modified: str | None) -> str:
    """Last-Modified as a W3C date; nothing for what is no date."""
    try:
        when = parsedate_to_datetime(modified or "")
        return f"<lastmod>{when.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}</lastmod>"
    except (ValueError, TypeError, OverflowError, IndexError):
        return ""
