"""SOCKS: connections through a SOCKS 5 proxy, with the extra `socks`.

May touch: aiohttp-socks, which no other module imports.

The proxy resolves all names, whether its URL says socks5 or socks5h: a local resolver would learn
which hosts are visited.
"""

from __future__ import annotations

import errno
from typing import Any
from urllib.parse import urlsplit

from aiohttp_socks import ProxyConnectionError, ProxyConnector, ProxyError, ProxyTimeoutError, ProxyType

from penstock.crawler.config.credentials import Proxy
from penstock.stages.http.aiohttp_inside import Connection, Connector
from penstock.stages.http.failures import ProxyFailed

# RFC 1928 §6: these error codes are about the host; all others are about the proxy.
_HOST_REASONS = {3: "connect", 4: "connect", 5: "refused", 6: "connect"}


class SocksConnector(Connector, ProxyConnector):
    def __init__(self, proxy: Proxy, *, connect_timeout: float | None) -> None:
        parts = urlsplit(proxy.url)
        super().__init__(
            parts.hostname or "",
            parts.port or 0,
            ProxyType.SOCKS5,
            proxy.user or None,
            proxy.password or None,
            rdns=True,
            connect_timeout=connect_timeout,
        )

    async def connect(self, *args: Any, **kwargs: Any) -> Connection:
        try:
            return await super().connect(*args, **kwargs)
        except ProxyError as error:
            # Without a code it is the negotiation that failed: RFC 1928 section 3, RFC 1929 section 2.
            code = error.error_code or 0
            raise ProxyFailed(_HOST_REASONS.get(code, "proxy" if code else "proxy:auth")) from error
        except ProxyTimeoutError as error:
            raise ProxyFailed("proxy:timeout") from error
        except ProxyConnectionError as error:
            is_refused = getattr(error.__cause__, "errno", None) == errno.ECONNREFUSED
            raise ProxyFailed("proxy:refused" if is_refused else "proxy:connect") from error
