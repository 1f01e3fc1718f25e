"""Flags: the command line of `crawl`, and what was typed there.

May touch: argparse.
Never: judge a value. Texts that are no numbers go on as they are, and `CrawlConfig`
reports all that is wrong together.

A flag that was not given is absent from the namespace, so that a file of options can
have its say: file over default, flag over file.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import MISSING, fields

from penstock.crawler.cli.live.view_options import FORMATS, LEVELS, PROGRESS
from penstock.crawler.config.crawl_config import MIB, CrawlConfig, flag_of
from penstock.crawler.config.option_files import number

# Group, then name, placeholder and help of each; '' for a switch, `...` after a name that may repeat.
_GROUPS: tuple[tuple[str, tuple[tuple[str, str, str], ...]], ...] = (
    (
        "where to go",
        (
            ("seeds...", "URL", "start here; may be repeated"),
            ("depth", "N", "link hops from the nearest seed, or inf; a seed is 0"),
            ("scope", "RULE", "host and port of a seed, domain, prefix (its URL up to the last /), or any"),
            ("include...", "REGEX", "only URLs in which one of these is found; seeds are exempt"),
            ("exclude...", "REGEX", "no URL in which one of these is found; seeds are exempt"),
            ("strip_param...", "GLOB", "leave these query parameters out of every URL, such as 'utm_*'"),
            ("strip_sessions", "", "leave session ids out of every URL (PHPSESSID=..., ;jsessionid=...)"),
            ("sort_query", "", "bring the parameters of every URL into one order"),
            ("fold_index", "", "take /index.html, /default.asp and their like for /"),
            ("public_only", "", "connect to no address that is not public"),
            ("no_traps", "", "follow URLs that look as if a site went on inventing them"),
            ("resources", "", "check images, scripts, stylesheets and media of the pages too, on any host"),
            ("sitemap...", "URL", "read this sitemap too; may be repeated"),
            ("db", "PATH", "the crawl's file; an unfinished one is resumed"),
        ),
    ),
    (
        "when to stop (what is left stays pending; run again to go on)",
        (
            ("max_pages", "N", "pages of status 200, over the crawl's life"),
            ("max_pages_per_host", "N", "the same of each host; the others go on"),
            ("max_time", "SECONDS", "of this run"),
            ("max_bytes", "BYTES", "of bodies, over the crawl's life"),
            ("grace", "SECONDS", "that work in flight may take after Ctrl-C"),
        ),
    ),
    (
        "politeness",
        (
            ("per_host", "N", "most connections to one host"),
            ("delay", "SECONDS", "least pause between two starts on a host"),
            ("rate", "N", "most requests a second, all hosts together"),
            ("bandwidth", "BYTES", "most bytes of bodies a second, all hosts together"),
            ("throttle", "RULE", "adaptive slows down with the host; fixed keeps exactly the two above"),
            ("no_robots", "", "do not ask robots.txt"),
            ("user_agent", "TEXT", "instead of Penstock/VERSION (+CONTACT)"),
            ("contact", "URL", "where a site can reach you; part of the user agent"),
            (
                "max_retry_after",
                "SECONDS",
                "longest wait that a host may ask for; a longer one fails the URL",
            ),
        ),
    ),
    (
        "requests",
        (
            ("header...", "'K: V'", "send this header too, to the seeds' origins; may be repeated"),
            (
                "auth",
                "USER:PASSWORD",
                "Basic authentication, to the seeds' origins; better in PENSTOCK_AUTH or .env",
            ),
            ("cookies", "FILE", "send these too (Netscape's format); cookies that servers set are not kept"),
            ("credentials_to...", "ORIGIN", "the three above go to this scheme://host:port too"),
            (
                "proxy",
                "URL",
                "http, https or socks5, for every request; also in PENSTOCK_PROXY",
            ),
            ("tiers", "NAME", "way of fetching pages; more than plain with packages that bring one"),
            ("timeout", "SECONDS", "for a whole fetch"),
            ("max_body", "BYTES", "of one body, after content-coding"),
            ("retries", "N", "after errors that may pass"),
            ("retry_delay", "SECONDS", "before the first retry; it doubles from there"),
            ("retry_failed", "", "give what failed in earlier runs another chance"),
        ),
    ),
    (
        "what to keep",
        (
            ("select...", "NAME=CSS[@ATTR]", "keep this of each page, such as price=.price; NAME[] for all"),
            ("structured", "", "keep JSON-LD, OpenGraph, Twitter cards and microdata"),
            ("plugins...", "MODULE:FUNCTION", "call this with each page; it returns values and links"),
            ("search", "", "keep the text of pages, indexed for the command search"),
            ("save_bodies", "", "keep bodies and headers, compressed"),
            ("durable", "", "fsync at every commit: nothing is lost when the power fails"),
        ),
    ),
    (
        "workers and memory",
        (
            ("fetchers", "N", "workers that fetch"),
            ("parsers", "N", "workers that parse"),
            ("storers", "N", "workers that store"),
            ("queue_size", "N", "messages that may wait before each stage"),
            ("processes", "N", "in all; the others parse for the first"),
            ("body_memory", "BYTES", "of all bodies under way"),
        ),
    ),
    (
        "monitoring",
        (("metrics_port", "N", "serve Prometheus metrics at http://127.0.0.1:N/metrics while it runs"),),
    ),
)


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Declare every flag of `crawl`."""
    for title, flags in _GROUPS:
        group = parser.add_argument_group(title)
        for name, placeholder, text in flags:
            _add(group, name.removesuffix("..."), placeholder, text, repeats=name.endswith("..."))
            if name == "seeds...":
                _add_files(group)
    _add_view(parser.add_argument_group("what is shown (on standard error)"))


