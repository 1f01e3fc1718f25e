"""Domains: the registrable domain of a host name, by the public suffix list.

May touch: publicsuffixlist, which is imported here only and at the first call: reading its list
takes a tenth of a second, and only `--scope domain` needs it.

The list comes with the package and is never fetched. Its private part counts too, so
that `a.github.io` and `b.github.io` are two domains: they have two owners.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache


@lru_cache(maxsize=10_000)
def registrable_domain(host: str) -> str | None:
    """Return the registrable domain of a host name without port: its public suffix and one label.

    By the algorithm of publicsuffix.org; a name under no known suffix counts its last label
    as one. Letters become lower case, a trailing dot (the root) is left out. None for an
    IP address, a public suffix itself, and text that is not a host name. Does not raise.
    """
    # WHATWG, "ends in a number checker": such a host is an IPv4 address or no host at all.
    last_label = host.removesuffix(".").rpartition(".")[2]
    if last_label.isdecimal() or ":" in host:
        return None
    return _suffixes()(host)


@cache
def _suffixes() -> Callable[[str], str | None]:
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList().privatesuffix
