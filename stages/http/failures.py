"""Failures: the one stable word for what went wrong with a fetch.

May touch: the documented exceptions of aiohttp, the system's exceptions.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl

import aiohttp

from penstock.stages.http.aiohttp_inside import SPEAKS_TLS, HttpProcessingError
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
            return proxy_reason(error.status)
        case aiohttp.ClientProxyConnectionError():
            return _PROXY_REASONS.get(_os_reason(error.os_error), "proxy:connect")
        case aiohttp.ConnectionTimeoutError():
            return "timeout_connect"
        case aiohttp.SocketTimeoutError():
            return "timeout_read"
        case TimeoutError():
            return "timeout"
        case aiohttp.ClientConnectorCertificateError():
            return _tls_reason(error.certificate_error)
        case aiohttp.ClientConnectorSSLError():
            return _tls_reason(error.os_error)
        case aiohttp.ClientSSLError() | ssl.SSLError():
            return _tls_reason(error)
        case aiohttp.ClientConnectorDNSError():
            return "dns"
        case aiohttp.ClientConnectorError():
            return _os_reason(error.os_error) or "connect"
        case aiohttp.ClientPayloadError():
            return "truncated"
        case aiohttp.ServerDisconnectedError() | ConnectionError() | aiohttp.ClientOSError():
            return "reset"
        case aiohttp.InvalidURL() | UnicodeError() | AssertionError():
            return "bad_url"
        case HttpProcessingError(message=message) if message == SPEAKS_TLS:
            return "tls:https_port"
        case aiohttp.ClientResponseError() | HttpProcessingError():
            return "bad_http"
        case aiohttp.ClientError() | OSError():
            return "network"
        case _:
            return None


def proxy_reason(status: int) -> str:
    """What a proxy's own refusal means."""
    if status == 407:
        return "proxy:auth"
    # A gateway's words for a host that it cannot reach. Any other status is between the proxy and us.
    return "connect" if status in (502, 503, 504) else "proxy:denied" if status == 403 else "proxy"


_PROXY_REASONS: dict[str | None, str] = {
    "refused": "proxy:refused",
    "dns": "proxy:dns",
    "reset": "proxy:reset",
}


def _os_reason(error: OSError) -> str | None:
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    if isinstance(error, ssl.SSLError):
        return _tls_reason(error)
    if isinstance(error, socket.gaierror):
        return "dns"
    return "reset" if isinstance(error, ConnectionError) else None


# OpenSSL's x509_vfy.h.
_CERTIFICATE_REASONS = {
    9: "tls:expired",  # not yet valid
    10: "tls:expired",
    18: "tls:self_signed",
    2: "tls:unknown_authority",  # the issuer's certificate is not there
    19: "tls:unknown_authority",  # a root that is self-signed, as all are, and not trusted
    20: "tls:unknown_authority",
    21: "tls:unknown_authority",
    62: "tls:wrong_name",  # host name
    64: "tls:wrong_name",  # IP address
}
_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE"})


def _tls_reason(error: BaseException) -> str:
    """Name the cause of a handshake that failed; `tls` if there is no better word."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _CERTIFICATE_REASONS.get(error.verify_code, "tls")
    if isinstance(error, ssl.CertificateError):  # raised without a code for a name that does not match
        return "tls:wrong_name"
    if isinstance(error, ssl.SSLError) and error.reason in _NO_TLS:
        return "tls:plain_http"
    return "tls"


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
