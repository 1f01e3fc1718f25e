"""ResponseHead: what an answer's status line and headers say, as far as anybody asks.

May touch: aiohttp's names of headers, the clock.
"""

from __future__ import annotations

import time

from aiohttp import hdrs
from aiohttp.http import RawResponseMessage

from penstock.crawler.messages import REDIRECTS, Answer, CanonicalUrl
from penstock.crawler.urls import resolve
from penstock.stages.http.body import Body
from penstock.stages.http.headers import content_length, parse_retry_after, text_of
from penstock.stages.http.mime import parse_mime
from penstock.stages.http.sent_credentials import Lines


class ResponseHead:
    """One answer, as far as its head goes; it has just come in."""

    __slots__ = ("_fetched_at", "_headers", "_latency", "_lines", "_started", "_url", "mime", "status")

    def __init__(
        self,
        url: CanonicalUrl,
        said: RawResponseMessage,
        *,
        fetched_at: float,
        started: float,
        asked_at: float,
    ) -> None:
        """`fetched_at`: unix seconds; when the fetch `started`, and when the server was asked: monotonic."""
        self._url = url
        self._headers = said.headers
        self._lines: Lines = ()
        self._fetched_at = fetched_at
        self._started = started
        self._latency = time.monotonic() - asked_at
        self.status: int = said.code
        self.mime = parse_mime(said.headers.get(hdrs.CONTENT_TYPE))

    @property
    def coding(self) -> str | None:
        return self._headers.get(hdrs.CONTENT_ENCODING)

    def keep_lines(self, *, cookies: bool) -> None:
        """Have the answer hold all headers too."""
        self._lines = tuple(
            (name, text_of(value) or "")
            for name, value in self._headers.items()
            if cookies or name.lower() != "set-cookie"
        )

    def answer(self, body: Body | None = None) -> Answer:
        """What is known at the end of the fetch."""
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
            headers=self._lines,
        )
