"""Sitemap: read the URLs that a site lists of itself, in any of the forms of sitemaps.org.

May touch: the XML forms beside it, the label table of webencodings, the bounded inflater.
Never: raise for what a file contains; hold more of it than a piece, or follow an index.

Whoever reads one from a network feeds it chunk by chunk and takes the locations as they
come. Where a sitemap may list what (sitemaps.org, "location") is not asked here: entries
pass the same door as links, and the sitemaps we read were named by the site's robots.txt
or by the operator, which lifts that rule.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import webencodings

from crawler.messages import CanonicalUrl
from crawler.urls import MAX_URL_CHARS, canonical, is_http, resolve
from stages.extractors.sitemap_xml import MAX_TEXT, XmlReader, XmlStopped
from stages.extractors.transcode import BOMS, lookup
from stages.fetchers.coding import CodingError, Decoder

MAX_BYTES = 50 * 1024 * 1024  # sitemaps.org: 52,428,800, uncompressed
MAX_ENTRIES = 50_000  # sitemaps.org, for urls and for the sitemaps of an index
MAX_LASTMOD = 64  # characters; a date is shorter

_HEAD_BYTES = 1024  # an encoding is declared within these
_MAX_STRAY_LINES = 1_000  # of a text without any URL, until we believe that it is another text
_GZIP_MAGIC = b"\x1f\x8b"
_BLANK = "\ufeff\t\n\f\r "
_LINE_ENDS = re.compile(r"[\r\n]+")
_DECLARED = re.compile(rb"[\t\n\r ]*+<\?xml[^>]*?encoding[\t\n\r ]*+=[\t\n\r ]*+[\"']([A-Za-z0-9._:-]++)")

Kind = Literal["urlset", "index", "rss", "atom", "text"]


class Location(NamedTuple):
    url: CanonicalUrl  # http(s)
    lastmod: str | None  # as written


@dataclass(frozen=True, slots=True, kw_only=True)
class Sitemap:
    """What one file listed. With an `error`, that is what came before it:

    not_a_sitemap  it is something else, such as an HTML page; there is no `kind` then
    empty          it has nothing in it
    truncated      it broke off
    bad_xml        it is not well-formed, or nested or built beyond all measure
    dtd            it declares things of its own, such as entities
    bad_coding     it is no gzip file, though it begins like one
    too_large      it is longer than 50 MiB
    too_many       it has more than 50,000 entries
    """

    kind: str | None
    locations: Sequence[CanonicalUrl] = ()  # distinct, in order; of an index, sitemaps
    lastmods: Sequence[str | None] = ()  # of each location, as written
    error: str | None = None
    too_long: int = 0  # entries over the length limit
    other: int = 0  # entries without a valid http(s) URL


def read_sitemap(body: bytes, *, url: CanonicalUrl, charset: str | None = None) -> Sitemap:
    """Read a whole file at once; see SitemapReader. Does not raise."""
    return read_chunks([body], url=url, charset=charset)
