"""Resolver: for --public-only, connections to public addresses only.

May touch: aiohttp's documented resolver and socket interfaces, sockets.

There are two checks, because aiohttp asks no resolver about a host that is an address already.
`PublicResolver` leaves only the public addresses of a name. `public_socket` looks at the very
address that a socket is made for, right before it connects. So the address that was checked is the
one connected to: a name that answers differently the next time (DNS rebinding) is checked again,
and every redirect hop is a request of its own.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

from aiohttp import AddrInfoType, ThreadedResolver
from aiohttp.abc import AbstractResolver, ResolveResult

from penstock.crawler.policies.addresses import is_local_name, is_public


class AddressNotPublic(Exception):
    """A connection would have gone to an address that is not public.

    On purpose neither OSError nor RuntimeError: aiohttp would take it for a network failure, try the
    next address and report something else.
    """

    def __init__(self, host: str) -> None:
        super().__init__(f"{host} is no public address")
        self.host = host


class PublicResolver(AbstractResolver):
    """Resolve with `inner`, and keep the addresses that `allows` lets through. `close` it."""

    def __init__(
        self, inner: AbstractResolver | None = None, *, allows: Callable[[str], bool] = is_public
    ) -> None:
        """Without `inner`, the system's resolver in a thread; that needs a running event loop."""
        self._inner = inner or ThreadedResolver()
        self._allows = allows

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Raises AddressNotPublic if no address is left, OSError if there is none at all."""
        if is_local_name(host):
            raise AddressNotPublic(host)
        results = await self._inner.resolve(host, port, family)
        if not results:
            raise OSError(f"{host} has no address")  # aiohttp fails on an empty list
        public = [result for result in results if self._allows(result["host"])]
        if not public:
            raise AddressNotPublic(host)
        return public

    async def close(self) -> None:
        await self._inner.close()


def public_socket(address: AddrInfoType, *, allows: Callable[[str], bool] = is_public) -> socket.socket:
    """Make the socket for one address, or raise AddressNotPublic: aiohttp's `socket_factory`."""
    family, kind, protocol, _, (host, *_) = address
    if not allows(str(host)):
        raise AddressNotPublic(str(host))
    return socket.socket(family, kind, protocol)
