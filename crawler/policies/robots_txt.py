"""Robots text: what a robots.txt answer (RFC 9309) and X-Robots-Tag headers say. Bytes in, rules out.

May touch: messages, urls, robots_rules.

Every body can be read: a line without meaning is passed over and costs no other line. Text is
held with one character per octet (latin-1), because the RFC compares octets, and because that
decoding cannot fail.

The X-Robots-Tag headers of a page are read here too (`rules_for`). A header line may begin with the
name of an agent, and then it binds that agent alone: `googlebot: noindex, nofollow`. A proxy that
joins header lines (RFC 9110 section 5.3 allows it) leaves names in the middle of a line, so a name
counts wherever a rule may begin, up to the end of its line. Not every word before a colon is a name:
some rules have values, and one of these is a date that may contain commas. No standard defines any of
this; Google's documentation does.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from msgspec import Struct

from penstock.crawler.messages import CanonicalUrl
from penstock.crawler.policies.robots_directives import forbids_links
from penstock.crawler.policies.robots_rules import RuleBook, rule
from penstock.crawler.urls import MAX_URL_CHARS, canonical, is_http, resolve_handwritten

PRODUCT_TOKEN = "Penstock"
"""The name that robots.txt groups match, unless the operator gave a User-Agent of their own."""

MAX_SITEMAPS = 10_000


class RobotsMeaning(Enum):
    RULES = "rules"  # 2xx: the body's rules hold
    ALLOW_ALL = "allow"  # 4xx "unavailable", and redirects that lead nowhere
    UNREACHABLE = "unreachable"  # 5xx, 429 and network errors: nothing may be requested


class RobotsPolicy(Struct, frozen=True, kw_only=True):
    """RFC 9309's bounds, and the product token of this crawler."""

    token: str = PRODUCT_TOKEN  # section 2.2.1
    max_redirects: int = 5  # section 2.3.1.2: at least five
    max_bytes: int = 500 * 1024 + 1  # section 2.5: at least 500 KiB; one more shows that there was more
    max_age: float = 24 * 3600.0  # section 2.4: not longer than 24 hours, seconds

    def meaning(self, status: int | None) -> RobotsMeaning:
        """Return what an answer of this status means; None: no answer came. Redirects are followed before."""
        if status is None or status >= 500 or status == 429:
            # Section 2.3.1.4. 429 is a 4xx by number, but it means "not now", which is no permission.
            return RobotsMeaning.UNREACHABLE
        if 200 <= status < 300:
            return RobotsMeaning.RULES
        return RobotsMeaning.ALLOW_ALL

    def readable(self, body: bytes) -> bytes:
        """Return the part of a body that is read: if it reaches `max_bytes`, up to its last whole line.

        Half a line is another rule: `Disallow: /` instead of `Disallow: /private`.
        """
        if len(body) < self.max_bytes:
            return body
        kept = body[: self.max_bytes]
        return kept[: max(kept.rfind(b"\n"), kept.rfind(b"\r")) + 1]


_BLANK = " \t\v\f"
# Section 2.2.1 knows letters, _ and -. Digits too are read, for the names that have them (008,
# 360Spider); anything behind the token (a version, a second word) is not compared, as Google has it.
_TOKEN = re.compile(r"[A-Za-z0-9_-]+(?![A-Za-z0-9_-]|[^\0-\x7F])")
_ALL_CRAWLERS = re.compile(r"\*(?![A-Za-z0-9_-])")
_COMPATIBLE = re.compile(r"\bcompatible; *([A-Za-z0-9_-]+)")  # Mozilla/5.0 (compatible; Name/1.0)
_AROUND_URL = " \t\v\f<>\"'`,\u201c\u201d\xa0\ufeff"
_SITEMAP_URL = re.compile(r"[ \t]*site-?map[ \t]+(https?:.*)", re.IGNORECASE)
_BETWEEN_URLS = re.compile(r"[\s,]+")
_BEGIN_OF_URL = re.compile(r"https?://|/", re.IGNORECASE)
_SECONDS = re.compile(r"\d{1,9}(\.\d{0,9})?|\.\d{1,9}", re.ASCII)


class Field(Enum):
    USER_AGENT = "user-agent"
    ALLOW = "allow"
    DISALLOW = "disallow"
    CRAWL_DELAY = "crawl-delay"  # a convention
    SITEMAP = "sitemap"  # sitemaps.org


# Common misspellings: those that Google's parser reads, and those that crawler-commons found.
_MISSPELT = {
    Field.USER_AGENT: ("useragent", "user agent", "useg-agent"),
    Field.DISALLOW: ("dissallow", "dissalow", "disalow", "diasllow", "disallaw", "desallow"),
    Field.CRAWL_DELAY: ("crawldelay", "crawl delay"),
    Field.SITEMAP: ("site-map",),
}
_KINDS = {kind.value: kind for kind in Field} | {name: kind for kind in _MISSPELT for name in _MISSPELT[kind]}


class Directive(NamedTuple):
    line: int  # from 1
    kind: Field
    value: str  # without comment and surrounding blanks; one character per octet


class RobotsTxt(Struct, frozen=True):
    """The part of a file that concerns one crawler."""

    rules: RuleBook
    crawl_delay: float | None  # seconds
    sitemaps: tuple[CanonicalUrl, ...]  # for all crawlers; in the file's order, each once
    refused_sitemaps: int = 0  # Sitemap lines that name no http(s) URL, a too long one, or one too many


