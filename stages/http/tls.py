"""Certificates: the system's authorities, read at the first handshake and not when aiohttp is loaded.

May touch: ssl, while something is being imported.

aiohttp makes two TLS contexts when it is imported, and each of them reads the whole bundle:
a fifth of the processor time of loading all, for nothing in a crawl without https. The
contexts are the same as ever but for when they read.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator
from typing import Any


class LazyTrustContext(ssl.SSLContext):
    """A context that has yet to read the system's authorities. It does so when a connection is
    wrapped, and is an ordinary one from then on."""

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        _read(self)
        return self.wrap_bio(*args, **kwargs)

    def wrap_socket(self, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        _read(self)
        return self.wrap_socket(*args, **kwargs)


@contextlib.contextmanager
def load_authorities_lazily() -> Iterator[None]:
    """Put off what contexts that are made meanwhile would read of the system's authorities."""
    # SSLContext inherits this method, so what is put in its way can be taken away again.
    ssl.SSLContext.set_default_verify_paths = _put_off  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        del ssl.SSLContext.set_default_verify_paths


def _put_off(context: ssl.SSLContext) -> None:
    context.__class__ = LazyTrustContext


def _read(context: ssl.SSLContext) -> None:
    ssl.SSLContext.set_default_verify_paths(context)
    context.__class__ = ssl.SSLContext  # not before: another thread may be about to wrap, too
