"""Failures: what went wrong with a fetch, as one stable word.

May touch: aiohttp's and the system's exceptions; a unit of meaning each.
"""

from __future__ import annotations

import ssl

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from penstock.stages.http.connections import ProxyFailed
from penstock.stages.http.content_coding import CodingError
from penstock.stages.http.resolver import AddressNotPublic


def reason_of(error: Exception) -> str | None:
    """Name a failure that the web or the network is to blame for; None for a bug of ours.

    The order matters: aiohttp's classes inherit from one another and from OSError.
    """
    match error:
        case CodingError():
            return error.reason
        case AddressNotPublic():
            return "address"
        case ProxyFailed():
            return error.reason
        case aiohttp.ClientHttpProxyError():
            # A gateway's word for a host that it cannot reach; all else is between the proxy and us.
            return "connect" if error.status in (502, 503, 504) else "proxy"
        case aiohttp.ClientProxyConnectionError():
            return "proxy"
        case aiohttp.ConnectionTimeoutError():
            return "timeout_connect"
        case aiohttp.SocketTimeoutError():
            return "timeout_read"
        case TimeoutError():
            return "timeout"
        case aiohttp.ClientSSLError() | ssl.SSLError():
            return "tls"
        case aiohttp.ClientConnectorDNSError():
            return "dns"
        case aiohttp.ClientConnectorError():
            return "refused" if isinstance(error.os_error, ConnectionRefusedError) else "connect"
        case aiohttp.ClientPayloadError():
            return "truncated"
        case aiohttp.ServerDisconnectedError() | ConnectionError():
            return "reset"
        case aiohttp.ClientOSError():
            return "reset"
        case aiohttp.InvalidURL() | UnicodeError() | AssertionError():
            return "bad_url"
        case aiohttp.ClientResponseError() | HttpProcessingError():
            return "bad_http"
        case aiohttp.ClientError() | OSError():
            return "network"
        case _:
            return None
