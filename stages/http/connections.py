"""Connections: aiohttp's pool of them, made to say when each was made.

May touch: aiohttp's connector.

A server may close an idle connection at the moment we send on it. That failure is nobody's
fault and is asked again once, at no cost; on a new connection the same failure means what
it says. So each connection knows how old it is.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler

from penstock.crawler.config.credentials import Proxy
from penstock.stages.http.client_protocol import ClientProtocol
from penstock.stages.http.resolver import PublicResolver, public_socket


class ProxyFailed(Exception):
    """A SOCKS proxy made no connection; `reason` says whose fault that is."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Connector(aiohttp.TCPConnector):
    most_seconds: float | None = None  # for a new connection: its name, all its addresses, its TLS

    async def _create_connection(self, *args: Any, **kwargs: Any) -> ResponseHandler:
        try:
            async with asyncio.timeout(self.most_seconds) as whole:
                connection = await super()._create_connection(*args, **kwargs)
        except TimeoutError as error:
            if whole.expired():
                raise
            raise aiohttp.ConnectionTimeoutError from error  # of the one address it tried last
        assert isinstance(connection, ClientProtocol)
        connection.made_at = time.monotonic()
        return connection


def connector(
    *, public_only: bool, proxy: Proxy | None = None, most_seconds: float | None = None
) -> Connector:
    """Without a limit: the frontier counts connections per host, the pool in all, and a wait
    inside the connector would eat into the fetch's own deadline."""
    made = _connector(public_only, proxy)
    made.most_seconds = most_seconds
    made._factory = partial(ClientProtocol, loop=made._loop)  # type: ignore[assignment]
    return made


def _connector(public_only: bool, proxy: Proxy | None) -> Connector:
    if proxy is not None and proxy.is_socks:
        from penstock.stages.http.socks import SocksConnector  # only with the extra `socks`

        return SocksConnector(proxy)
    if not public_only:
        return Connector(limit=0, ttl_dns_cache=300)
    # The resolver does not see literal addresses; the socket does, and it is the one connected.
    return Connector(limit=0, ttl_dns_cache=300, resolver=PublicResolver(), socket_factory=public_socket)
