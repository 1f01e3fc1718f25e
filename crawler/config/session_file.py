"""Session file: how to log in to a site before the first page, as TOML.

May touch: the environment, the file that was named, patterns, urls.
Never: show the value of a field. A message of these checks may end up in the log of a CI run.

    login = "https://example.com/login"      # the page with the form
    check = "a[href='/logout']"              # CSS: found on every page while logged in

    [fields]
    user = "reader"
    password = "env:SITE_PASSWORD"           # taken from this environment variable

Further keys: `name` (default: the file's name without .toml), `form` (CSS of the form, if the page has
several), `check_url` (where the log-in is checked; default: the page that it ends at), `origin` (default:
that of `login`), `logout` (regular expressions of URLs that end the session, besides the usual ones).
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from penstock.crawler.config.option_checks import quote_value
from penstock.crawler.config.option_files import read_text
from penstock.crawler.config.seeds import check_seed
from penstock.crawler.errors import BadConfig, close_match
from penstock.crawler.messages import CanonicalUrl
from penstock.crawler.output.terminal import escape_control_chars
from penstock.crawler.urls import origin

FROM_ENVIRONMENT = "env:"
# /logout, /users/sign_out, ?action=logout, /Account/LogOff, Special:UserLogout; not /blog-offers.
LOGOUT_PATTERN = r"(?i)([^a-z]|user|member|admin|account)(log|sign)[-_]?(out|off)([^a-z]|$)"
_KEYS = ("name", "login", "check", "fields", "form", "check_url", "origin", "logout")
_NEEDED = ("login", "check", "fields")


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPlan:
    """How to log in to one origin, and how to tell that the session holds."""

    name: str
    login: CanonicalUrl  # the page with the form
    origin: str  # scheme://host:port; the cookies of the log-in are sent there and nowhere else
    fields: Mapping[str, str] = field(repr=False)
    check: str  # CSS: found on every page while logged in
    form: str | None = None  # CSS; None: the first form with all the fields
    check_url: CanonicalUrl | None = None  # None: the page that the log-in ends at
    is_logout: Callable[[str], bool] = lambda url: False

    def closed(self, url: CanonicalUrl) -> str | None:
        """Return `logout` or `login` for a URL that must not be requested within the session, else None."""
        if not url.startswith(f"{self.origin}/"):
            return None
        if self.is_login(url):
            return "login"
        return "logout" if self.is_logout(url) else None

    def is_login(self, url: str) -> bool:
        """True for the page with the form, whatever its query says."""
        return url.partition("?")[0] == self.login.partition("?")[0]


class LogIn(NamedTuple):
    """The plan of a session, and how its pages are read."""

    plan: SessionPlan
    fill_form: Callable[[bytes, CanonicalUrl], tuple[CanonicalUrl, bytes]]  # action, data; raises ValueError
    has_check: Callable[[bytes], bool]


def read_session(path: str, environ: Mapping[str, str] = os.environ) -> SessionPlan:
    """Read a session file. Raises BadConfig, one line for all problems."""
    where = f"--session {escape_control_chars(path)}"
    try:
        table: dict[str, object] = tomllib.loads(read_text("--session", path))
    except (ValueError, RecursionError) as error:
        raise BadConfig(f"{where}: not valid TOML: {escape_control_chars(str(error))}") from None
    problems = [
        f"unknown key {quote_value(key)}{close_match(key, _KEYS)}" for key in table if key not in _KEYS
    ]
    problems += [f"the key {key} is missing" for key in _NEEDED if key not in table]
    texts: dict[str, str] = {}
    for key in ("name", "login", "check", "form", "check_url", "origin"):
        value = table.get(key)
        if key in table and (not isinstance(value, str) or not value.strip()):
            problems.append(f"{key} must be text")
        elif isinstance(value, str):
            texts[key] = value
    fields = _fields(table.get("fields"), environ, problems)
    patterns = table.get("logout", [])
    if not isinstance(patterns, list) or not all(isinstance(each, str) for each in patterns):
        problems.append("logout must be a list of regular expressions")
        patterns = []
    urls = {key: _url(key, texts[key], problems) for key in ("login", "check_url", "origin") if key in texts}
    is_logout = _logout_test(patterns, problems)
    if problems:
        raise BadConfig(f"{where}: {'; '.join(problems)}")
    login = urls["login"]
    return SessionPlan(
        name=texts.get("name") or Path(path).stem,
        login=login,
        origin=origin(urls.get("origin", login)),
        fields=fields,
        check=texts["check"],
        form=texts.get("form"),
        check_url=urls.get("check_url"),
        is_logout=is_logout,
    )


def _fields(value: object, environ: Mapping[str, str], problems: list[str]) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not value or not all(isinstance(each, str) for each in value.values()):
        problems.append("fields must be a table of texts, such as password = 'env:SITE_PASSWORD'")
        return {}
    found: dict[str, str] = {}
    for name, text in value.items():
        if not text.startswith(FROM_ENVIRONMENT):
            found[name] = text
            continue
        variable = text.removeprefix(FROM_ENVIRONMENT)
        if not environ.get(variable):
            named = f"{quote_value(variable)}, for the field {quote_value(name)}"
            problems.append(f"the environment variable {named}, is not set")
        found[name] = environ.get(variable, "")
    return found


def _url(key: str, text: str, problems: list[str]) -> CanonicalUrl:
    try:
        return CanonicalUrl(check_seed(key, text))
    except BadConfig as error:
        problems.append(str(error))
        return CanonicalUrl("http://invalid/")


def _logout_test(patterns: list[str], problems: list[str]) -> Callable[[str], bool]:
    from penstock.crawler.config.patterns import Patterns

    try:
        return Patterns([LOGOUT_PATTERN, *patterns])
    except BadConfig as error:
        problems.append(f"logout: {error}")
        return lambda url: False
