"""Addresses: which IP addresses belong to the public internet, for `--public-only`.

May touch: nothing.

Python's `is_global` accepts multicast and private addresses inside IPv6 (NAT64, 6to4,
`::127.0.0.1`), and its answers change from version to version. So the table stands here. An
address that is not surely public is not public: one that cannot be parsed, or in a block
that IANA has not assigned.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address

# IANA IPv4 Special-Purpose Address Registry, and RFC 1112 for the last two.
_NOT_PUBLIC_4 = tuple(
    (int(network.network_address), int(network.netmask))
    for network in map(
        IPv4Network,
        (
            "0.0.0.0/8",  # this network, RFC 791
            "10.0.0.0/8",  # private, RFC 1918
            "100.64.0.0/10",  # shared, behind carriers' NAT, RFC 6598
            "127.0.0.0/8",  # loopback
            "169.254.0.0/16",  # link local, RFC 3927; clouds serve their metadata here
            "172.16.0.0/12",  # private
            "192.0.0.0/24",  # IETF protocol assignments, RFC 6890
            "192.0.2.0/24",  # documentation, RFC 5737
            "192.88.99.0/24",  # 6to4 relays, deprecated by RFC 7526
            "192.168.0.0/16",  # private
            "198.18.0.0/15",  # benchmarking, RFC 2544
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, broadcast included
        ),
    )
)

# An IPv6 address that contains an IPv4 address is judged by that; value: the bits after it.
_CARRIERS = (
    (IPv6Network("::ffff:0:0/96"), 0),  # IPv4-mapped, RFC 4291
    (IPv6Network("64:ff9b::/96"), 0),  # NAT64's well-known prefix, RFC 6052
    (IPv6Network("2002::/16"), 80),  # 6to4, RFC 3056
)

_GLOBAL_UNICAST = IPv6Network("2000::/3")  # all that IANA has assigned for unicast so far
# IANA IPv6 Special-Purpose Address Registry, as far as it lies within.
_NOT_PUBLIC_6 = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # IETF protocol assignments: Teredo, ORCHID, benchmarking
            "2001:db8::/32",  # documentation, RFC 3849
            "3fff::/20",  # documentation, RFC 9637
        ),
    )
)


def is_public(address: str) -> bool:
    """True if `address`, an IP address as text, with or without URL brackets, is public.

    False for anything else, host names included. A NAT64 prefix of a network's own (RFC 6052
    allows one in any block) cannot be recognised. Does not raise.
    """
    if address[:1] + address[-1:] == "[]":
        address = address[1:-1]
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv4Address):
        return _is_public_4(found)
    for network, bits_after in _CARRIERS:
        if found in network:
            return _is_public_4(IPv4Address(int(found) >> bits_after & 0xFFFF_FFFF))
    return found in _GLOBAL_UNICAST and not any(found in network for network in _NOT_PUBLIC_6)


def is_local_name(host: str) -> bool:
    """True for the names that mean this machine in every network (RFC 6761 section 6.3)."""
    name = host.lower().rstrip(".")
    return name == "localhost" or name.endswith(".localhost")


def _is_public_4(address: IPv4Address) -> bool:
    number = int(address)
    return not any(number & mask == network for network, mask in _NOT_PUBLIC_4)
