"""Target: one input through everything that reads bytes of the web. Nothing may raise.

The first byte chooses the reader and the second the charset label, the rest is the document.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from penstock.crawler.messages import CanonicalUrl, Content, Document, RobotsAnswer, RobotsTask
from penstock.crawler.policies.robots_txt import RobotsPolicy
from penstock.crawler.scheduler.robots_cache import RobotsRules
from penstock.crawler.urls import MAX_URL_CHARS, canonical, is_http
from penstock.stages.extractors.html import HtmlExtractor
from penstock.stages.extractors.xml.sitemap import read_sitemap
from penstock.stages.http.content_coding import CodingError, Decoder
from penstock.stages.http.mime import parse_mime
from penstock.stages.http.response import parse_retry_after, text_of
from penstock.stages.workers.wire import ContentAnswer, decode_content, encode
from penstock.storage.writing.interned_strings import storable

URL = CanonicalUrl("http://a.test/b/c?d=e")
LABELS = (
    None,
    "utf-8",
    "utf-16le",
    "utf-16be",
    "windows-1252",
    "shift_jis",
    "gb18030",
    "iso-2022-jp",
    "big5",
    "euc-kr",
    "x-user-defined",
    "replacement",
    "utf-7",
    "zlib",
)
MAX_BYTES = 20_000  # more only makes the parser's quadratic cases slow


def page(body: bytes, charset: str | None) -> None:
    content = HtmlExtractor().read(Document(url=URL, body=body, charset=charset))
    assert decode_content(encode(ContentAnswer(content))).content == content
    check_content(content)


def check_content(content: Content) -> None:
    """What the database and the frontier take for granted."""
    assert len({link.url for link in content.links}) == len(content.links)
    for link in content.links:
        check_url(link.url)
        storable(link.text).encode()
        storable(link.rel).encode()
    for text in (content.title, content.robots, content.language, content.canonical):
        if text is not None:
            storable(text).encode()


def check_url(url: str) -> None:
    assert is_http(url)
    assert len(url) <= MAX_URL_CHARS
    assert url.isascii()
    assert url.isprintable()
    assert "#" not in url
    assert canonical(url) == url, "not idempotent"


def sitemap(body: bytes, charset: str | None) -> None:
    found = read_sitemap(body, url=URL, charset=charset)
    assert len(found.locations) == len(found.lastmods)
    for url in found.locations:
        check_url(url)


def robots(body: bytes, charset: str | None) -> None:
    answer = RobotsAnswer(
        task=RobotsTask(origin="http://a.test", host="a.test"), fetched_at=0.0, status=200, body=body
    )
    rules = RobotsRules.of(answer, RobotsPolicy(token="penstock"))
    assert rules.allows(URL) in (True, False)
    assert rules.crawl_delay >= 0
    for url in rules.sitemaps:
        check_url(url)


def headers(body: bytes, charset: str | None) -> None:
    value = body.decode("utf-8", "surrogateescape")
    assert (parse_retry_after(value, 1e9) or 0.0) >= 0
    (text_of(value) or "").encode()
    parse_mime(value)
    url = canonical(value)
    if url is not None:
        assert canonical(url) == url, "not idempotent"


def coding(body: bytes, charset: str | None) -> None:
    names = ("gzip", "deflate", "gzip, deflate", "deflate, gzip, gzip")
    for name in names:
        decoder = Decoder(name, 100_000)
        try:
            size = sum(map(len, decoder.pieces(body)))
            decoder.finish()
        except CodingError:
            continue
        assert size <= 100_000


READERS: Sequence[Callable[[bytes, str | None], None]] = (page, sitemap, robots, headers, coding)


def one_input(data: bytes) -> None:
    if len(data) < 2 or len(data) > MAX_BYTES:
        return
    READERS[data[0] % len(READERS)](data[2:], LABELS[data[1] % len(LABELS)])
