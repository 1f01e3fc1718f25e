"""Configuration: one crawl, as its operator asked for it. Built once, checked once.

May touch: checks, credentials, seeds, urls, errors.
Never: the disk, the environment, the command line (that is `options` and `cli`).

Whoever holds a `CrawlConfig` holds a good one: every field was checked, and all that is
wrong is reported together. Secrets leave it through `headers` and `exit` only; its repr has none.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from penstock.crawler.config import credentials
from penstock.crawler.config import option_checks as checks
from penstock.crawler.config.option_checks import each, one_of, optional, seconds, truth, whole
from penstock.crawler.config.seeds import all_seeds, seed
from penstock.crawler.errors import BadConfig
from penstock.crawler.messages import CanonicalUrl
from penstock.crawler.urls import origin
from penstock.crawler.version import VERSION

if TYPE_CHECKING:
    from penstock.crawler.config.plugins import Hook
    from penstock.crawler.config.select_rules import SelectRule

URL_RULES = 1  # raised when the canonical form of any URL changes: old databases would not match

MIB = 1024 * 1024
_DAY = 86_400.0
_MOST = 2**63 - 1  # SQLite's largest integer
_SEEDS_SHOWN = 100
_LATER_RULES = ("strip_sessions", "sort_query", "fold_index")


@dataclass(frozen=True, slots=True, kw_only=True)
class CrawlConfig:
    """What to crawl and how. The names are the command's flags with underscores.

    Lists take a single text as a list of one. `depth` takes None, 'inf' or float infinity
    for no limit, and holds None then. Raises BadConfig, one line for all that is wrong.
    """

    seeds: Sequence[str]  # canonical once checked, each spelling once, in the order given
    depth: int | None = 2  # link hops from the nearest seed
    db: str | Path = "crawl.db"
    scope: Literal["host", "domain", "prefix", "any"] = "host"
    no_traps: bool = False  # follow URLs that look as if a site went on inventing them
    strip_param: Sequence[str] = ()  # globs of query parameters that are left out of every URL
    strip_sessions: bool = False  # leave session ids out of every URL, in its path and in its query
    sort_query: bool = False  # bring the query's parameters into one order
    fold_index: bool = False  # /index.html and its like are /
    public_only: bool = False  # connect to no address that is not public
    include: Sequence[str] = ()  # regular expressions (RE2), searched in the canonical URL
    exclude: Sequence[str] = ()
    max_pages: int | None = None  # over the crawl's life
    max_pages_per_host: int | None = None  # over the crawl's life; what it leaves stays pending
    max_time: float | None = None  # seconds, per run
    max_bytes: int | None = None  # over the crawl's life
    fetchers: int = 64
    parsers: int = 64  # pages in the parser's hands: many may wait for its processes
    storers: int = 128  # waiting for one writer, which commits them in groups
    queue_size: int = 64  # messages
    per_host: int = 8  # connections
    delay: float = 0.0  # seconds between two starts on one host, at least
    rate: float | None = None  # requests a second, all hosts together
    bandwidth: float | None = None  # bytes of bodies a second, all hosts together
    throttle: Literal["adaptive", "fixed"] = "adaptive"
    no_robots: bool = False
    user_agent: str | None = None
    contact: str | None = None
    sitemap: Sequence[str] = ()  # URLs of sitemaps, besides those that robots.txt names
    header: Sequence[str] = field(default=(), repr=False)  # 'Name: value'
    auth: str | None = field(default=None, repr=False)  # 'USER:PASSWORD'
    cookies: str | Path | None = None  # a file in Netscape's format
    credentials_to: Sequence[str] = ()  # origins that get the three above, besides the seeds'
    proxy: str | None = field(default=None, repr=False)  # a URL, in which a password may stand
    tiers: Sequence[str] = ("plain",)  # one name of `penstock.stages.fetchers.TIERS`
    timeout: float = 30.0  # seconds, for a whole fetch
    max_body: int = 10 * MIB  # bytes after content-coding
    retries: int = 3  # so at most four requests
    retry_delay: float = 1.0  # seconds before the first retry; it doubles from there
    max_retry_after: float = 60.0  # seconds a host may ask us to wait
    resources: bool = False  # ask for images, scripts, stylesheets and media too
    retry_failed: bool = False  # give what failed in earlier runs another chance
    select: Sequence[str | Mapping[str, object] | SelectRule] = ()  # rules, once checked
    structured: bool = False  # JSON-LD, OpenGraph, Twitter cards and microdata too
    plugins: Sequence[str | Hook] = ()  # module:function, or functions
    search: bool = False  # keep the text of pages, and an index for it
    save_bodies: bool = False
    durable: bool = False  # fsync at every commit
    processes: int = 0  # for the whole crawl; 0: as many as there are cores
    body_memory: int = 64 * MIB  # bytes of all bodies under way
    grace: float = 10.0  # seconds that work in flight may take after the first signal
    metrics_port: int | None = None  # of Prometheus metrics on 127.0.0.1

    if not TYPE_CHECKING:  # a type checker has the fields, and knows wrong names without this

        def __new__(cls, *args: object, **options: object) -> CrawlConfig:
            """Refuse unknown options with the one that was meant. Raises BadConfig."""
            if unknown := [name for name in options if name not in cls.__dataclass_fields__]:
                raise BadConfig("; ".join(map(_unknown_option, unknown)))
            return object.__new__(cls)

    def __post_init__(self) -> None:
        problems: list[str] = []
        for name, check in _CHECKS.items():
            try:
                object.__setattr__(self, name, check(flag_of(name), getattr(self, name)))
            except BadConfig as problem:
                problems.append(str(problem))
        if problems := problems or list(_contradictions(self)):
            raise BadConfig("; ".join(problems))

    @property
    def canonical_seeds(self) -> tuple[CanonicalUrl, ...]:
        return tuple(CanonicalUrl(seed) for seed in self.seeds)

    @property
    def canonical_sitemaps(self) -> tuple[CanonicalUrl, ...]:
        return tuple(CanonicalUrl(url) for url in self.sitemap)

    @property
    def path(self) -> Path:
        return Path(self.db)

    @property
    def included(self) -> Callable[[str], bool] | None:
        """Asks whether any of `include` is found in a URL; None: there are none."""
        return _finder(self.include)

    @property
    def excluded(self) -> Callable[[str], bool] | None:
        return _finder(self.exclude)

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Names and values, secrets included: for the fetcher alone, and for `credential_origins`."""
        split = (text.partition(": ") for text in self.header)
        given = tuple((name, value) for name, _, value in split)
        return given if self.auth is None else (*given, ("Authorization", credentials.basic(self.auth)))

    @property
    def credential_origins(self) -> frozenset[str]:
        """Who is sent headers, --auth and cookies."""
        return frozenset(origin(CanonicalUrl(url)) for url in (*self.seeds, *self.credentials_to))

    @property
    def exit(self) -> credentials.Proxy | None:
        """The way out of here that every request takes; None for the direct one."""
        return None if self.proxy is None else credentials.parse_proxy(self.proxy)

    @property
    def select_rules(self) -> tuple[SelectRule, ...]:
        return cast("tuple[SelectRule, ...]", self.select)

    @property
    def plugin_names(self) -> list[str]:
        """As --plugin takes them."""
        if not self.plugins:
            return []
        from penstock.crawler.config.plugins import name_of

        return [name_of(plugin) for plugin in self.plugins]

    @property
    def agent(self) -> str:
        """The whole User-Agent."""
        if self.user_agent is not None:
            return self.user_agent
        return f"Penstock/{VERSION} (+{self.contact})" if self.contact else f"Penstock/{VERSION}"

    def identity(self) -> dict[str, object]:
        """What may never change between the runs of a crawl. Equal crawls have equal identities."""
        # Absent unless asked for: the files of older versions do not know them.
        asked = {name: True for name in _LATER_RULES if getattr(self, name)}
        return asked | {
            "seeds": sorted(self.seeds),
            "scope": self.scope,
            "include": sorted(self.include),  # any of them may match, so their order says nothing
            "exclude": sorted(self.exclude),
            "strip_param": sorted(self.strip_param),
            "traps": not self.no_traps,
            "url_rules": URL_RULES,
        }

    def public(self) -> dict[str, object]:
        """All of it that may be stored and shown, ready for JSON: of secrets only that they were there."""
        said: dict[str, object] = {"version": VERSION}
        for name in (each_field.name for each_field in fields(self)):
            value = getattr(self, name)
            said[name] = list(value) if isinstance(value, tuple) else value
        said["db"] = str(self.db)
        said["select"] = [rule.as_dict() for rule in self.select_rules]
        said["plugins"] = self.plugin_names
        said["header"] = [text.partition(":")[0] for text in self.header]
        said["auth"] = None if self.auth is None else credentials.SET
        said["cookies"] = None if self.cookies is None else str(self.cookies)
        said["proxy"] = None if self.exit is None else self.exit.shown
        said["seeds"] = list(self.seeds[:_SEEDS_SHOWN])  # one row per run must stay small
        said["seeds_total"] = len(self.seeds)
        return said


