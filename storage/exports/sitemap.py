"""Sitemap: sitemap.xml of the pages that a search engine should show, in the format of sitemaps.org.

May touch: see the package.

A sitemap is made to be published, so it holds what the site itself says and nothing of the crawl: no
options, no dates of runs, no name of a file. Listed is a page that can be a search result:

- HTML or XHTML of status 200, stored whole. Other documents (PDF, images) are left out, as site auditors
  do by default: they have no canonical element, and most of them are downloads, not pages.
- Its own canonical URL: it names none, or itself. A copy says by its canonical link that it should not be
  shown, and search engines report such entries of a sitemap as errors. The crawl's URL rules are applied
  to what a page names, as they were to the URL of the page: with --fold-index a page at / that names
  /index.html names itself. Listed is then what it names, without the parameters that were stripped.
- Not noindex, by X-Robots-Tag or meta robots.
- A URL of fewer than 2,048 characters without a user name (sitemaps.org).

A sitemap holds at most 50,000 URLs and 50 MiB. A larger crawl needs several files; the main file is then
their index.
"""

from __future__ import annotations

import contextlib
import gzip
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import chain, islice
from pathlib import PurePath
from typing import Any, BinaryIO, cast
from urllib.parse import quote
from xml.sax.saxutils import escape

from penstock.crawler.errors import BadQuery
from penstock.crawler.messages import CanonicalUrl
from penstock.crawler.policies.rewrite import Rewrite
from penstock.crawler.policies.robots_directives import forbids_indexing
from penstock.crawler.urls import canonical, is_http, origin
from penstock.storage.exports import ExportFiles, ExportSource

ABOUT = "sitemap.xml of the pages that are their own canonical; over 50,000 need several files with an index"
TAKES = "crawl"

MAX_URLS = 50_000  # sitemaps.org, of a sitemap and of an index
MAX_BYTES = 50 << 20  # sitemaps.org, before compression
MAX_URL_CHARS = 2_047  # sitemaps.org: fewer than 2,048
_LONGEST_ENTRY = MAX_URL_CHARS * 6 + 200  # bytes; an apostrophe is written with six characters

# Sorted, so that equal crawls have equal sitemaps.
_PAGES = """
    SELECT url, canonical, robots, last_modified, fetched_at FROM pages
    WHERE status = 200 AND error IS NULL AND content_type IN ('text/html', 'application/xhtml+xml')
    ORDER BY url
"""
_SPACE = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
_NO_PAGE = "no page belongs in a sitemap: each is a copy, has noindex, is no HTML, or failed"
# Sites write semicolons and bars between directives too, and what they mean is plain.
_DIRECTIVE_ENDS = re.compile("[,;|\n]")
_OTHER_ENTITIES = {"'": "&apos;", '"': "&quot;"}  # sitemaps.org asks for these two as well
_WEB_BEGINS = datetime(1990, 1, 1, tzinfo=UTC)
_CLOCKS_DIFFER = timedelta(minutes=5)

Entry = tuple[CanonicalUrl, str]  # URL, and its lastmod element or ""


def write(source: ExportSource, files: ExportFiles) -> int:
    """Raises BadQuery if no page can be listed: a sitemap without entries is not valid."""
    pages = _pages(source)
    first = list(islice(pages, MAX_URLS + 1))
    if not first:
        raise BadQuery(_NO_PAGE)
    if len(first) <= MAX_URLS and sum(len(url) + 200 for url, _ in first) < MAX_BYTES:
        return _urlset(iter(first), source, files.main(), files.name)
    return _several(chain(first, pages), source, files)


def _pages(source: ExportSource) -> Iterator[Entry]:
    rules: Any = source.provenance.get("crawl", {})
    strip = Rewrite(rules.get("strip_param", ()), bool(rules.get("strip_sessions")))
    rewrite = Rewrite(
        strip.strip_params,
        strip.strip_sessions,
        bool(rules.get("sort_query")),
        bool(rules.get("fold_index")),
    )
    rows: Any = source.reader.select(_PAGES)
    for url, named, robots, modified, fetched_at in rows:
        if named is not None and named != url:
            # Canonical again: the column may be of an older version, or of another document kind.
            other = canonical(named.partition("#")[0])
            if other is None or not is_http(other) or rewrite(CanonicalUrl(other)) != url:
                continue
            url = strip(CanonicalUrl(other))
        if _may_be_indexed(robots) and len(url) <= MAX_URL_CHARS and "@" not in origin(url):
            yield url, _lastmod(modified, fetched_at)


def _may_be_indexed(robots: str | None) -> bool:
    """False if X-Robots-Tag or meta robots forbid it to all robots ("none" is noindex and nofollow)."""
    # A directive with a colon is for one robot, or has a value, such as "max-image-preview: none".
    directives = _DIRECTIVE_ENDS.split((robots or "").lower())
    return not any(forbids_indexing(directive) for directive in directives if ":" not in directive)


def _several(pages: Iterator[Entry], source: ExportSource, files: ExportFiles) -> int:
    """Write the parts, then the index, with URLs at the root of the first page's site."""
    name = PurePath(files.name.removesuffix(".gz"))
    packed = ".gz" if files.name.endswith(".gz") else ""
    count = 0
    parts: list[str] = []
    base = ""
    for entry in pages:
        base = base or origin(entry[0])
        parts.append(f"{name.stem}-{len(parts) + 1}{name.suffix}{packed}")
        count += _urlset(chain([entry], pages), source, files.part(parts[-1]), parts[-1])
    with _opened(files.main(), files.name) as out:
        out.write(_head("sitemapindex"))
        for part in parts:
            out.write(f"<sitemap><loc>{_escaped(f'{base}/{quote(part)}')}</loc></sitemap>\n".encode())
        out.write(b"</sitemapindex>\n")
    return count


def _urlset(pages: Iterable[Entry], source: ExportSource, file: BinaryIO, name: str) -> int:
    """Write one file up to its limits; return the number of URLs."""
    count = 0
    with _opened(file, name) as out:
        size = out.write(_head("urlset"))
        for url, lastmod in pages:
            size += out.write(f"<url><loc>{_escaped(url)}</loc>{lastmod}</url>\n".encode())
            count += 1
            source.on_record()
            if count == MAX_URLS or size > MAX_BYTES - _LONGEST_ENTRY:
                break
        out.write(b"</urlset>\n")
    return count


@contextlib.contextmanager
def _opened(file: BinaryIO, name: str) -> Iterator[BinaryIO]:
    """The file as it is, or a compressed one if its name ends in .gz, as search engines read them too."""
    if not name.endswith(".gz"):
        yield file
        return
    # No name and no time in its header: equal crawls have equal files.
    with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:
        yield cast(BinaryIO, packed)


def _head(element: str) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{element} {_SPACE}>\n'.encode()


def _escaped(url: str) -> str:
    return escape(url, _OTHER_ENTITIES)


def _lastmod(modified: str | None, fetched_at: str) -> str:
    """Last-Modified as an element with a W3C date; empty if it is unknown.

    It is unknown if the header is no date, lies in the future, or is that of a clock at zero (1970, 1980).
    """
    try:
        when = parsedate_to_datetime(modified or "")
        when = when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
        latest = datetime.fromisoformat(fetched_at) + _CLOCKS_DIFFER
    except (ValueError, TypeError, OverflowError, IndexError):
        return ""
    return f"<lastmod>{when:%Y-%m-%dT%H:%M:%SZ}</lastmod>" if _WEB_BEGINS <= when <= latest else ""