def _add(group: argparse._ArgumentGroup, name: str, placeholder: str, text: str, *, repeats: bool) -> None:
    flag, help_text = flag_of(name), text + _default(name)
    if not placeholder:
        # The opposite exists for one reason: a flag must be able to win over a file.
        opposite = "--" + (name.removeprefix("no_") if name.startswith("no_") else f"no-{name}").replace(
            "_", "-"
        )
        group.add_argument(flag, dest=name, action="store_true", help=help_text)
        group.add_argument(opposite, dest=name, action="store_false", help=argparse.SUPPRESS)
    elif repeats:
        group.add_argument(flag, dest=name, action="append", metavar=placeholder, help=help_text)
    elif name in _TEXTS:
        group.add_argument(flag, dest=name, metavar=placeholder, help=help_text)
    else:
        group.add_argument(flag, dest=name, type=number, metavar=placeholder, help=help_text)


def _add_files(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--seeds",
        dest="seed_files",
        action="append",
        metavar="FILE",
        help="a file with one URL a line, # begins a comment; - is standard input",
    )
    group.add_argument(
        "--config", metavar="FILE", help="the same options in TOML (max-pages = 100); a flag wins over it"
    )


def _add_view(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--progress", metavar="KIND", help=f"{_among(PROGRESS)} (default: auto)")
    group.add_argument("--quiet", action="store_true", help="only warnings and errors")
    group.add_argument("--no-quiet", dest="quiet", action="store_false", help=argparse.SUPPRESS)
    group.add_argument("--log-format", metavar="FORM", help=f"{_among(FORMATS)} (default: console)")
    group.add_argument(
        "--log-level", metavar="LEVEL", help=f"{_among(LEVELS)} (default: info, warning if quiet)"
    )
    group.add_argument("--print-config", action="store_true", help="show the options as TOML, and stop")


_TEXTS = frozenset({"db", "scope", "throttle", "user_agent", "contact", "auth", "cookies", "proxy", "tiers"})
_BYTES = frozenset({"max_body", "body_memory"})
_DEFAULTS = {field.name: field.default for field in fields(CrawlConfig)}


def _default(name: str) -> str:
    value = _DEFAULTS[name]
    if value is MISSING or value is None or value is False or value == ():
        return ""
    if isinstance(value, tuple):
        return f" (default: {', '.join(value)})"
    if name in _BYTES and isinstance(value, int):
        return f" (default: {value // MIB} MiB)"
    return f" (default: {value:g})" if isinstance(value, float) else f" (default: {value})"


def _among(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"