def _unknown_option(name: str) -> str:
    from penstock.crawler.config.option_files import close_match  # it imports this module

    known = [each_field.name for each_field in fields(CrawlConfig)]
    return f"unknown option {checks.quote_value(name)}{close_match(name.replace('-', '_'), known)}"


def _contradictions(config: CrawlConfig) -> Iterator[str]:
    """What is wrong with options that are good one by one."""
    if config.public_only and config.proxy is not None:
        yield "--public-only: behind --proxy nobody sees which address is connected to; leave one out"
    named = {name.partition(":")[0].lower() for name in config.header}
    if config.auth is not None and "authorization" in named:
        yield "--auth: --header sets Authorization too; leave one out"
    if config.cookies is not None and "cookie" in named:
        yield "--cookies: --header sets Cookie too; leave one out"


def flag_of(name: str) -> str:
    """The command's flag for a field."""
    return "--" + _SINGULAR.get(name, name).replace("_", "-")


_SINGULAR = {"seeds": "seed", "plugins": "plugin"}  # a flag is repeated, a keyword takes them all


def _of(module: str, name: str) -> checks.Check:
    """A check from a module that is loaded once there is something to check."""

    def check(flag: str, value: object) -> object:
        return () if value == () else getattr(importlib.import_module(module), name)(flag, value)

    return check


