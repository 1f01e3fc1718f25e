"""Configuration: one crawl, as its operator asked for it. Built once, checked once.

May touch: checks, credentials, seeds, urls, errors.
Never: the disk, the environment, the command line (those are `option_files`, `environment` and `cli`).

Each field is the one place of its option: type, default, help and check stand together, and the
command line, the files of options and the reference are derived from them. A `CrawlConfig` that
exists is valid: every field was checked, and all problems are reported together. Secrets leave it
through `headers` and `exit` only; its repr has none.
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
from penstock.crawler.config.option_checks import boolean, each, number, one_of, option, optional, whole
from penstock.crawler.config.seeds import check_seed, check_seeds
from penstock.crawler.errors import BadConfig, close_match
from penstock.crawler.messages import CanonicalUrl, LinkRules
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
_LATER_RULES = ("strip_sessions", "sort_query", "fold_index", "follow_nofollow", "head_links", "frames")

# The groups of options, in the order of --help.
START = "where to start"
SCOPE = "which URLs to crawl"
BUDGETS = "when to stop (the rest stays pending; run the command again to continue)"
POLITENESS = "politeness"
STORE = "what to store"
REQUESTS = "requests and retries"
CREDENTIALS = "credentials and proxy"
URLS = "how URLs are normalized"
OUTPUT = "what is shown (on standard error)"
WORKERS = "workers and memory"
MONITORING = "monitoring"
GROUPS = (
    START, SCOPE, BUDGETS, POLITENESS, STORE, REQUESTS, CREDENTIALS, URLS, OUTPUT, WORKERS, MONITORING,
)  # fmt: skip


def _lazy(module: str, name: str) -> checks.Check:
    """A check from a module that is loaded only when there is a value to check."""

    def check(flag: str, value: object) -> object:
        return () if value == () else getattr(importlib.import_module(module), name)(flag, value)

    return check


def _process_count(flag: str, value: object) -> object:
    """0 means one process per core that this process may use."""
    count = whole(0, 256)(flag, value)
    if count:
        return count
    affinity = getattr(os, "sched_getaffinity", None)  # Linux: what a container allows
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def _fetcher_count(flag: str, value: object) -> object:
    """A mapping is most likely meant for the argument of the same name of `Crawl`."""
    try:
        return whole(1, 10_000)(flag, value)
    except BadConfig as error:
        if not isinstance(value, Mapping):
            raise
        raise BadConfig(f"{error}; fetch tiers are given to Crawl(config, fetchers=...)") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class CrawlConfig:
    """What to crawl and how. The names are the command's flags with underscores.

    Lists take a single text as a list of one. `depth` takes None, 'inf' or float infinity
    for no limit, and holds None then. `seeds` holds canonical URLs, each once, in the order
    given. Raises BadConfig, one line for all problems.
    """

    # fmt: off
    seeds: Sequence[str] = field(metadata=option(START, "URL", check_seeds,
        "start from this URL, at depth 0; repeatable", flag="--seed"))
    sitemap: Sequence[str] = field(default=(), metadata=option(START, "URL", each(check_seed),
        "also read this sitemap, besides those that robots.txt names; repeatable"))
    no_sitemaps: bool = field(default=False, metadata=option(START, "", boolean,
        "do not read the sitemaps that robots.txt names (those of --sitemap are read); so it is with "
        "--depth 0 too"))
    db: str | Path = field(default="crawl.db", metadata=option(START, "PATH", checks.check_database_path,
        "the SQLite file of the crawl; an unfinished crawl in it is resumed"))
    depth: int | None = field(default=2, metadata=option(SCOPE, "N", checks.check_depth,
        "maximum number of link hops from the nearest seed; 0 = only the seeds (and what a --sitemap "
        "lists), inf = no limit"))
    scope: Literal["host", "domain", "prefix", "any"] = field(default="host", metadata=option(
        SCOPE, "RULE", one_of("host", "domain", "prefix", "any"),
        "host: host and port of a seed; domain: all hosts under its registered domain; prefix: URLs that "
        "begin with a seed up to its last /; any: no limit"))
    include: Sequence[str] = field(default=(), metadata=option(SCOPE, "REGEX", each(checks.check_pattern),
        "crawl only URLs that match at least one of these patterns (RE2, anywhere in the canonical URL; "
        "seeds always pass); repeatable"))
    exclude: Sequence[str] = field(default=(), metadata=option(SCOPE, "REGEX", each(checks.check_pattern),
        "crawl no URL that matches at least one of these patterns (as --include; seeds always pass); "
        "repeatable"))
    resources: bool = field(default=False, metadata=option(SCOPE, "", boolean,
        "also check what a browser loads to show the pages (images, scripts, stylesheets, media, icons, "
        "fonts), on any host"))
    check_external: bool = field(default=False, metadata=option(SCOPE, "", boolean,
        "also check the links that lead out of the scope: one HEAD request each, on any host; they are not "
        "crawled"))
    follow_nofollow: bool = field(default=False, metadata=option(SCOPE, "", boolean,
        "also follow links that rel=nofollow, meta robots or X-Robots-Tag forbid to follow; for your own "
        "sites"))
    head_links: bool = field(default=False, metadata=option(SCOPE, "", boolean,
        "also follow next, prev, alternate and amphtml of link elements and of the Link header"))
    frames: bool = field(default=False, metadata=option(SCOPE, "", boolean,
        "also follow the sources of frames and iframes"))
    public_only: bool = field(default=False, metadata=option(SCOPE, "", boolean,
        "connect to public IP addresses only"))
    no_traps: bool = field(default=False, metadata=option(SCOPE, "", boolean,
        "also follow URLs that look like an endless site (calendars, repeated path segments, session ids)"))
    max_pages: int | None = field(default=None, metadata=option(BUDGETS, "N", optional(whole(1, _MOST)),
        "maximum number of pages with status 200, over the crawl's life", unset="no limit"))
    max_pages_per_host: int | None = field(default=None, metadata=option(
        BUDGETS, "N", optional(whole(1, _MOST)),
        "stop a host after N pages of status 200; the other hosts continue", unset="no limit"))
    max_time: float | None = field(default=None, metadata=option(
        BUDGETS, "SECONDS", optional(number(0.001, 1000 * _DAY)),
        "longest duration of this run", unset="no limit"))
    max_bytes: int | None = field(default=None, metadata=option(BUDGETS, "BYTES", optional(whole(1, _MOST)),
        "maximum number of bytes of bodies, over the crawl's life", unset="no limit"))
    grace: float = field(default=10.0, metadata=option(BUDGETS, "SECONDS", number(0, _DAY),
        "time for work in flight to end after the first Ctrl-C; 0 = none"))
    throttle: Literal["adaptive", "fixed"] = field(default="adaptive", metadata=option(
        POLITENESS, "RULE", one_of("adaptive", "fixed"),
        "adaptive: slow down when a host slows down or refuses; fixed: keep exactly --per-host and "
        "--delay"))
    per_host: int = field(default=8, metadata=option(POLITENESS, "N", whole(1, 10_000),
        "maximum number of connections to one host"))
    delay: float = field(default=0.0, metadata=option(POLITENESS, "SECONDS", number(0, _DAY),
        "shortest time between the starts of two requests to one host; 0 = none"))
    rate: float | None = field(default=None, metadata=option(
        POLITENESS, "N", optional(number(0.000_1, 1e6, of="requests per second")),
        "maximum number of requests per second, all hosts together", unset="no limit"))
    bandwidth: float | None = field(default=None, metadata=option(
        POLITENESS, "BYTES", optional(number(1, 1e12, of="bytes per second")),
        "maximum number of bytes of bodies per second, all hosts together", unset="no limit"))
    max_retry_after: float = field(default=60.0, metadata=option(POLITENESS, "SECONDS", number(0, _DAY),
        "longest Retry-After to wait for, in seconds; if a host asks for more, the URL fails at once"))
    no_robots: bool = field(default=False, metadata=option(POLITENESS, "", boolean,
        "neither request nor obey robots.txt"))
    user_agent: str | None = field(default=None, metadata=option(
        POLITENESS, "TEXT", optional(checks.check_user_agent),
        "the User-Agent of every request", unset="Penstock/VERSION (+CONTACT)"))
    contact: str | None = field(default=None, metadata=option(
        POLITENESS, "URL", optional(checks.check_contact),
        "where the operator of a site can reach you; part of the default User-Agent", unset="none"))
    select: Sequence[str | Mapping[str, object] | SelectRule] = field(default=(), metadata=option(
        STORE, "NAME=CSS[@ATTR]", _lazy("penstock.crawler.config.select_rules", "check_rules"),
        "extract this from every page, such as price=.price; NAME[]= takes all matches; repeatable"))
    structured: bool = field(default=False, metadata=option(STORE, "", boolean,
        "extract JSON-LD, OpenGraph, Twitter cards and microdata"))
    plugins: Sequence[str | Hook] = field(default=(), metadata=option(
        STORE, "MODULE:FUNCTION", _lazy("penstock.crawler.config.plugins", "check_plugins"),
        "call this function with every page; it returns values and links; repeatable", flag="--plugin"))
    search: bool = field(default=False, metadata=option(STORE, "", boolean,
        "store the text of pages with a full-text index, for the command search"))
    save_bodies: bool = field(default=False, metadata=option(STORE, "", boolean,
        "store bodies and response headers, compressed; also download types other than HTML"))
    durable: bool = field(default=False, metadata=option(STORE, "", boolean,
        "fsync at every commit: a power failure loses nothing"))
    tiers: Sequence[str] = field(default=("plain",), metadata=option(REQUESTS, "NAME", checks.check_tiers,
        "how pages are fetched; installed packages may add tiers", kind="text"))
    timeout: float = field(default=30.0, metadata=option(REQUESTS, "SECONDS", number(0.001, _DAY),
        "longest duration of one request, body included"))
    max_body: int = field(default=10 * MIB, metadata=option(REQUESTS, "BYTES", whole(1, 1_000_000_000),
        "largest body, after content-coding; a larger one fails the URL"))
    retries: int = field(default=3, metadata=option(REQUESTS, "N", whole(0, 100),
        "maximum number of retries after a temporary error; 0 = none"))
    retry_delay: float = field(default=1.0, metadata=option(REQUESTS, "SECONDS", number(0, _DAY),
        "wait before the first retry; it doubles with each further one; 0 = none"))
    retry_failed: bool = field(default=False, metadata=option(REQUESTS, "", boolean,
        "request again all URLs that failed in earlier runs"))
    max_failed: float | None = field(default=None, metadata=option(
        REQUESTS, "SHARE", optional(checks.share),
        "exit with code 6 if more than this part of the URLs to fetch failed, such as 5% or 0.05",
        unset="no limit"))
    header: Sequence[str] = field(default=(), repr=False, metadata=option(
        CREDENTIALS, "'K: V'", each(checks.check_header),
        "send this header to the origins of the seeds; repeatable"))
    auth: str | None = field(default=None, repr=False, metadata=option(
        CREDENTIALS, "USER:PASSWORD", optional(credentials.check_auth),
        "use Basic authentication at the origins of the seeds; better set in PENSTOCK_AUTH or .env"))
    cookies: str | Path | None = field(default=None, metadata=option(
        CREDENTIALS, "FILE", optional(checks.check_file_path),
        "send the cookies of this file (Netscape format); cookies that servers set are not stored"))
    session: str | Path | None = field(default=None, metadata=option(
        CREDENTIALS, "FILE", optional(checks.check_file_path),
        "log in before the first page as this TOML file says, and crawl within that session; its name is "
        "part of the crawl's identity"))
    cookies_from_seed: bool = field(default=False, metadata=option(CREDENTIALS, "", boolean,
        "request the seed (or /) of each origin once more at the beginning of a run, and send the cookies "
        "of its answer with every page of that origin"))
    credentials_to: Sequence[str] = field(default=(), metadata=option(
        CREDENTIALS, "ORIGIN", each(credentials.check_origin),
        "send --header, --auth, --cookies and --client-cert to this scheme://host:port too; repeatable"))
    proxy: str | None = field(default=None, repr=False, metadata=option(
        CREDENTIALS, "URL", optional(credentials.check_proxy),
        "send every request through this http, https or socks5 proxy; better set in PENSTOCK_PROXY or "
        ".env"))
    ca_file: str | Path | None = field(default=None, metadata=option(
        CREDENTIALS, "FILE", optional(checks.check_file_path),
        "trust the certificate authorities of this PEM file too, such as a company's own"))
    insecure: bool = field(default=False, metadata=option(CREDENTIALS, "", boolean,
        "verify no TLS certificate: anybody on the way can read and change what is sent and received"))
    client_cert: str | Path | None = field(default=None, metadata=option(
        CREDENTIALS, "FILE", optional(checks.check_file_path),
        "show this certificate (PEM, with its key) to the origins of the seeds; the key's password is "
        "read from PENSTOCK_CLIENT_KEY_PASSWORD"))
    client_key: str | Path | None = field(default=None, metadata=option(
        CREDENTIALS, "FILE", optional(checks.check_file_path),
        "the private key of --client-cert, if it is in a file of its own"))
    strip_param: Sequence[str] = field(default=(), metadata=option(URLS, "GLOB", each(checks.check_glob),
        "remove the query parameters that match from every URL, such as 'utm_*'; repeatable"))
    strip_sessions: bool = field(default=False, metadata=option(URLS, "", boolean,
        "remove session ids from every URL (PHPSESSID=..., ;jsessionid=...)"))
    sort_query: bool = field(default=False, metadata=option(URLS, "", boolean,
        "sort the query parameters of every URL"))
    fold_index: bool = field(default=False, metadata=option(URLS, "", boolean,
        "treat /index.html, /default.asp and similar names as /"))
    fetchers: int = field(default=1_024, metadata=option(WORKERS, "N", _fetcher_count,
        "maximum number of concurrent requests, all hosts together"))
    parsers: int = field(default=64, metadata=option(WORKERS, "N", whole(1, 1_000),
        "maximum number of pages waiting for, or in, the parser"))
    storers: int = field(default=1_024, metadata=option(WORKERS, "N", whole(1, 10_000),
        "maximum number of pages waiting for the writer, which commits them in groups"))
    queue_size: int = field(default=512, metadata=option(WORKERS, "N", whole(1, 1_000_000),
        "maximum number of messages waiting before each stage"))
    processes: int = field(default=0, metadata=option(WORKERS, "N", _process_count,
        "processes; all but the first parse HTML; 0 = one per core"))
    body_memory: int = field(default=64 * MIB, metadata=option(WORKERS, "BYTES", whole(1, _MOST),
        "memory for all bodies that are downloaded, waiting or parsed"))
    metrics_port: int | None = field(default=None, metadata=option(
        MONITORING, "N", optional(whole(1, 65_535)),
        "serve Prometheus metrics at http://ADDRESS:N/metrics during the run", unset="off"))
    metrics_address: str = field(default="127.0.0.1", metadata=option(
        MONITORING, "ADDRESS", checks.check_address,
        "IP address or host name of this machine for --metrics-port; 0.0.0.0 or :: = all, which other "
        "machines can reach without a password"))
    # fmt: on

    if not TYPE_CHECKING:  # a type checker has the fields, and knows wrong names without this

        def __new__(cls, *args: object, **options: object) -> CrawlConfig:
            """Refuse unknown options with the one that was meant. Raises BadConfig."""
            if unknown := [name for name in options if name not in cls.__dataclass_fields__]:
                raise BadConfig("; ".join(map(_describe_unknown_option, unknown)))
            return object.__new__(cls)

    def __post_init__(self) -> None:
        if problems := checks.check_options(self) or list(_contradictions(self)):
            raise BadConfig("; ".join(problems))

    @property
    def canonical_seeds(self) -> tuple[CanonicalUrl, ...]:
        return tuple(CanonicalUrl(seed) for seed in self.seeds)

    @property
    def canonical_sitemaps(self) -> tuple[CanonicalUrl, ...]:
        return tuple(CanonicalUrl(url) for url in self.sitemap)

    @property
    def reads_sitemaps(self) -> bool:
        """True if the sitemaps that robots.txt names are read. Depth 0 asks for the seeds alone."""
        return not self.no_sitemaps and self.depth != 0

    @property
    def link_rules(self) -> LinkRules:
        """Without the product token, which the robots policy knows."""
        return LinkRules(nofollow=self.follow_nofollow, head_links=self.head_links, frames=self.frames)

    @property
    def path(self) -> Path:
        return Path(self.db)

    @property
    def included(self) -> Callable[[str], bool] | None:
        """A test whether any of `include` matches a URL; None: there are no patterns."""
        return _finder(self.include)

    @property
    def excluded(self) -> Callable[[str], bool] | None:
        return _finder(self.exclude)

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Names and values, secrets included: for the fetcher only, to send to `credential_origins`."""
        split = (text.partition(": ") for text in self.header)
        given = tuple((name, value) for name, _, value in split)
        return (
            given
            if self.auth is None
            else (*given, ("Authorization", credentials.basic_authorization(self.auth)))
        )

    @property
    def credential_origins(self) -> frozenset[str]:
        """The origins to which --header, --auth and --cookies are sent."""
        return frozenset(origin(CanonicalUrl(url)) for url in (*self.seeds, *self.credentials_to))

    @property
    def exit(self) -> credentials.Proxy | None:
        """The network path of every request: the parsed proxy, or None for a direct connection."""
        return None if self.proxy is None else credentials.parse_proxy(self.proxy)

    @property
    def select_rules(self) -> tuple[SelectRule, ...]:
        return cast("tuple[SelectRule, ...]", self.select)

    @property
    def plugin_names(self) -> list[str]:
        """The names by which --plugin finds them."""
        if not self.plugins:
            return []
        from penstock.crawler.config.plugins import name_of

        return [name_of(plugin) for plugin in self.plugins]

    @property
    def agent(self) -> str:
        """The User-Agent header."""
        if self.user_agent is not None:
            return self.user_agent
        return f"Penstock/{VERSION} (+{self.contact})" if self.contact else f"Penstock/{VERSION}"

    def identity(self) -> dict[str, object]:
        """The options that must not change between runs. Equal crawls have equal identities."""
        # Absent unless they are set: the files of older versions do not have them.
        asked = {name: True for name in _LATER_RULES if getattr(self, name)}
        return asked | {
            "seeds": sorted(self.seeds),
            "scope": self.scope,
            "include": sorted(self.include),  # any of them may match, so their order has no meaning
            "exclude": sorted(self.exclude),
            "strip_param": sorted(self.strip_param),
            "traps": not self.no_traps,
            "url_rules": URL_RULES,
        }

    def public(self) -> dict[str, object]:
        """All options, ready for JSON, to be stored and shown. Of secrets only their presence shows."""
        public: dict[str, object] = {"version": VERSION}
        for name in (each_field.name for each_field in fields(self)):
            value = getattr(self, name)
            public[name] = list(value) if isinstance(value, tuple) else value
        public["db"] = str(self.db)
        public["select"] = [rule.as_dict() for rule in self.select_rules]
        public["plugins"] = self.plugin_names
        public["header"] = [text.partition(":")[0] for text in self.header]
        public["auth"] = None if self.auth is None else credentials.SET
        public["cookies"] = None if self.cookies is None else str(self.cookies)
        public["session"] = None if self.session is None else str(self.session)
        public["proxy"] = None if self.exit is None else self.exit.shown
        public["seeds"] = list(self.seeds[:_SEEDS_SHOWN])  # one row per run must stay small
        public["seeds_total"] = len(self.seeds)
        return public


