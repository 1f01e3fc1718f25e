"""TLS: read the system's certificate authorities at the first handshake, not when aiohttp is loaded.

May touch: ssl, while modules are being imported. For the command line only.

aiohttp makes two TLS contexts when it is imported, and each reads the whole bundle of authorities.
That is a fifth of the processor time of loading everything, and useless in a crawl without https.
Only the time of reading changes; the contexts are the same in every other way.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator
from typing import Any


class LazyTrustContext(ssl.SSLContext):
    """A context that has not read the system's authorities yet. It reads them when a connection is
    wrapped, and is an ordinary SSLContext from then on."""

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        _read_authorities(self)
        return self.wrap_bio(*args, **kwargs)

    def wrap_socket(self, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        _read_authorities(self)
        return self.wrap_socket(*args, **kwargs)


@contextlib.contextmanager
def load_authorities_lazily() -> Iterator[None]:
    """Contexts that are made meanwhile read the system's authorities later."""
    # SSLContext inherits this method. So an attribute of its own hides it, and can be deleted again.
    ssl.SSLContext.set_default_verify_paths = _become_lazy  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        del ssl.SSLContext.set_default_verify_paths


def _become_lazy(context: ssl.SSLContext) -> None:
    context.__class__ = LazyTrustContext


def _read_authorities(context: ssl.SSLContext) -> None:
    ssl.SSLContext.set_default_verify_paths(context)
    context.__class__ = ssl.SSLContext  # not before: another thread may be about to wrap, too
