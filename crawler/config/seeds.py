"""Seeds: check the URLs that a crawl starts from.

May touch: urls, errors; the file system, to see whether a seed is the name of a file.

A password must reach neither the database nor a message: a seed with one is refused, and every
message hides the text before an `@`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from penstock.crawler.config import option_checks as checks
from penstock.crawler.errors import BadConfig, close_match
from penstock.crawler.messages import CanonicalUrl
from penstock.crawler.urls import MAX_URL_CHARS, canonical, host_name, is_http, split

# The authority of an http(s) URL by the WHATWG standard: after any number of slashes or
# backslashes, everything up to the next one.
_HTTP_AUTHORITY = re.compile(r"https?:[/\\]*([^/\\?#]*)", re.IGNORECASE)
_BEFORE_AT = re.compile(r"\A((?:[a-z][a-z0-9+.-]*:)?[/\\]*).*@", re.IGNORECASE | re.DOTALL)
_BARE_HOST = re.compile(
    r"(?:[\w-]+(?:\.[\w-]+)+|[\w-]+(?=:\d)|localhost|\[[0-9a-f:.]+\])(?::\d+)?(?:[/?#].*)?\Z", re.IGNORECASE
)
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_PORT = re.compile(r":([^:\]]*)\Z")
_STRIPPED = "".join(map(chr, range(33)))  # the standard strips these at both ends
_INLINE_COMMENT = re.compile(r"(?:^|\s)#.*")  # a URL has no blank before its fragment


def check_seed(flag: str, text: str) -> str:
    """Return the canonical URL of a seed; raise BadConfig with one line."""
    url = canonical(text) if text.strip() else None
    if url is None or not is_http(url):
        raise BadConfig(
            f"{flag}: {checks.quote_value(hide_user(text))} is not an absolute http(s) URL{_hint(flag, text)}"
        )
    if "@" in _authority(text):
        hint = "remove it, and use --auth or PENSTOCK_AUTH if the site needs one"
        raise BadConfig(f"{flag}: {checks.quote_value(hide_user(text))} contains a user name; {hint}")
    # The URL standard allows host names that the DNS cannot hold.
    host = host_name(split(CanonicalUrl(url)).host)
    if len(host) > 253 or not all(0 < len(label) <= 63 for label in host.removesuffix(".").split(".")):
        problem = "has a host name with an empty or too long part (RFC 1035 section 2.3.4)"
        raise BadConfig(f"{flag}: {checks.quote_value(url)} {problem}")
    if len(url) > MAX_URL_CHARS:
        size = f"has {len(url)} characters; the limit is {MAX_URL_CHARS}"
        raise BadConfig(f"{flag}: {checks.quote_value(url)} {size}")
    return url


def check_seeds(flag: str, value: object) -> object:
    """Check the whole list: at least one seed, all valid; each canonical URL is kept once."""
    seeds = checks.as_texts(flag, value)
    if not seeds:
        raise BadConfig(f"{flag}: at least one is needed, such as --seed https://example.com/")
    return checks.each(check_seed)(flag, seeds)


def parse_seed_lines(lines: Iterable[str]) -> list[str]:
    """Seeds of a text file: one URL per line; blank lines and # comments are skipped."""
    stripped = (_INLINE_COMMENT.sub("", line).strip() for line in lines)
    return [line for line in stripped if line]


def hide_user(text: str) -> str:
    """Hide the text before an `@`, wherever that is: for messages only."""
    return _BEFORE_AT.sub(r"\1***@", text)


def _authority(text: str) -> str:
    # The standard removes tabs and line breaks anywhere, so they must not hide an `@` from us.
    match = _HTTP_AUTHORITY.match(text.strip(_STRIPPED).translate({9: None, 10: None, 13: None}))
    return match[1] if match else ""


def _hint(flag: str, text: str) -> str:
    """What is wrong with it, or what was probably meant, where that is plain; or ''."""
    text = text.strip()
    if not text:
        return " (it is empty)"
    if len(text) < 500 and "://" not in text and "\0" not in text and os.path.isfile(text):
        what = "a file; a list of URLs is read with --seeds" if flag == "--seed" else "a file"
        return f" (it is {what})"
    scheme = _SCHEME.match(text)
    if scheme is not None and scheme[1].lower() not in ("http", "https"):
        close = close_match(scheme[1], ("http", "https")) if len(scheme[1]) > 2 else ""
        return close or " (only http and https can be crawled)"
    if scheme is not None:
        authority = _authority(text).rpartition("@")[2]
        if any(character.isspace() for character in authority):
            return " (a host name contains no spaces)"
        port = _PORT.search(authority)
        is_bad_port = port is not None and not (port[1].isdigit() and int(port[1][:6]) <= 65_535)
        return " (its port is not valid)" if is_bad_port else " (its host name is not valid)"
    guess = None
    if text.startswith("//"):
        guess = canonical("http:" + text)
    elif _BARE_HOST.match(text):
        guess = canonical("http://" + text)
    return f"; did you mean {guess}?" if guess and "@" not in text and len(guess) < 100 else ""