def read(body: bytes, token: str = PRODUCT_TOKEN, url: CanonicalUrl | None = None) -> RobotsTxt:
    """Read a robots.txt for the crawler with this product token. Does not raise.

    `url`: its own, after redirects. Sitemap lines that are relative to it are read then.
    """
    own, all_crawlers = _Group(), _Group()
    sitemaps: dict[CanonicalUrl, None] = {}
    refused_sitemaps = 0
    addressed: set[_Group] = set()
    naming = False  # the line before, blank and other lines aside, was a user-agent line
    for line, kind, value in directives(body):
        if kind is Field.USER_AGENT:
            if not naming:
                addressed = set()
            naming = True
            found = _TOKEN.match(value)
            if found is not None and found[0].lower() == token.lower():
                addressed.add(own)
                own.exists = True
            elif _ALL_CRAWLERS.match(value):
                addressed.add(all_crawlers)
        elif kind is Field.SITEMAP:
            # Like Crawl-delay it is not part of the RFC, and so it must not end a group (section 2.2.4).
            for reference in _references(value):
                found_url = _sitemap_url(reference, url)
                if found_url is None or (len(sitemaps) >= MAX_SITEMAPS and found_url not in sitemaps):
                    refused_sitemaps += 1
                else:
                    sitemaps[found_url] = None
        elif kind is Field.CRAWL_DELAY:
            if _SECONDS.fullmatch(value):
                for group in addressed:
                    group.delays.append(float(value))
        else:
            naming = False
            if value:  # an empty pattern matches nothing
                for group in addressed:
                    group.lines.append((line, kind is Field.ALLOW, value))
    group = own if own.exists else all_crawlers
    return RobotsTxt(
        RuleBook(rule(*line) for line in group.lines),
        next(iter(group.delays), None),
        tuple(sitemaps),
        refused_sitemaps,
    )


def _references(value: str) -> list[str]:
    """The URLs of one Sitemap line. Some sites write several into one line, or quote them."""
    text = value.encode("latin-1").decode("utf-8", "replace").strip(_AROUND_URL)
    parts = [part.strip(_AROUND_URL) for part in _BETWEEN_URLS.split(text)]
    return parts if len(parts) > 1 and all(map(_BEGIN_OF_URL.match, parts)) else [text]


def _sitemap_url(reference: str, base: CanonicalUrl | None) -> CanonicalUrl | None:
    """sitemaps.org asks for a whole URL; a relative one is resolved against the robots.txt itself."""
    url = canonical(reference) if base is None else resolve_handwritten(base, reference)
    return CanonicalUrl(url) if url is not None and is_http(url) and len(url) <= MAX_URL_CHARS else None


def directives(body: bytes) -> Iterator[Directive]:
    """Return the lines that have a meaning, of all groups."""
    for number, line in enumerate(_lines(body), 1):
        if not line:
            continue
        if "#" in line:
            line = line.partition("#")[0]
        name, colon, value = line.partition(":")
        if not colon:
            # The grammar asks for a colon, but Google reads such lines too.
            words = line.replace("\t", " ").strip(_BLANK).split(" ", 1)
            name, value = words if len(words) == 2 and " " not in words[1].strip(_BLANK) else ("", "")
        kind = _KINDS.get(name.strip(_BLANK).lower())
        if kind is None and (without_colon := _SITEMAP_URL.match(line)):
            kind, value = Field.SITEMAP, without_colon[1]  # the colon was that of the URL
        if kind is not None:
            yield Directive(number, kind, value.strip(_BLANK))


def product_token(user_agent: str) -> str:
    """Return the name under which robots.txt files address the sender of a User-Agent.

    That is the first product, or the one that is declared compatible with Mozilla.
    `PRODUCT_TOKEN` if there is none.
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


def _lines(body: bytes) -> list[str]:
    """Lines end in CR, LF or both."""
    for mark, encoding in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        if body.startswith(mark):
            body = body[2:].decode(encoding, "replace").encode("utf-8")
    for at, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if len(body) > 3 and body[at] == 0 == body[at + 2] and body[1 - at] != 0:  # without a mark
            body = body.decode(encoding, "replace").encode("utf-8")
    for length in (3, 2, 1):  # a truncated mark is not part of the first line either
        if body.startswith(codecs.BOM_UTF8[:length]):
            body = body[length:]
            break
    return body.decode("latin-1").replace("\r\n", "\n").replace("\r", "\n").split("\n")


_PARTS = re.compile("[,;|]")
# A name as in robots.txt, or `otherbot/1.0`, or `other.bot`; not a rule with a value, and not a date.
_AGENT = re.compile(
    r"(?<!\S)(?!max-|unavailable|[0-9]{4}-)(?=[0-9_./-]*+[a-z*])([a-z0-9_.*/-]++)[ \t]*+:", re.IGNORECASE
)


def forbids_following(lines: str | None, token: str) -> bool:
    """True if one of the header `lines` (separated by line feeds) forbids the crawler whose product
    token is `token` to follow any link of the page."""
    return lines is not None and any(map(forbids_links, rules_for(lines, token)))


def rules_for(lines: str, token: str) -> Iterator[str]:
    """Return the rules in X-Robots-Tag `lines` that bind `token`, lower case, in order."""
    ours = ("*", "robots", token.lower())  # `robots` is the name that means all in a meta element
    for line in lines.lower().split("\n"):
        binds = True
        for part in _PARTS.split(line):
            at = 0
            for name in _AGENT.finditer(part):
                if binds and (rule := part[at : name.start()].strip()):
                    yield rule
                binds, at = name[1].partition("/")[0] in ours, name.end()
            if binds and (rule := part[at:].strip()):
                yield rule
