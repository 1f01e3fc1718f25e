"""Robots text: what a robots.txt says to one crawler, by RFC 9309. Bytes in, rules out.

May touch: messages, urls, robots_rules.

Whatever a server sends can be read: a line that says nothing is passed over, and costs no
other line. Text is held with one character per octet (latin-1), because the RFC compares
octets, and because nothing can go wrong in that.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from msgspec import Struct

from penstock.crawler.messages import CanonicalUrl
from penstock.crawler.policies.robots_rules import Rule, RuleBook, rule
from penstock.crawler.urls import MAX_URL_CHARS, canonical, is_http

PRODUCT_TOKEN = "Penstock"
"""The name that robots.txt groups match, unless the operator gave a User-Agent of their own."""

MAX_SITEMAPS = 10_000

_BLANK = " \t\v\f"
# Section 2.2.1 knows letters, _ and -. Digits too are read, for the names that have them (008,
# 360Spider); anything behind the token (a version, a second word) is not compared, as Google has it.
_TOKEN = re.compile(r"[A-Za-z0-9_-]+(?![A-Za-z0-9_-]|[^\0-\x7F])")
_EVERYBODY = re.compile(r"\*(?![A-Za-z0-9_-])")
_COMPATIBLE = re.compile(r"\bcompatible; *([A-Za-z0-9_-]+)")  # Mozilla/5.0 (compatible; Name/1.0)
_SECONDS = re.compile(r"\d{1,9}(\.\d{0,9})?|\.\d{1,9}", re.ASCII)


class Kind(Enum):
    USER_AGENT = "user-agent"
    ALLOW = "allow"
    DISALLOW = "disallow"
    CRAWL_DELAY = "crawl-delay"  # a convention
    SITEMAP = "sitemap"  # sitemaps.org


# Misspelt as the web misspells them: what Google's parser reads, and what crawler-commons found.
_MISSPELT = {
    Kind.USER_AGENT: ("useragent", "user agent", "useg-agent"),
    Kind.DISALLOW: ("dissallow", "dissalow", "disalow", "diasllow", "disallaw", "desallow"),
    Kind.CRAWL_DELAY: ("crawldelay", "crawl delay"),
    Kind.SITEMAP: ("site-map",),
}
_KINDS = {kind.value: kind for kind in Kind} | {name: kind for kind in _MISSPELT for name in _MISSPELT[kind]}


class Directive(NamedTuple):
    line: int  # from 1
    kind: Kind
    value: str  # without comment and surrounding blanks; one character per octet


class RobotsTxt(Struct, frozen=True):
    """What a file says to one crawler."""

    rules: RuleBook
    crawl_delay: float | None  # seconds
    sitemaps: tuple[CanonicalUrl, ...]  # for everybody; in the file's order, each once


def read(body: bytes, token: str = PRODUCT_TOKEN) -> RobotsTxt:
    """Read a robots.txt as the crawler with this product token has to."""
    own, everybody = _Group(), _Group()
    sitemaps: dict[CanonicalUrl, None] = {}
    addressed: set[_Group] = set()
    naming = False  # the line before, blank and other lines aside, was a user-agent line
    for line, kind, value in directives(body):
        if kind is Kind.USER_AGENT:
            if not naming:
                addressed = set()
            naming = True
            if group := own if _names(value, token) else everybody if _EVERYBODY.match(value) else None:
                group.exists = True
                addressed.add(group)
        elif kind is Kind.SITEMAP:
            # Like Crawl-delay it is no part of the RFC, and so it may not end a group (section 2.2.4).
            if len(sitemaps) < MAX_SITEMAPS and (url := _url(value)) is not None:
                sitemaps[url] = None
        elif kind is Kind.CRAWL_DELAY:
            if _SECONDS.fullmatch(value):
                for group in addressed:
                    group.delays.append(float(value))
        else:
            naming = False
            if value:  # an empty pattern matches nothing
                for group in addressed:
                    group.lines.append((line, kind is Kind.ALLOW, value))
    group = own if own.exists else everybody
    return RobotsTxt(RuleBook(group.rules()), next(iter(group.delays), None), tuple(sitemaps))


def directives(body: bytes) -> Iterator[Directive]:
    """The lines that say something, of whatever group."""
    for number, line in enumerate(_lines(body), 1):
        if not line:
            continue
        if "#" in line:
            line = line.partition("#")[0]
        name, colon, value = line.partition(":")
        if not colon:
            # Grammatically nothing, but plain enough; Google reads it too.
            words = line.replace("\t", " ").strip(_BLANK).split(" ", 1)
            name, value = words if len(words) == 2 and " " not in words[1].strip(_BLANK) else ("", "")
        kind = _KINDS.get(name.strip(_BLANK).lower())
        if kind is not None:
            yield Directive(number, kind, value.strip(_BLANK))


def product_token(user_agent: str) -> str:
    """The name in a User-Agent by which robots.txt files would call it.

    The first product, or the one that says it is compatible with Mozilla's. Ours, if
    there is none.
    """
    found = _TOKEN.match(user_agent.strip())
    token = found[0] if found else ""
    if token.lower() == "mozilla" and (compatible := _COMPATIBLE.search(user_agent)):
        token = compatible[1]
    return token if any(char.isalpha() for char in token) else PRODUCT_TOKEN


class _Group:
    """All groups of one name together (section 2.2.1)."""

    def __init__(self) -> None:
        self.exists = False
        self.lines: list[tuple[int, bool, str]] = []
        self.delays: list[float] = []

    def rules(self) -> Iterator[Rule]:
        return (rule(*line) for line in self.lines)


def _names(value: str, token: str) -> bool:
    found = _TOKEN.match(value)
    return found is not None and found[0].lower() == token.lower()


def _lines(body: bytes) -> list[str]:
    """Lines end in CR, LF or both."""
    for mark, encoding in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        if body.startswith(mark):
            body = body[2:].decode(encoding, "replace").encode("utf-8")
    for length in (3, 2, 1):  # a mark that was cut is still no part of the first line
        if body.startswith(codecs.BOM_UTF8[:length]):
            body = body[length:]
            break
    return body.decode("latin-1").replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _url(value: str) -> CanonicalUrl | None:
    url = canonical(value.encode("latin-1").decode("utf-8", "replace"))
    return CanonicalUrl(url) if url is not None and is_http(url) and len(url) <= MAX_URL_CHARS else None
