"""Headers: read single response header fields. Pure; what cannot be read is None.

May touch: the standard library's e-mail date parser.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

MAX_DIGITS = 15  # beyond it a number of seconds or bytes is nonsense, and int() slow


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Read Retry-After as seconds to wait from `now` (unix seconds). Never negative.

    Accepts delay-seconds and an HTTP-date (RFC 9110 section 10.2.3). A bad header is the
    site's mistake and must not cost us the page: None.
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
    if date.tzinfo is None:  # "-0000" in e-mail's words; HTTP knows only GMT
        date = date.replace(tzinfo=UTC)
    return max(date.timestamp() - now, 0.0)


def text_of(value: str | None) -> str | None:
    """A field value as text that can be stored.

    aiohttp keeps bytes that are no UTF-8 as lone surrogates; read as Latin-1 they are what
    HTTP once said they were (RFC 9110 section 5.5), and what browsers make of a Location.
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
    if "Content-Encoding" in headers or not (value.isascii() and value.isdigit()) or len(value) > MAX_DIGITS:
        return None
    return int(value)
