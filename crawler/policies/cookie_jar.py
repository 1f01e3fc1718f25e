"""Cookie jar: keep the cookies of a few answers, and send each where RFC 6265 allows it.

May touch: messages, urls, the path rule of `cookies`.

A jar belongs to one exchange of a few requests (`penstock.crawler.scheduler.handshakes`) or to one
log-in, never to the crawl: with a jar that evolves, a page would depend on the pages requested before
it. The rules are those of RFC 6265 with the corrections of its successor (draft-ietf-httpbis-rfc6265bis):
public suffixes, the prefixes __Secure- and __Host-, and Secure cookies that plain HTTP can neither set nor
replace.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from msgspec import Struct

from penstock.crawler.messages import CanonicalUrl
from penstock.crawler.policies.cookies import path_matches
from penstock.crawler.urls import canonical, host_name, split

MAX_COOKIES = 20
MAX_COOKIE_BYTES = 4096  # of name and value (rfc6265bis section 5.6)
MAX_ATTRIBUTE_BYTES = 1024  # a longer value of an attribute is ignored (the same)

_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_BLANKS = " \t"
_NOT_OF_A_DOMAIN = frozenset("/\\?#@:")
_MAX_AGE = re.compile(r"-?[0-9]+\Z", re.ASCII)
_ADDRESS = re.compile(r"\[.*\]\Z|[0-9]+(\.[0-9]+){3}\Z", re.ASCII)
_NEVER = float("inf")

_DATE_DELIMITERS = re.compile(r"[\x09\x20-\x2f\x3b-\x40\x5b-\x60\x7b-\x7e]+")
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?![0-9])", re.ASCII)
_DAY = re.compile(r"([0-9]{1,2})(?![0-9])", re.ASCII)
_YEAR = re.compile(r"([0-9]{2,4})(?![0-9])", re.ASCII)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


class _Attributes(Struct, kw_only=True):
    """The attributes of a Set-Cookie header, as written; of repeated ones the last."""

    domain: str = ""
    path: str = ""
    expires: float | None = None  # unix seconds
    max_age: float | None = None  # seconds
    secure: bool = False


class _Cookie(Struct, frozen=True, kw_only=True, gc=False):
    name: str
    value: str
    domain: str  # as a canonical URL spells it
    host_only: bool
    path: str
    secure: bool
    expires: float  # unix seconds; infinity: a session cookie

    def __repr__(self) -> str:
        return f"<cookie of {self.domain}{self.path}>"  # its name and value may be a key

    def is_for(self, host: str, path: str, *, secure: bool) -> bool:
        if self.secure and not secure:
            return False
        return (host == self.domain if self.host_only else domain_matches(host, self.domain)) and (
            path_matches(path, self.path)
        )


class CookieJar:
    """Cookies of answers, in order of arrival. Holds at most `MAX_COOKIES`; the oldest gives way."""

    def __init__(self, registrable_domain: Callable[[str], str | None]) -> None:
        """`registrable_domain` names the domain that one owner registered, of a host without port; None:
        the host is a public suffix or an address (`penstock.crawler.config.domains`)."""
        self._registrable_domain = registrable_domain
        self._cookies: dict[tuple[str, str, bool, str], _Cookie] = {}

    def __len__(self) -> int:
        return len(self._cookies)

    def __repr__(self) -> str:
        return f"<CookieJar of {len(self)}>"

    def receive(self, url: CanonicalUrl, lines: Iterable[str], *, now: float) -> None:
        """Keep the cookies that the answer of `url` sets. `lines`: the values of its Set-Cookie headers,
        as sent. What cannot be read, or may not be set there, is ignored. Does not raise."""
        for line in lines:
            cookie = self._read(url, line, now)
            if cookie is None:
                continue
            key = (cookie.name, cookie.domain, cookie.host_only, cookie.path)
            if cookie.expires <= now:
                self._cookies.pop(key, None)
                continue
            self._cookies[key] = cookie  # a replaced one keeps its place: its creation time (section 5.3)
            if len(self._cookies) > MAX_COOKIES:
                del self._cookies[next(iter(self._cookies))]

    def header(self, url: CanonicalUrl, *, now: float) -> str | None:
        """Return the Cookie header of a request (RFC 6265 section 5.4); None if no cookie belongs to it."""
        secure, place, target = split(url)
        host, path = host_name(place), target.partition("?")[0]
        found = [
            cookie
            for cookie in self._cookies.values()
            if cookie.expires > now and cookie.is_for(host, path, secure=secure)
        ]
        found.sort(key=lambda cookie: -len(cookie.path))  # stable: then in order of arrival
        pairs = (f"{cookie.name}={cookie.value}" if cookie.name else cookie.value for cookie in found)
        return "; ".join(pairs) or None

    def _read(self, url: CanonicalUrl, line: str, now: float) -> _Cookie | None:
        if _CONTROLS.search(line):
            return None
        pair, _, rest = line.partition(";")
        name, equals, value = pair.partition("=")
        if not equals:
            name, value = "", pair
        name, value = name.strip(_BLANKS), value.strip(_BLANKS)
        if not (name or value) or len(f"{name}{value}".encode()) > MAX_COOKIE_BYTES:
            return None
        given = _attributes(rest)
        secure, place, target = split(url)
        host = host_name(place)
        domain = self._domain(host, given.domain)
        if domain is None or (given.secure and not secure):
            return None
        expires = _NEVER if given.expires is None else given.expires
        if given.max_age is not None:
            expires = now + given.max_age if given.max_age > 0 else -_NEVER
        cookie = _Cookie(
            name=name,
            value=value,
            domain=domain or host,
            host_only=not domain,
            path=given.path or _default_path(target),
            secure=given.secure,
            expires=expires,
        )
        if not _keeps_its_prefix(cookie, has_path=given.path == "/"):
            return None
        return None if not secure and self._would_hide_a_secure_one(cookie) else cookie

    def _domain(self, host: str, given: str) -> str | None:
        """Return the domain that a Domain attribute names; '' for the host alone, None: it may not be set."""
        if not given:
            return ""
        text = canonical(f"http://{given}/") if not _NOT_OF_A_DOMAIN & set(given) else None
        if text is None:
            return None
        domain = host_name(split(CanonicalUrl(text)).host)
        if self._registrable_domain(domain) is None:  # a public suffix with many owners, or an address
            return "" if domain == host else None
        return domain if domain_matches(host, domain) else None

    def _would_hide_a_secure_one(self, new: _Cookie) -> bool:
        """True if a Secure cookie of that name would be sent beside or instead of it."""
        return any(
            known.secure
            and known.name == new.name
            and (domain_matches(known.domain, new.domain) or domain_matches(new.domain, known.domain))
            and path_matches(new.path, known.path)
            for known in self._cookies.values()
        )


def domain_matches(host: str, domain: str) -> bool:
    """True if `host` is `domain` or a subdomain of it (RFC 6265 section 5.1.3). An address has none."""
    return host == domain or (host.endswith(f".{domain}") and not _ADDRESS.match(host))


def parse_cookie_date(text: str) -> float | None:
    """Read the date of an Expires attribute as unix seconds; None if it is none (RFC 6265 section 5.1.1)."""
    time = day = month = year = None
    for token in _DATE_DELIMITERS.split(text):
        if time is None and (found := _TIME.match(token)):
            time = [int(number) for number in found.groups()]
        elif day is None and (found := _DAY.match(token)):
            day = int(found[1])
        elif month is None and token[:3].lower() in _MONTHS:
            month = _MONTHS.index(token[:3].lower()) + 1
        elif year is None and (found := _YEAR.match(token)):
            year = int(found[1])
    if time is None or day is None or month is None or year is None:
        return None
    if year < 100:
        year += 1900 if year >= 70 else 2000
    if year < 1601:
        return None
    try:
        return datetime(year, month, day, time[0], time[1], time[2], tzinfo=UTC).timestamp()
    except ValueError:
        return None


def _attributes(text: str) -> _Attributes:
    found = _Attributes()
    for part in text.split(";"):
        name, _, value = part.partition("=")
        name, value = name.strip(_BLANKS).lower(), value.strip(_BLANKS)
        if len(value.encode()) > MAX_ATTRIBUTE_BYTES:
            continue
        match name:
            case "expires":
                date = parse_cookie_date(value)
                found.expires = date if date is not None else found.expires
            case "max-age" if _MAX_AGE.match(value):
                found.max_age = float(value)
            case "domain":
                found.domain = value.removeprefix(".")
            case "path":
                found.path = value if value.startswith("/") else ""
            case "secure":
                found.secure = True
            case _:
                pass  # HttpOnly and SameSite restrict scripts and other sites, and we are neither
    return found


def _default_path(target: str) -> str:
    """The path of a cookie without Path attribute (RFC 6265 section 5.1.4)."""
    path = target.partition("?")[0]
    return path[: path.rindex("/")] or "/"


def _keeps_its_prefix(cookie: _Cookie, *, has_path: bool) -> bool:
    """Names that begin with __Secure- or __Host- promise how they were set (rfc6265bis section 4.1.3)."""
    name = (cookie.name or cookie.value).lower()
    if name.startswith("__secure-"):
        return bool(cookie.name) and cookie.secure
    if name.startswith("__host-"):
        return bool(cookie.name) and cookie.secure and cookie.host_only and has_path
    return True
