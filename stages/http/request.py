"""Request: the bytes of a request, and the credentials that belong in it.

May touch: the log, the clock.

The header lines of a request are the same for every page of an origin, so they are made once for
each. Only the request's target differs, and that is the canonical URL's own spelling: yarl would
lose the `?` of an empty query.

Credentials belong to origins (scheme, host and port). So the question is asked anew for every
request: a page's, a robots.txt's, a sitemap's, each hop of a redirect.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from aiohttp import InvalidURL

from penstock.crawler.config.credentials import Proxy
from penstock.crawler.messages import CanonicalUrl, Jar
from penstock.crawler.output.logs import get_logger
from penstock.stages.http.aiohttp_inside import Destination, new_destination

if TYPE_CHECKING:
    from ssl import SSLContext

    from penstock.crawler.policies.cookies import Cookies
    from penstock.stages.http.trust import Trust

MAX_TEMPLATES = 1_024  # about 2 KiB each
MAX_WARNINGS = 5  # of withheld credentials; more would be noise in a crawl of many sites

HeaderLines = tuple[tuple[str, str], ...]  # names and values

log = get_logger()


class SentCredentials(NamedTuple):
    """The headers that one request has and others have not. Equal ones make equal requests."""

    in_request: HeaderLines = ()
    in_tunnel: HeaderLines = ()  # in the proxy's CONNECT
    identify: bool = False  # they name the operator, so a cookie in the response may be a key

    def with_cookies(self, cookies: str | None) -> SentCredentials:
        """The same with cookies of a jar. They replace cookies of the operator with the same names, and
        like these they may be a key."""
        headers = dict(self.in_request)
        own = next((name for name in headers if name.lower() == "cookie"), "Cookie")
        if cookies is not None:
            names = {pair.partition("=")[0] for pair in cookies.split("; ")}
            kept = [pair for pair in headers.get(own, "").split("; ") if pair.partition("=")[0] not in names]
            headers[own] = "; ".join([*filter(None, kept), cookies])
        return self._replace(in_request=tuple(headers.items()), identify=True)

    def with_form(self, length: int) -> SentCredentials:
        """The same for a request with a form of `length` bytes."""
        headers = ("Content-Type", "application/x-www-form-urlencoded"), ("Content-Length", str(length))
        return self._replace(in_request=(*self.in_request, *headers), identify=True)


NO_CREDENTIALS = SentCredentials()


class CredentialSender:
    """Holds the operator's credentials and the origins that may have them: none without `origins`."""

    def __init__(
        self,
        headers: Mapping[str, str],
        origins: frozenset[str] | None,
        cookies: Cookies | None,
        proxy: Proxy | None,
    ) -> None:
        self._headers = headers
        self._origins = origins or frozenset()
        self._cookies = cookies
        authorization = None if proxy is None or proxy.is_socks else proxy.authorization
        self._to_proxy: HeaderLines = (
            () if authorization is None else (("Proxy-Authorization", authorization),)
        )
        self._warned: set[str] = set()
        self.frozen: dict[str, Jar] = {}  # by origin: the cookies of a log-in, which never change

    def credentials_for(self, url: CanonicalUrl, site: str) -> SentCredentials:
        """`site`: the origin of `url`."""
        if not self._origins and not self._to_proxy and not self.frozen:
            return NO_CREDENTIALS
        own: HeaderLines = ()
        if site in self._origins:
            cookie = self._cookies and self._cookies.header(url, now=time.time())
            own = tuple(({**self._headers, "Cookie": cookie} if cookie else self._headers).items())
        if site.startswith("https:"):
            sent = SentCredentials(own, self._to_proxy, identify=bool(own))
        else:
            sent = SentCredentials(own + self._to_proxy, identify=bool(own))
        jar = self.frozen.get(site)
        return sent if jar is None else sent.with_cookies(jar.header(url, now=time.time()))

    def warn_if_withheld(self, site: str, sent: SentCredentials) -> None:
        """Called when `site` denied access: log once for each of a few origins that the operator's
        credentials were not sent there."""
        if sent.identify or not self._origins or not (self._headers or self._cookies):
            return
        if site not in self._warned and len(self._warned) < MAX_WARNINGS:
            self._warned.add(site)
            log.warning("credentials_withheld", origin=site, hint=f"--credentials-to {site}")


class RequestTemplate(NamedTuple):
    """The common part of all requests of one method to one origin, with equal credentials."""

    destination: Destination
    before: bytes  # the request, up to the path
    after: bytes  # and from the path's end


class RequestTemplates:
    """`headers` go with every request, and to the proxy that is asked for a tunnel; `proxy`: not SOCKS."""

    def __init__(
        self,
        headers: Mapping[str, str],
        proxy: Proxy | None,
        *,
        trust: Trust | None = None,
        shows_certificate: frozenset[str] = frozenset(),
    ) -> None:
        """`shows_certificate`: the origins that see the operator's certificate, if `trust` has one."""
        self._headers = headers
        self._trust = trust
        self._shows_certificate = shows_certificate
        self._proxy = None if proxy is None or proxy.is_socks else proxy.url
        self._template = lru_cache(MAX_TEMPLATES)(self._new_template)

    def request(
        self, method: str, url: CanonicalUrl, site: str, sent: SentCredentials
    ) -> tuple[Destination, bytes]:
        """The destination of a request, and its bytes. Raises aiohttp.InvalidURL."""
        destination, before, after = self._template(method, site, sent)
        target = url[len(site) :]
        if not (target.isascii() and target.isprintable()) or " " in target:
            raise InvalidURL(url)  # it would be more than one word of the first line
        return destination, b"%b%b%b" % (before, target.encode(), after)

    def _new_template(self, method: str, site: str, sent: SentCredentials) -> RequestTemplate:
        destination = new_destination(
            method,
            site,
            headers=self._headers,
            extra_headers=sent.in_request,
            proxy=self._proxy,
            tunnel_headers=sent.in_tunnel,
            tls=self._context_for(site),
        )
        lines = "".join(f"{name}: {_one_line(value)}\r\n" for name, value in destination.headers.items())
        to_proxy = self._proxy is not None and not site.startswith("https:")  # else a tunnel, or the host
        before = f"{method} {site}" if to_proxy else f"{method} "
        return RequestTemplate(destination, before.encode(), f" HTTP/1.1\r\n{lines}\r\n".encode())

    def _context_for(self, site: str) -> SSLContext | None:
        if self._trust is None:
            return None
        return self._trust.identified if site in self._shows_certificate else self._trust.anonymous


def _one_line(value: str) -> str:
    if any(character in value for character in "\r\n\0"):
        raise ValueError("a header's value is more than one line")
    return value
