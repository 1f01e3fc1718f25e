"""RequestTemplate: the bytes of a request, made once for each origin but for its path.

May touch: aiohttp's request and its URLs.

aiohttp works out whom to connect to and what the header lines are; that is the same for
every page of an origin, so it is asked once. Only the request's target differs, and that is
the canonical URL's own spelling: yarl would lose the `?` of an empty query.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import aiohttp
from yarl import URL

from penstock.crawler.config.credentials import Proxy
from penstock.crawler.messages import CanonicalUrl
from penstock.crawler.urls import origin
from penstock.stages.http.sent_credentials import SentCredentials

MAX_TEMPLATES = 1_024  # origins, about 2 KiB each


class RequestTemplate(NamedTuple):
    """What all requests of one method to one origin have in common."""

    peer: aiohttp.ClientRequest  # whom to connect to, and through whom
    before: bytes  # the request, up to the path
    after: bytes  # and from the path's end


class RequestTemplates:
    """`headers` go with every request, in a tunnel's own too; `proxy` (not SOCKS) lies between."""

    def __init__(self, headers: Mapping[str, str], proxy: Proxy | None) -> None:
        self._headers = headers
        self._proxy = None if proxy is None or proxy.is_socks else URL(proxy.url)
        self._prepared = lru_cache(MAX_TEMPLATES)(self._prepare)

    def request(
        self, method: str, url: CanonicalUrl, carried: SentCredentials
    ) -> tuple[aiohttp.ClientRequest, bytes]:
        """Whom to connect to, and what to send. Raises aiohttp.InvalidURL."""
        asked = origin(url)
        peer, before, after = self._prepared(method, asked, carried)
        target = url[len(asked) :]
        if not (target.isascii() and target.isprintable()) or " " in target:
            raise aiohttp.InvalidURL(url)  # it would be more than one word of the first line
        return peer, b"%b%b%b" % (before, target.encode(), after)

    def _prepare(self, method: str, asked: str, carried: SentCredentials) -> RequestTemplate:
        peer = aiohttp.ClientRequest(
            method,
            URL(f"{asked}/", encoded=True),
            headers=self._headers,
            proxy=self._proxy,
            proxy_headers=self._headers,
        )
        for name, value in carried.in_request:
            peer.headers[name] = value
        tunnel: Any = peer.proxy_headers
        if tunnel is not None:
            for name, value in carried.in_tunnel:
                tunnel[name] = value
            # aiohttp adds it when it connects, and these headers are a part of the key in its pool.
            tunnel["Host"] = peer.headers["Host"]
        lines = "".join(f"{name}: {_one_line(value)}\r\n" for name, value in peer.headers.items())
        to_proxy = self._proxy is not None and not asked.startswith("https:")  # else a tunnel, or the host
        before = f"{method} {asked}" if to_proxy else f"{method} "
        return RequestTemplate(peer, before.encode(), f" HTTP/1.1\r\n{lines}\r\n".encode())


def _one_line(value: str) -> str:
    if any(character in value for character in "\r\n\0"):
        raise ValueError("a header's value is more than one line")
    return value
