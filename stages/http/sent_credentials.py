"""SentCredentials: what a request says of who we are, and to whom.

May touch: the log, the clock.

Credentials belong to origins (scheme, host and port), so the question is asked anew for
every request: a page's, a robots.txt's, a sitemap's, each hop of a redirect.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from penstock.crawler.config.credentials import Proxy
from penstock.crawler.messages import CanonicalUrl
from penstock.crawler.output.logs import get_logger
from penstock.crawler.urls import origin

if TYPE_CHECKING:
    from penstock.crawler.policies.cookies import Cookies

MAX_WARNINGS = 5  # more would be noise in a crawl of many sites

Lines = tuple[tuple[str, str], ...]  # of headers: names and values

log = get_logger()


class SentCredentials(NamedTuple):
    """What one request carries besides what all do. Equal ones make equal requests."""

    in_request: Lines = ()
    in_tunnel: Lines = ()  # in the proxy's CONNECT
    known: bool = False  # it says who we are, so a cookie in its answer may be a key


NO_CREDENTIALS = SentCredentials()


class CredentialSender:
    """Knows what the operator gave, and whom it is for. Without `origins` it is for nobody."""

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
        self._proxy = proxy
        authorization = None if proxy is None or proxy.is_socks else proxy.authorization
        self._to_proxy: Lines = () if authorization is None else (("Proxy-Authorization", authorization),)
        self._told: set[str] = set()

    def carried(self, url: CanonicalUrl) -> SentCredentials:
        if not self._origins and not self._to_proxy:
            return NO_CREDENTIALS
        own = tuple(self._own(url).items())
        if url.startswith("https:"):
            return SentCredentials(own, self._to_proxy, known=bool(own))
        return SentCredentials(own + self._to_proxy, known=bool(own))

    def _own(self, url: CanonicalUrl) -> Mapping[str, str]:
        if origin(url) not in self._origins:
            return {}
        cookie = self._cookies and self._cookies.header(url, now=time.time())
        return {**self._headers, "Cookie": cookie} if cookie else self._headers

    def refused(self, url: CanonicalUrl, status: int, carried: SentCredentials) -> str | None:
        """Look at an answer's status: a reason if the proxy refused us and the host was not asked.

        Says, of a few origins and once each, that a refusal came where nothing was sent.
        """
        if status == 407 and self._proxy is not None:
            return "proxy"  # as the site's word, a robots.txt with it would allow everything
        if status in (401, 403) and not carried.known and (self._headers or self._cookies):
            self._tell(origin(url))
        return None

    def _tell(self, asked: str) -> None:
        if self._origins and asked not in self._told and len(self._told) < MAX_WARNINGS:
            self._told.add(asked)
            log.warning("credentials_withheld", origin=asked, hint=f"--credentials-to {asked}")