def _describe_unknown_option(name: str) -> str:
    known = [each_field.name for each_field in fields(CrawlConfig)]
    return f"unknown option {checks.quote_value(name)}{close_match(name.replace('-', '_'), known)}"


def _contradictions(config: CrawlConfig) -> Iterator[str]:
    """Problems of options that are valid one by one."""
    if config.metrics_port is None and config.metrics_address != "127.0.0.1":
        yield "--metrics-address: needs --metrics-port N"
    if config.client_key is not None and config.client_cert is None:
        yield "--client-key: needs --client-cert FILE"
    if config.insecure and config.ca_file is not None:
        yield "--insecure: --ca-file has no effect with it; use one of the two"
    if config.public_only and config.proxy is not None:
        yield "--public-only: not possible with --proxy, which chooses the address itself; use one of the two"
    named = {name.partition(":")[0].lower() for name in config.header}
    if config.auth is not None and "authorization" in named:
        yield "--auth: --header sets Authorization too; use one of the two"
    if config.cookies is not None and "cookie" in named:
        yield "--cookies: --header sets Cookie too; use one of the two"
    if config.session is not None and config.tiers[0] != "plain":
        yield "--session: only the fetch tier plain can log in; leave out --tiers"
    if config.cookies_from_seed and config.session is not None:
        yield "--cookies-from-seed: not possible with --session, which has its own cookies; use one of them"
    if config.cookies_from_seed and config.tiers[0] != "plain":
        yield "--cookies-from-seed: only the fetch tier plain can do it; leave out --tiers"


