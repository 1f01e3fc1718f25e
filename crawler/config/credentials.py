"""Credentials: what is sent in the operator's name, checked and taken apart.

May touch: seeds, urls, errors.
Never: show what it was given. A message of these checks may end in the log of a CI run.

Whom they are sent to is decided by origin (scheme, host and port) alone: the seeds' and
those of --credentials-to.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from urllib.parse import SplitResult, unquote, urlsplit

from penstock.crawler.config.seeds import seed
from penstock.crawler.errors import BadConfig
from penstock.crawler.messages import CanonicalUrl
from penstock.crawler.urls import canonical, origin

SET = "(set)"  # stands for a secret wherever a configuration is stored or shown
SOCKS = frozenset({"socks5", "socks5h"})

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_MOST_SOCKS_BYTES = 255  # RFC 1929 §2


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy, and who we are to it."""

    url: str  # scheme://host:port
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @property
    def is_socks(self) -> bool:
        return self.url.partition(":")[0] in SOCKS

    @property
    def authorization(self) -> str | None:
        """The value of Proxy-Authorization; None for a proxy that does not ask who we are."""
        return basic(f"{self.user}:{self.password}") if self.user or self.password else None

    @property
    def shown(self) -> str:
        """Its URL as it may be stored and shown."""
        return self.url.replace("://", "://***@") if self.authorization else self.url


def basic(auth: str) -> str:
    """Return the Authorization value of USER:PASSWORD, in UTF-8 (RFC 7617 §2.1)."""
    return "Basic " + base64.b64encode(auth.encode()).decode()


def auth(flag: str, value: object) -> object:
    """USER:PASSWORD; the first colon divides them, so a password may have more."""
    where = f"{flag} (or PENSTOCK_AUTH)"
    if not isinstance(value, str) or ":" not in value or value == ":":
        raise BadConfig(f"{where}: must read USER:PASSWORD (what was given is not shown here)")
    if _CONTROLS.search(value):  # RFC 7617 §2
        raise BadConfig(f"{where}: has characters that neither a user nor a password may have")
    return value


def proxy(flag: str, value: object) -> object:
    """A proxy's URL, in which a user and a password may stand."""
    where = f"{flag} (or PENSTOCK_PROXY)"
    try:
        if not isinstance(value, str):
            raise ValueError("it is no text")
        found = parse_proxy(value)
    except ValueError as error:
        way = "must read http://[USER:PASSWORD@]HOST:PORT, or https, socks5"
        raise BadConfig(f"{where}: {way}; {error} (what was given is not shown here)") from None
    if found.is_socks and find_spec("aiohttp_socks") is None:
        raise BadConfig(
            f"{where}: SOCKS proxies need an extra package: pip install 'penstock-crawler[socks]'"
        )
    return value


def parse_proxy(text: str) -> Proxy:
    """Take a proxy's URL apart. Raises ValueError, whose message shows nothing of it."""
    parts = _parts(text.strip())
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if _CONTROLS.search(user + password) or ":" in user:
        raise ValueError("a user or password has characters that it may not have")
    found = Proxy(f"{parts.scheme}://{_host_and_port(parts)}", user, password)
    if found.is_socks:
        # RFC 1929 has no charset, so the library takes ASCII only, and both or neither.
        sizes = len(user), len(password)
        one_lacks = (user == "") != (password == "")
        if one_lacks or max(sizes) > _MOST_SOCKS_BYTES or not (user + password).isascii():
            raise ValueError("SOCKS takes a user and a password of 1 to 255 ASCII characters each")
    return found


def _parts(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
    except ValueError:
        raise ValueError("it is no URL") from None
    if parts.scheme not in {"http", "https", *SOCKS}:
        raise ValueError("its scheme is none of these")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError("there is more than that; a / ? # or @ in a password must be %2F %3F %23 %40")
    return parts


def _host_and_port(parts: SplitResult) -> str:
    try:
        port = parts.port
    except ValueError:
        raise ValueError("its port is none") from None
    if not port:
        raise ValueError("it names no port")
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    url = canonical(f"ws://{host}:{port}/") if host else None  # any scheme of the web, to read a host
    if url is None:
        raise ValueError("its host is none")
    name = url.removeprefix("ws://").rstrip("/")
    return name if name.endswith(f":{port}") else f"{name}:{port}"  # 80 is the default of ws too


def dropped_credentials(before: Mapping[str, object], now: Mapping[str, object]) -> list[str]:
    """The options of this module that the last run had, by its stored configuration, and this one lacks."""
    return [name for name in ("header", "auth", "cookies", "proxy") if before.get(name) and not now.get(name)]


def recipient(flag: str, text: str) -> str:
    """An origin, as its canonical URL with the path /."""
    url = CanonicalUrl(seed(flag, text))
    if url != origin(url) + "/":
        raise BadConfig(f"{flag}: {origin(url)} is an origin; leave out what comes after it")
    return url
