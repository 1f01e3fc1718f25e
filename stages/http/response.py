"""Response: the status line and headers of a response, as far as the crawl uses them.

May touch: aiohttp's names of headers, the standard library's e-mail date parser, the clock.

A header that cannot be read counts as missing: it is the site's mistake, and must not cost the page.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from aiohttp import hdrs

from penstock.crawler.messages import REDIRECTS, Answer, CanonicalUrl
from penstock.crawler.urls import resolve
from penstock.stages.http.content_coding import codings_of
from penstock.stages.http.mime import extract_mime

if TYPE_CHECKING:
    from penstock.stages.http.aiohttp_inside import RawResponseMessage
    from penstock.stages.http.exchange import Body
    from penstock.stages.http.request import HeaderLines

_WHOLE_RANGE = re.compile(
    r"\s*bytes\s+0-(\d{1,15})/(\d{1,15})\s*\Z", re.ASCII | re.I
)  # RFC 9110 section 14.4
MAX_DIGITS = 15  # beyond it a number of seconds or bytes is nonsense, and int() slow


class ResponseHead:
    """The head of one response that has just arrived."""

    __slots__ = (
        "_fetched_at",
        "_headers",
        "_is_chunked",
        "_latency",
        "_lines",
        "_message",
        "_request",
        "_started",
        "_status_line",
        "_url",
        "mime",
        "status",
    )

    def __init__(
        self,
        url: CanonicalUrl,
        message: RawResponseMessage,
        *,
        fetched_at: float,
        started: float,
        sent_at: float,
    ) -> None:
        """`fetched_at`: unix seconds. `started`: when the fetch began, and `sent_at`: when the request
        was sent; both monotonic seconds."""
        self._url = url
        self._headers = message.headers
        self._is_chunked = message.chunked
        self._lines: HeaderLines = ()
        self._message = message
        self._status_line: str | None = None
        self._request: HeaderLines = ()
        self._fetched_at = fetched_at
        self._started = started
        self._latency = time.monotonic() - sent_at
        self.status: int = message.code
        self.mime = extract_mime(message.headers.getall(hdrs.CONTENT_TYPE, ()))

    @property
    def is_page(self) -> bool:
        """True for a status whose body represents the page that was asked for: any 2xx (RFC 9110
        section 15.3; one that nobody knows is read as 200), but not a part of it that nobody asked for."""
        if self.status == 200:
            return True
        return 200 <= self.status < 300 and not (self.status == 206 and self._is_part)

    @property
    def _is_part(self) -> bool:
        """True if Content-Range does not name the whole."""
        value = self._headers.get(hdrs.CONTENT_RANGE)
        found = None if value is None else _WHOLE_RANGE.match(value)
        return value is not None and (found is None or int(found[1]) + 1 != int(found[2]))

    @property
    def coding(self) -> str | None:
        """The codings of the body, with commas, in the order in which they were applied.

        Those of Transfer-Encoding come last (RFC 9112 section 6.1). "chunked" is undone already. Where
        it is named but does not frame the body, the codings before it are not there either.
        """
        headers = self._headers
        coding = headers.get(hdrs.CONTENT_ENCODING)
        transfer = headers.get(hdrs.TRANSFER_ENCODING)
        if coding is not None:
            coding = ",".join(headers.getall(hdrs.CONTENT_ENCODING))
        if transfer is not None and transfer != "chunked":
            transfer = ",".join(headers.getall(hdrs.TRANSFER_ENCODING))
            if self._is_chunked or "chunked" not in transfer.lower():
                coding = transfer if coding is None else f"{coding},{transfer}"
        return coding

    @property
    def content_length(self) -> int | None:
        return content_length(self._headers)

    @property
    def may_sniff_scripts(self) -> bool:
        """False if the server forbids to find a type that could run scripts (Fetch standard,
        "determine nosniff")."""
        options = self._headers.get("X-Content-Type-Options", "")
        return options.partition(",")[0].strip().lower() != "nosniff"

    @property
    def set_cookies(self) -> list[str]:
        """The values of the Set-Cookie headers, each on its own: a comma may be part of a date."""
        return [text_of(value) or "" for value in self._headers.getall(hdrs.SET_COOKIE, ())]

    def keep_headers(self, *, cookies: bool) -> None:
        """Have the answer hold all headers too; `cookies`: with Set-Cookie."""
        self._lines = tuple(
            (str(name), text_of(value) or "")  # not the multidict's own str, which cannot be encoded
            for name, value in self._headers.items()
            if cookies or name.lower() != "set-cookie"
        )

    def keep_lines(self, request: HeaderLines) -> None:
        """Have the answer hold its status line too, and the headers of its request."""
        version, reason = self._message.version, self._message.reason or ""
        line = f"HTTP/{version.major}.{version.minor} {self.status} {reason}".rstrip()
        self._status_line, self._request = text_of(line), request

    def answer(self, body: Body | None = None) -> Answer:
        """All that is known at the end of the fetch."""
        headers = self._headers
        location = headers.get(hdrs.LOCATION) if self.status in REDIRECTS else None
        return Answer(
            status=self.status,
            fetched_at=self._fetched_at,
            latency=self._latency,
            elapsed_ms=round((time.monotonic() - self._started) * 1000),
            content_type=self.mime.essence,
            charset=self.mime.charset,
            body_bytes=content_length(headers) if body is None else len(body.content),
            content_hash=None if body is None else body.digest,
            location=None if location is None else resolve(self._url, text_of(location) or ""),
            retry_after=parse_retry_after(headers.get(hdrs.RETRY_AFTER), time.time()),
            etag=text_of(headers.get(hdrs.ETAG)),
            last_modified=text_of(headers.get(hdrs.LAST_MODIFIED)),
            robots=text_of("\n".join(headers.getall("X-Robots-Tag", ()))) or None,
            link=text_of(", ".join(headers.getall(hdrs.LINK))) if hdrs.LINK in headers else None,
            refresh=text_of(headers.get("Refresh")),
            sets_cookie=hdrs.SET_COOKIE in headers,
            headers=self._lines,
            status_line=self._status_line,
            request=self._request,
        )


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Read Retry-After as seconds to wait from `now` (unix seconds). Never negative.

    Accepts delay-seconds and an HTTP-date (RFC 9110 section 10.2.3). Does not raise.
    """
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value[:MAX_DIGITS])
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if date.tzinfo is None:  # "-0000" in e-mail's words; HTTP has GMT only
        date = date.replace(tzinfo=UTC)
    return max(date.timestamp() - now, 0.0)


def text_of(value: str | None) -> str | None:
    """A field value as text that can be stored.

    aiohttp keeps bytes that are no UTF-8 as lone surrogates. They are read as Latin-1 here, as HTTP
    once defined them (RFC 9110 section 5.5) and as browsers read a Location.
    """
    if value is None or value.isascii():
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogateescape").decode("latin-1")
    return value


def content_length(headers: Mapping[str, str]) -> int | None:
    """The Content-Length of a body that is not content-coded; None if there is no such number."""
    value = headers.get("Content-Length", "").strip()
    if not (value.isascii() and value.isdigit()) or len(value) > MAX_DIGITS:
        return None
    if "Content-Encoding" in headers and codings_of(headers["Content-Encoding"]):
        return None
    return int(value)