def _finder(expressions: Sequence[str]) -> Callable[[str], bool] | None:
    if not expressions:
        return None
    from penstock.crawler.config.patterns import Patterns

    return Patterns(expressions)


def _processes(flag: str, value: object) -> object:
    """0 stands for the cores that this process may use."""
    count = whole(0, 256)(flag, value)
    if count:
        return count
    affinity = getattr(os, "sched_getaffinity", None)  # Linux: what a container allows
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


_CHECKS: Mapping[str, checks.Check] = {
    "seeds": all_seeds,
    "depth": checks.hops,
    "db": checks.database,
    "scope": one_of("host", "domain", "prefix", "any"),
    "no_traps": truth,
    "strip_param": each(checks.glob),
    "strip_sessions": truth,
    "sort_query": truth,
    "fold_index": truth,
    "public_only": truth,
    "include": each(checks.pattern),
    "exclude": each(checks.pattern),
    "max_pages": optional(whole(1, _MOST)),
    "max_pages_per_host": optional(whole(1, _MOST)),
    "max_time": optional(seconds(0.001, 1000 * _DAY)),
    "max_bytes": optional(whole(1, _MOST)),
    "fetchers": whole(1, 10_000),
    "parsers": whole(1, 1_000),
    "storers": whole(1, 10_000),
    "queue_size": whole(1, 1_000_000),
    "per_host": whole(1, 10_000),
    "delay": seconds(0, _DAY),
    "rate": optional(seconds(0.000_1, 1e6, of="requests a second")),
    "bandwidth": optional(seconds(1, 1e12, of="bytes a second")),
    "throttle": one_of("adaptive", "fixed"),
    "no_robots": truth,
    "user_agent": optional(checks.agent),
    "contact": optional(checks.contact),
    "sitemap": each(seed),
    "header": each(checks.header),
    "auth": optional(credentials.auth),
    "cookies": optional(checks.readable),
    "credentials_to": each(credentials.recipient),
    "proxy": optional(credentials.proxy),
    "tiers": checks.tiers,
    "timeout": seconds(0.001, _DAY),
    "max_body": whole(1, 1_000_000_000),  # SQLite's largest blob
    "retries": whole(0, 100),
    "retry_delay": seconds(0, _DAY),
    "max_retry_after": seconds(0, _DAY),
    "resources": truth,
    "retry_failed": truth,
    "select": _of("penstock.crawler.config.select_rules", "check_rules"),
    "structured": truth,
    "plugins": _of("penstock.crawler.config.plugins", "plugins"),
    "search": truth,
    "save_bodies": truth,
    "durable": truth,
    "processes": _processes,
    "body_memory": whole(1, _MOST),
    "grace": seconds(0, _DAY),
    "metrics_port": optional(whole(1, 65_535)),
}
