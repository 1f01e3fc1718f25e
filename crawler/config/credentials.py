"""Credentials: headers, passwords, cookies and the proxy that the operator gives, checked and parsed.

May touch: seeds, urls, errors; the file of cookies, the clock and the log to read cookies.
Never: show a value. A message of these checks may end up in the log of a CI run.

Credentials are sent to origins (scheme, host and port): those of the seeds and of --credentials-to.
"""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urlsplit

from penstock.crawler.config.option_files import read_text
from penstock.crawler.config.seeds import check_seed
from penstock.crawler.errors import BadConfig
from penstock.crawler.messages import CanonicalUrl
from penstock.crawler.output.terminal import escape_control_chars
from penstock.crawler.urls import canonical, origin

if TYPE_CHECKING:
    from penstock.crawler.policies.cookies import Cookies

SET = "(set)"  # stands for a secret wherever a configuration is stored or shown
SOCKS = frozenset({"socks5", "socks5h"})

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_MOST_SOCKS_BYTES = 255  # RFC 1929 §2


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy, with the user and password for it."""

    url: str  # scheme://host:port
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @property
    def is_socks(self) -> bool:
        return self.url.partition(":")[0] in SOCKS

    @property
    def authorization(self) -> str | None:
        """The value of Proxy-Authorization; None for a proxy without user and password."""
        return basic_authorization(f"{self.user}:{self.password}") if self.user or self.password else None

    @property
    def shown(self) -> str:
        """Its URL as it may be stored and shown."""
        return self.url.replace("://", "://***@") if self.authorization else self.url


def basic_authorization(auth: str) -> str:
    """Return the Authorization value of USER:PASSWORD, in UTF-8 (RFC 7617 §2.1)."""
    return "Basic " + base64.b64encode(auth.encode()).decode()


def check_auth(flag: str, value: object) -> object:
    """USER:PASSWORD. The first colon separates them, so a password may contain colons."""
    where = f"{flag} (or PENSTOCK_AUTH)"
    if not isinstance(value, str) or ":" not in value or value == ":":
        raise BadConfig(f"{where}: must have the form USER:PASSWORD (the given value is not shown here)")
    if _CONTROLS.search(value):  # RFC 7617 §2
        raise BadConfig(f"{where}: has control characters, which neither a user nor a password may have")
    return value


def check_proxy(flag: str, value: object) -> object:
    """A proxy's URL, which may contain a user and a password."""
    where = f"{flag} (or PENSTOCK_PROXY)"
    try:
        if not isinstance(value, str):
            raise ValueError("it is not text")
        found = parse_proxy(value)
    except ValueError as error:
        form = "must have the form http://[USER:PASSWORD@]HOST:PORT, or with https or socks5"
        raise BadConfig(f"{where}: {form}; {error} (the given value is not shown here)") from None
    if found.is_socks and find_spec("aiohttp_socks") is None:
        raise BadConfig(
            f"{where}: SOCKS proxies need an extra package: pip install 'penstock-crawler[socks]'"
        )
    return value


def parse_proxy(text: str) -> Proxy:
    """Parse a proxy's URL. Raises ValueError, whose message shows no part of it."""
    parts = _parts(text.strip())
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if _CONTROLS.search(user + password) or ":" in user:
        raise ValueError("the user or the password has control characters, or the user has a colon")
    found = Proxy(f"{parts.scheme}://{_host_and_port(parts)}", user, password)
    if found.is_socks:
        # RFC 1929 names no charset, so the library accepts ASCII only; and user and password go together.
        sizes = len(user), len(password)
        one_lacks = (user == "") != (password == "")
        if one_lacks or max(sizes) > _MOST_SOCKS_BYTES or not (user + password).isascii():
            raise ValueError("SOCKS needs a user and a password of 1 to 255 ASCII characters each")
    return found


def _parts(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
    except ValueError:
        raise ValueError("it is not a URL") from None
    if parts.scheme not in {"http", "https", *SOCKS}:
        raise ValueError("its scheme is another one")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError(
            "it has a path, a query or a fragment; write / ? # and @ in a password as %2F %3F %23 and %40"
        )
    return parts


def _host_and_port(parts: SplitResult) -> str:
    try:
        port = parts.port
    except ValueError:
        raise ValueError("its port is not valid") from None
    if not port:
        raise ValueError("it has no port")
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    url = (
        canonical(f"ws://{host}:{port}/") if host else None
    )  # a web scheme, so that the host is parsed by the URL standard
    if url is None:
        raise ValueError("its host is not valid")
    name = url.removeprefix("ws://").rstrip("/")
    return name if name.endswith(f":{port}") else f"{name}:{port}"  # 80 is the default of ws too


def dropped_credentials(before: Mapping[str, object], now: Mapping[str, object]) -> list[str]:
    """The options of this module that the last run had, by its stored configuration, and this run lacks."""
    return [name for name in ("header", "auth", "cookies", "proxy") if before.get(name) and not now.get(name)]


def check_origin(flag: str, text: str) -> str:
    """An origin, written as the canonical URL with the path /."""
    url = CanonicalUrl(check_seed(flag, text))
    if url != origin(url) + "/":
        raise BadConfig(f"{flag}: must be an origin: {origin(url)} without anything after it")
    return url


def load_cookies(path: str | Path, origins: Iterable[str]) -> Cookies:
    """Read a file of cookies in Netscape's format; `-` is standard input.

    Raises BadConfig in one line. Logs a warning if no cookie will ever be sent to one of
    `origins`: the file is for another site then, or too old.
    """
    from penstock.crawler.output.logs import get_logger  # not for --help
    from penstock.crawler.policies.cookies import read_cookies

    text = read_text("--cookies", str(path))
    try:
        cookies = read_cookies(text)
    except ValueError as error:
        raise BadConfig(f"--cookies {escape_control_chars(str(path))}: {error}") from None
    if not any(cookies.has_any_for(origin, now=time.time()) for origin in origins):
        get_logger().warning(
            "cookies_unused",
            file=str(path),
            cookies=cookies.count,
            reason="they belong to other hosts, or have expired",
        )
    return cookies
