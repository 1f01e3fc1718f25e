"""Failures: the one stable word for what went wrong with a fetch.

May touch: the documented exceptions of aiohttp, the system's exceptions.
"""

from __future__ import annotations

import errno
import os
import ssl

import aiohttp

from penstock.stages.http.aiohttp_inside import HttpProcessingError
from penstock.stages.http.content_coding import CodingError
from penstock.stages.http.resolver import AddressNotPublic

SHORTAGES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class ProxyFailed(Exception):
    """A proxy made no connection; `reason` tells whether the proxy or the host is to blame."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def reason_of(error: Exception) -> str | None:
    """Name a failure that the web or the network caused; None for a bug of ours.

    The order matters: aiohttp's classes inherit from one another and from OSError.
    """
    match error:
        case CodingError() | ProxyFailed():
            return error.reason
        case AddressNotPublic():
            return "address"
        case aiohttp.ClientHttpProxyError():
            # These are a gateway's words for a host that it cannot reach. Any other status is
            # between the proxy and us.
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
        case aiohttp.ServerDisconnectedError() | ConnectionError() | aiohttp.ClientOSError():
            return "reset"
        case aiohttp.InvalidURL() | UnicodeError() | AssertionError():
            return "bad_url"
        case aiohttp.ClientResponseError() | HttpProcessingError():
            return "bad_http"
        case aiohttp.ClientError() | OSError():
            return "network"
        case _:
            return None


def is_shortage(error: OSError) -> bool:
    """True if this process or machine has no descriptor or no memory for another connection.

    A name look-up hides its cause, so a file is opened to find out.
    """
    if getattr(error, "os_error", error).errno in SHORTAGES:
        return True
    if not isinstance(error, aiohttp.ClientConnectorDNSError):
        return False
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as probed:
        return probed.errno in SHORTAGES
    return False
