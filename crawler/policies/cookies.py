"""Cookies: which of an operator's cookies belong to a request (RFC 6265 §5.4).

May touch: messages, urls.

They come from a file that a browser exported, and are only sent, never changed: cookies that
a server sets are not kept, because then a page would depend on which pages were requested before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from penstock.crawler.messages import CanonicalUrl
from penstock.crawler.urls import canonical, host_name, split

_HTTP_ONLY = "#HttpOnly_"  # before a domain; any other # begins a comment
_BAD_VALUE = re.compile(r"[\x00-\x1f\x7f;]")  # characters that end the header or the cookie
_TIME = re.compile(r"-?\d{1,20}(\.\d*)?\Z", re.ASCII)
_NOT_OF_A_DOMAIN = frozenset("/\\?#@")
_TRUTH = {"TRUE": True, "FALSE": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cookie:
    """One cookie of the file."""

    domain: str  # as a canonical URL spells it
    subdomains: bool
    path: str
    secure: bool  # https only
    expires: float | None  # unix seconds; None: a session cookie, which never expires here
    name: str = field(repr=False)
    value: str = field(repr=False)

    def is_for(self, host: str, path: str, *, secure: bool, now: float) -> bool:
        """True if the cookie is sent with a request at `now` for `path` (with its query) on `host`.

        `host` is the cookie's domain or a subdomain of it.
        """
        if (self.secure and not secure) or (self.expires is not None and self.expires <= now):
            return False
        # An IP address has no parent domain (RFC 6265 §5.1.3): `.0.0.1` is read as an address of its own.
        if host != self.domain and not self.subdomains:
            return False
        return path_matches(path.partition("?")[0], self.path)


def path_matches(path: str, cookie_path: str) -> bool:
    """True if `path` (without query) is that of the cookie or below it (RFC 6265 section 5.1.4)."""
    return path.startswith(cookie_path) and (
        len(path) == len(cookie_path) or cookie_path.endswith("/") or path[len(cookie_path)] == "/"
    )


class Cookies:
    """A file's cookies, by domain."""

    def __init__(self, cookies: Sequence[Cookie]) -> None:
        self.count = len(cookies)
        self._by_domain: dict[str, list[Cookie]] = {}
        for cookie in cookies:
            self._by_domain.setdefault(cookie.domain, []).append(cookie)

    def __repr__(self) -> str:
        return f"Cookies({self.count} of {len(self._by_domain)} domains)"

    def has_any_for(self, origin: str, *, now: float) -> bool:
        """True if some page of `origin` (scheme://host:port) is requested with a cookie at `now`."""
        secure, host, _ = split(CanonicalUrl(f"{origin}/"))
        return any(
            cookie.is_for(host_name(host), cookie.path, secure=secure, now=now)
            for domain in _and_parents(host_name(host))
            for cookie in self._by_domain.get(domain, ())
        )

    def header(self, url: CanonicalUrl, *, now: float) -> str | None:
        """Return the Cookie header of a request at `now` (unix seconds); None if no cookie belongs to it.

        Longer paths come first, then the file's order. Of two cookies with the same name, domain
        and path the later one is sent, as in a browser.
        """
        parts = split(url)
        found = [
            cookie
            for domain in _and_parents(host_name(parts.host))
            for cookie in self._by_domain.get(domain, ())
            if cookie.is_for(host_name(parts.host), parts.path, secure=parts.secure, now=now)
        ]
        latest = {(cookie.name, cookie.domain, cookie.path): cookie for cookie in found}
        ordered = sorted(latest.values(), key=lambda cookie: -len(cookie.path))
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in ordered) or None


def read_cookies(text: str) -> Cookies:
    """Read a cookie file in Netscape's format: seven fields a line, tabs between them.

    An expiry of 0, which browsers export for session cookies, means never. Raises ValueError,
    which names the number of the line but shows nothing of it.
    """
    cookies = []
    for number, line in enumerate(text.split("\n"), start=1):
        line = line.removesuffix("\r").removeprefix(_HTTP_ONLY)
        if not line.strip() or line.startswith("#"):
            continue
        cookie = _cookie(line.split("\t"))
        if cookie is None:
            raise ValueError(
                f"line {number} is not a cookie in Netscape's format (seven fields separated by tabs)"
            )
        cookies.append(cookie)
    if not cookies:
        raise ValueError("it contains no cookie")
    return Cookies(cookies)


def _cookie(fields: Sequence[str]) -> Cookie | None:
    if len(fields) == 6:  # an editor has stripped the tab before an empty value
        fields = [*fields, ""]
    if len(fields) != 7:
        return None
    domain, subdomains, path, secure, expires, name, value = fields
    flags: Mapping[str, bool] = _TRUTH
    url = canonical(f"http://{domain.removeprefix('.')}/") if not _NOT_OF_A_DOMAIN & set(domain) else None
    good = url is not None and subdomains.upper() in flags and secure.upper() in flags
    good = good and path.startswith("/") and (not expires or _TIME.match(expires) is not None)
    if url is None or not good or not name or _BAD_VALUE.search(name + value) or "=" in name:
        return None
    until = float(expires or 0)
    return Cookie(
        domain=host_name(split(CanonicalUrl(url)).host),
        subdomains=flags[subdomains.upper()],
        path=path,
        secure=flags[secure.upper()],
        expires=until if until > 0 else None,
        name=name,
        value=value,
    )


def _and_parents(host: str) -> Iterator[str]:
    while host:
        yield host
        host = host.partition(".")[2]