def _finder(expressions: Sequence[str]) -> Callable[[str], bool] | None:
    if not expressions:
        return None
    from penstock.crawler.config.patterns import Patterns

    return Patterns(expressions)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputConfig:
    """The options of `crawl` that change what is shown and nothing else. Checked like `CrawlConfig`."""

    # fmt: off
    progress: str = field(default="auto", metadata=option(
        OUTPUT, "KIND", one_of("auto", "bar", "lines", "none"),
        "auto: a live view on a terminal, else a line every 10 s; bar; lines; none"))
    quiet: bool = field(default=False, metadata=option(OUTPUT, "", boolean,
        "show only warnings and errors"))
    log_format: str = field(default="console", metadata=option(OUTPUT, "FORMAT", one_of("console", "json"),
        "console: lines for a person; json: every line is one JSON object"))
    log_level: str | None = field(default=None, metadata=option(
        OUTPUT, "LEVEL", optional(one_of("debug", "info", "warning", "error")),
        "debug (one line per request and per commit), info, warning or error",
        unset="info; warning with --quiet"))
    # fmt: on

    def __post_init__(self) -> None:
        if problems := checks.check_options(self):
            raise BadConfig("; ".join(problems))

    @property
    def level(self) -> str:
        return self.log_level or ("warning" if self.quiet else "info")


CRAWL_OPTIONS = checks.options_of(CrawlConfig)
OUTPUT_OPTIONS = checks.options_of(OutputConfig)
PATH_OPTIONS = frozenset(  # their relative paths in a file of options are taken from its folder
    name
    for name, declared in (CRAWL_OPTIONS | OUTPUT_OPTIONS).items()
    if declared.option.placeholder.startswith(("PATH", "FILE"))
)
