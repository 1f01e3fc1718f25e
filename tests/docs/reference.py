"""Reference: docs/reference.md, made from the code by `python -m tests.docs`.

The texts of flags, exit codes, reports, tables and columns stand in the code and are only arranged here.
What the code knows as a word alone (a reason) has its sentence here; the tests hold both together.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence

from penstock.crawler.cli import COMMANDS, EXIT_CODES, build_parsers
from penstock.crawler.cli.arguments import crawl_flags
from penstock.storage.reading.reports import REPORTS, describe_reports, describe_tables
from tests.support.crawls import ROOT

PAGE = ROOT / "docs" / "reference.md"

STOP_REASONS: Mapping[str, str] = {
    "finished": "every URL has its answer",
    "max_pages": "`--max-pages` is reached",
    "max_pages_per_host": "`--max-pages-per-host` is reached on every host that has URLs left",
    "max_time": "`--max-time` is over",
    "max_bytes": "`--max-bytes` is reached",
    "logged_out": "the session of `--session` ended, and a new log-in did not bring it back",
    "sigint": "Ctrl-C",
    "sigterm": "the system, a service manager or a container stopped it",
    "sighup": "the terminal was closed",
    "error": "an error stopped it; the message was on standard error",
}

STATES: Mapping[str, str] = {
    "pending": "not settled yet: not requested, or waiting for a retry",
    "done": "answered: a page is stored, or a redirect is followed",
    "failed": "given up; `reason` says why. `--retry-failed` gives it another chance",
    "skipped": "kept out by a rule, which `reason` names; never requested",
}

SKIPPED: Mapping[str, str] = {
    "scope": "outside `--scope`",
    "include": "no `--include` pattern is found in it",
    "exclude": "an `--exclude` pattern is found in it",
    "depth": "further from the seeds than `--depth`",
    "robots": "disallowed by robots.txt",
    "nofollow": "only nofollow links lead to it",
    "logout": "it would end the session of `--session`",
    "login": "it is the log-in page of `--session`",
    "redirect_limit": "more than 20 redirects in a row lead to it",
    "address": "its host has no public address (`--public-only`)",
    "trap:segments": "its path has more segments than any real page's",
    "trap:repeat": "its path repeats the same segments",
    "trap:query": "its query has too many parameters",
    "trap:shape": "1,000 links in a row led along URLs of this one kind",
    "trap:session": "it differs from a stored page by a session id only",
}

PENDING: Mapping[str, str] = {
    "http_503, timeout, ...": "the last request failed so; it is repeated at `urls.retry_at`",
    "handshake": "its redirects set a cookie: it is requested with cookies when nothing else is left",
    "logged_out": "the session of `--session` ended; the next run logs in anew",
    "nearer_first": "it may contain a session id, so URLs of a lower depth are fetched first",
}

FAILED: Mapping[str, str] = {
    "http_4xx, http_5xx": "the status, such as `http_404` or `http_503`",
    "timeout": "the whole fetch took longer than `--timeout`",
    "timeout_connect": "no connection within the time-out",
    "timeout_read": "connected, but no more data came within the time-out",
    "dns": "the host name has no address",
    "refused": "the host refuses connections (ECONNREFUSED)",
    "connect": "no connection for another reason: no route, unreachable network",
    "reset": "the connection was closed before the answer was complete",
    "tls:expired": "the certificate has expired, or is not valid yet",
    "tls:self_signed": "the certificate is self-signed",
    "tls:unknown_authority": "the certificate's authority is not trusted",
    "tls:wrong_name": "the certificate is for another name",
    "tls:plain_http": "the port answered with plain HTTP to an https URL",
    "tls:https_port": "the port answered with TLS to an http URL",
    "tls": "the handshake failed for another reason",
    "proxy:refused": "the proxy refuses connections",
    "proxy:connect": "the proxy could not be reached",
    "proxy:dns, proxy:reset, proxy:timeout": "the same, with its cause",
    "proxy:auth": "the proxy asks for a user and a password, or refuses them",
    "proxy:denied": "the proxy allows no connection to this host",
    "proxy": "the proxy does not work, or refuses the request for another reason",
    "network": "another error of the network or the system",
    "truncated": "the body is shorter than announced",
    "too_large": "the body is larger than `--max-body`",
    "bad_coding": "the body is not in the coding (gzip, br, ...) that Content-Encoding names",
    "unknown_coding:CODING": "the body is in a coding that cannot be undone here (compress, dcb ...)",
    "bad_http": "the answer is not HTTP",
    "bad_url": "a URL that cannot be requested",
    "redirect_invalid": "a redirect without a usable Location",
    "retry_after_too_long": "the server asks for a longer wait than `--max-retry-after`",
    "robots_unreachable": "robots.txt could not be had, so nothing may be requested",
    "parse_timeout": "reading the page took longer than a parser process may",
    "parse_crash": "a parser process died of the page, or ran out of memory",
    "poison": "three runs in a row crashed while parsing it",
    "internal:TYPE": "an unexpected error in Penstock or in a plug (an exception TYPE): the log names it",
}


def page() -> str:
    parts = [
        "# Reference",
        "This page is generated from the code by `python -m tests.docs`, and a test compares the two.",
        "## Commands",
        table(("command", "purpose"), ((f"[`{name}`](#{name})", text) for name, text in COMMANDS.items())),
        "`penstock --seed URL` is short for `penstock crawl --seed URL`.",
        "## Exit codes",
        table(("code", "meaning"), ((str(code), text) for code, text in EXIT_CODES.items())),
        "A stopped run prints the command that resumes it on a line that begins with `resume with:`.",
        *flags(),
        *other_commands(),
        *states_and_reasons(),
        *reports(),
        *tables(),
    ]
    return "\n\n".join(parts) + "\n"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in lines)


def flags() -> Iterator[str]:
    """The flags of `crawl`, by group, with their defaults."""
    yield "## crawl"
    yield (
        "Every switch has an opposite (`--no-...`, or without `no-`), so that a flag can win over a file."
        " The keywords of `CrawlConfig` and the keys of a `--config` file are the same names."
    )
    for title, group in itertools.groupby(crawl_flags(), lambda flag: flag.group):
        yield f"### {title[:1].upper()}{title[1:]}"
        rows = [
            (f"`{flag.flag} {flag.placeholder}".rstrip() + "`", flag.help, flag.default) for flag in group
        ]
        yield table(("flag", "meaning", "default"), rows)


def other_commands() -> Iterator[str]:
    """The help of each command, as it is printed."""
    for name in COMMANDS:
        if name == "crawl":
            continue
        _, command = build_parsers(name, ["penstock"])
        command.formatter_class = functools.partial(command.formatter_class, width=88)  # type: ignore[call-arg]
        yield f"## {name}"
        yield f"```text\n{command.format_help().rstrip()}\n```"


def states_and_reasons() -> Iterator[str]:
    yield "## States and reasons"
    yield "Each URL is in exactly one state (`urls.state`); `urls.reason` says why."
    yield table(("state", "meaning"), ticked(STATES))
    yield "### Reasons of skipped URLs"
    yield table(("reason", "meaning"), ticked(SKIPPED))
    yield "### Reasons of failed URLs"
    yield table(("reason", "meaning"), ticked(FAILED))
    yield "### Reasons of pending URLs"
    yield table(("reason", "meaning"), ticked(PENDING))
    yield "### Stop reasons of a run"
    yield "In `runs.stop_reason`; NULL while a run goes on, and after a kill."
    yield table(("stop reason", "meaning"), ticked(STOP_REASONS))


def ticked(words: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    return ((", ".join(f"`{part}`" for part in word.split(", ")), text) for word, text in words.items())


def reports() -> Iterator[str]:
    yield "## Reports"
    reports = describe_reports()
    yield "`penstock report NAME`; each is also a view, so `SELECT * FROM NAME` works too."
    yield table(("report", "what it shows"), ((f"`{name}`", reports[name].text) for name in REPORTS))


def tables() -> Iterator[str]:
    yield "## Tables"
    yield "The tables and views that people use. What lies beneath them may change with a version."
    found = describe_tables()
    yield table(("table", "one row per"), ((f"[`{name}`](#{name})", found[name].text) for name in found))
    for name, description in found.items():
        yield f"### {name}"
        yield table(
            ("column", "meaning"), ((f"`{column}`", text) for column, text in description.columns.items())
        )
