"""SOCKS: connections through a SOCKS 5 proxy, for those who installed the extra `socks`.

May touch: aiohttp-socks, which nobody else imports.

The proxy resolves the names, whether its URL says socks5 or socks5h: to ask a local
resolver would tell it which hosts are visited.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from aiohttp.client_proto import ResponseHandler
from aiohttp_socks import ProxyConnectionError, ProxyConnector, ProxyError, ProxyTimeoutError, ProxyType

from penstock.crawler.config.credentials import Proxy
from penstock.stages.http.client_protocol import ClientProtocol
from penstock.stages.http.connections import Connector, ProxyFailed

# RFC 1928 §6: what the proxy says of the host rather than of itself.
_REASONS = {3: "connect", 4: "connect", 5: "refused", 6: "connect"}


class SocksConnector(Connector, ProxyConnector):
    def __init__(self, proxy: Proxy) -> None:
        parts = urlsplit(proxy.url)
        ProxyConnector.__init__(
            self,
            parts.hostname or "",
            parts.port or 0,
            ProxyType.SOCKS5,
            proxy.user or None,
            proxy.password or None,
            rdns=True,
            limit=0,
        )

    async def _wrap_create_connection(self, *args: Any, **kwargs: Any) -> tuple[Any, ResponseHandler]:
        try:
            transport, protocol = await super()._wrap_create_connection(*args, **kwargs)
        except ProxyError as error:
            raise ProxyFailed(_REASONS.get(error.error_code or 0, "proxy")) from error
        except (ProxyConnectionError, ProxyTimeoutError) as error:
            raise ProxyFailed("proxy") from error
        # The library brings a protocol of its own, which knows nothing of our bounds. Its stream
        # would close the transport if it were collected.
        ours = ClientProtocol(self._loop)
        ours.kept_alive = protocol
        transport.set_protocol(ours)
        ours.connection_made(transport)
        return transport, ours
