"""Trust: which servers a TLS connection believes, and the certificate that it shows them.

May touch: ssl, the operator's certificate files.

The authorities of --ca-file are believed besides those of the system, so that a crawl may reach an
intranet and the web. The operator's own certificate names the operator: only the origins that get
the other credentials see it.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from penstock.crawler.config.environment import KEY_PASSWORD
from penstock.crawler.errors import BadConfig


class Trust(NamedTuple):
    """The TLS contexts of one crawl."""

    anonymous: ssl.SSLContext
    identified: ssl.SSLContext  # with the operator's certificate


def load_trust(
    *,
    ca_file: str | Path | None = None,
    insecure: bool = False,
    client_cert: str | Path | None = None,
    client_key: str | Path | None = None,
    key_password: str | None = None,
) -> Trust | None:
    """The contexts that the options ask for; None: the defaults. Raises BadConfig for a file that
    cannot be read, or holds something else."""
    if ca_file is None and not insecure and client_cert is None:
        return None
    anonymous = _context(ca_file, insecure=insecure)
    if client_cert is None:
        return Trust(anonymous, anonymous)
    identified = _context(ca_file, insecure=insecure)
    _load(
        "--client-cert",
        client_cert,
        # A callback: without one, OpenSSL would ask for the password on the terminal.
        lambda: identified.load_cert_chain(client_cert, client_key, password=lambda: key_password or ""),
        "no certificate with its private key in PEM format: name a key of its own with --client-key, and "
        f"set the password of an encrypted key in {KEY_PASSWORD}",
    )
    return Trust(anonymous, identified)


def _context(ca_file: str | Path | None, *, insecure: bool) -> ssl.SSLContext:
    if insecure:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context = ssl.create_default_context()
    if ca_file is not None:
        # Private authorities seldom have all extensions that RFC 5280 wants, and the one that is named
        # may be in the middle of a chain.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        _load(
            "--ca-file",
            ca_file,
            lambda: context.load_verify_locations(ca_file),
            "no certificate in PEM format",
        )
    context.set_alpn_protocols(["http/1.1"])
    return context


def _load(flag: str, file: str | Path, load: Callable[[], None], wrong: str) -> None:
    try:
        load()
    except ssl.SSLError:
        raise BadConfig(f"{flag}: {file} has {wrong}") from None
    except OSError as error:
        raise BadConfig(f"{flag}: {file} or its key cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise BadConfig(f"{flag}: {file}: {error}") from None
