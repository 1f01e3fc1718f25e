"""Reasons: every word for why a URL failed, was skipped or waits; its meaning, and what to try.

May touch: nothing.

A reason is a `word` or `class:detail`; an HTTP status is `http_404`. This is the one table: the
summary of a crawl, `why` and `status` take their sentences from here, and the next run decides here
which failures it requests again.

A failure passes if the next run, unchanged, may well succeed: no answer arrived, so the host, the
network or the proxy may be back. An HTTP answer, and a certificate that is wrong, are what the site
has to say: they are requested again only with `--retry-failed`, or once one of the `options` that
may mend them was changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class About(NamedTuple):
    """One reason. Options are names of `CrawlConfig`."""

    meaning: str  # one clause; its subject is the URL or its host
    hint: str = ""  # what to try, in the imperative; '': there is nothing
    passes: bool = False
    options: tuple[str, ...] = ()  # a change of one of these may mend it


_CREDENTIALS = ("auth", "header", "cookies", "session", "cookies_from_seed", "client_cert", "user_agent")
_TRUST = ("ca_file", "insecure", "proxy")
_TLS_HINT = "name the authority's certificate with --ca-file FILE, or switch verification off with --insecure"
_SPEED_HINT = "wait, then ask more slowly: a lower --rate, --per-host or a --delay"
_DOWN_HINT = "the site may be down or overloaded: try again later"
_NETWORK_HINT = "check the network"

REASONS: Mapping[str, About] = {
    # no connection
    "dns": About(
        "the host name was not found: it has no IP address",
        "check the spelling of the host, and this machine's network and DNS",
        passes=True,
        options=("proxy",),
    ),
    "refused": About(
        "the host refused the connection: nothing listens on this port",
        "check the port, and that the server is running",
        passes=True,
        options=("proxy",),
    ),
    "connect": About(
        "the host could not be reached: no route, or a proxy that could not connect to it",
        "check the address, the network and the firewall",
        passes=True,
        options=("proxy",),
    ),
    "timeout_connect": About(
        "the host did not accept a connection within --timeout",
        "check the address, the port and the firewall; a slow host needs a larger --timeout",
        passes=True,
        options=("timeout", "proxy"),
    ),
    "timeout_read": About(
        "the host accepted the connection, but sent nothing within --timeout",
        "raise --timeout, or ask more slowly: --per-host 1, --rate 1",
        passes=True,
        options=("timeout", "proxy"),
    ),
    "timeout": About(
        "no complete answer arrived within --timeout",
        "raise --timeout, or ask more slowly: --per-host 1, --rate 1",
        passes=True,
        options=("timeout", "proxy"),
    ),
    "reset": About(
        "the host closed the connection without an answer",
        "check that the port speaks HTTP (https:// and not http://?); some hosts refuse a crawler this way",
        passes=True,
        options=("user_agent", "proxy"),
    ),
    "network": About("the network failed", _NETWORK_HINT, passes=True, options=("proxy",)),
    "host_unreachable": About(
        "the host did not answer any request for minutes, so the run gave it up",
        "check that the host is up; the next run asks it again",
        passes=True,
        options=("timeout", "proxy"),
    ),
    "cancelled": About("the request was cancelled", "run the same command again", passes=True),
    "proxy": About(
        "the proxy did not answer, or refused the request",
        "check the address and the password in --proxy, and that the proxy is running",
        passes=True,
        options=("proxy",),
    ),
    "proxy:refused": About(
        "the proxy refused the connection: nothing listens on its port",
        "check the address and the port in --proxy, and that the proxy is running",
        passes=True,
        options=("proxy",),
    ),
    "proxy:dns": About(
        "the host name of the proxy was not found",
        "check the spelling of the host in --proxy",
        passes=True,
        options=("proxy",),
    ),
    "proxy:timeout": About(
        "the proxy did not answer in time",
        "check the address in --proxy, and that the proxy is running",
        passes=True,
        options=("proxy", "timeout"),
    ),
    "proxy:auth": About(
        "the proxy asks for a user and a password, or refuses them",
        "--proxy http://USER:PASSWORD@HOST:PORT, or PENSTOCK_PROXY",
        options=("proxy",),
    ),
    "proxy:denied": About(
        "the proxy does not allow connections to this host", "ask who runs the proxy", options=("proxy",)
    ),
    # TLS
    "tls": About(
        "the TLS handshake failed",
        "check that the port speaks TLS (http:// and not https://?); it may support only old versions of TLS",
        passes=True,
        options=(*_TRUST, "client_cert"),
    ),
    "tls:expired": About(
        "the host's TLS certificate has expired, or is not valid yet",
        "check this machine's clock; --insecure switches verification off",
        options=_TRUST,
    ),
    "tls:self_signed": About("the host's TLS certificate is self-signed", _TLS_HINT, options=_TRUST),
    "tls:unknown_authority": About(
        "the host's TLS certificate was issued by an authority that this machine does not trust",
        _TLS_HINT,
        options=_TRUST,
    ),
    "tls:wrong_name": About(
        "the host's TLS certificate is for another name",
        "check the spelling of the host; --insecure switches verification off",
        options=_TRUST,
    ),
    "tls:plain_http": About(
        "the port answered with plain HTTP, not with TLS", "write the URL with http://", options=("proxy",)
    ),
    "tls:https_port": About(
        "the port answered with TLS, not with plain HTTP", "write the URL with https://", options=("proxy",)
    ),
    # the answer
    "truncated": About("the body ended too early", "try again later", options=("timeout", "proxy")),
    "bad_coding": About("the body does not match its Content-Encoding"),
    "unknown_coding": About("the body has a Content-Encoding that cannot be decoded"),
    "bad_http": About(
        "the answer is not valid HTTP", "check that the port speaks HTTP (https:// and not http://?)"
    ),
    "bad_url": About("the URL cannot be requested"),
    "too_large": About("the body is larger than --max-body", "raise --max-body", options=("max_body",)),
    "redirect_invalid": About("it redirects, but not to a valid URL"),
    "retry_after_too_long": About(
        "the host asked to wait longer than --max-retry-after",
        "try again later, or raise --max-retry-after",
        options=("max_retry_after",),
    ),
    "robots_unreachable": About(
        "its host's robots.txt could not be fetched, which forbids the host (RFC 9309)",
        "try again once the site is up; --no-robots is for your own sites",
        passes=True,
        options=("no_robots", "proxy"),
    ),
    # this crawler
    "poison": About("three runs in a row crashed while parsing it"),
    "parse_timeout": About("parsing it took too long"),
    "parse_crash": About("its parser process crashed, or needed too much memory"),
    "internal": About(
        "an unexpected error in Penstock or in a plug: the log names it",
        "look for the error in the log; --retry-failed requests it again",
    ),
    # rules
    "scope": About("outside --scope", "--scope domain takes all hosts of the domain, any takes all"),
    "include": About("no --include pattern matches it"),
    "exclude": About("an --exclude pattern matches it"),
    "depth": About("further from the seeds than --depth", "raise --depth"),
    "robots": About("its host's robots.txt does not allow it", "--no-robots is for your own sites"),
    "nofollow": About(
        "no link to it is followed: each is nofollow, a frame or a link element",
        "--follow-nofollow, --frames and --head-links follow them",
    ),
    "redirect_limit": About("it was reached through too many redirects in a row"),
    "address": About(
        "its host has no public IP address, and --public-only is set",
        "leave out --public-only",
        options=("public_only",),
    ),
    "resources_off": About(
        "it is a resource or a link out of scope, which the last run did not check",
        "--resources checks resources, --check-external links",
    ),
    "sitemaps_off": About(
        "robots.txt names it, but the last run read no such sitemaps: --no-sitemaps or --depth 0",
        "--sitemap URL reads this one",
    ),
    "sitemap_nesting": About("it stands behind more than three levels of sitemap indexes"),
    "nearer_first": About("it may contain a session id, so URLs of a lower depth are fetched first"),
    "handshake": About("its redirects set a cookie: it is requested with cookies when nothing else is left"),
    "logout": About("it would end the session (--session): such URLs are not requested"),
    "login": About("it is the log-in page of --session, which is not part of the crawl"),
    "logged_out": About(
        "the session ended, and a new log-in did not bring it back",
        "check the password and `check` in the session file; the next run logs in anew",
    ),
    "trap": About("it looks like an endless site", "--no-traps follows such URLs"),
    "trap:length": About("it is longer than 2,083 characters"),
    "trap:segments": About("its path has too many segments", "--no-traps follows such URLs"),
    "trap:repeat": About("its path repeats the same segments", "--no-traps follows such URLs"),
    "trap:query": About("its query has too many parameters", "--no-traps follows such URLs"),
    "trap:shape": About(
        "it is one more of an endless row of URLs of one shape, as of a calendar",
        "--no-traps follows such URLs",
    ),
    "trap:session": About(
        "it is another URL of a stored page that differs in a session id", "--no-traps follows such URLs"
    ),
}

# HTTP statuses that tell more than their class (RFC 9110 section 15, RFC 6585, RFC 7725).
_STATUSES: Mapping[str, About] = {
    "400": About("the request is malformed to it"),
    "401": About(
        "it asks for a login",
        "--auth USER:PASSWORD for Basic authentication; --cookies FILE or --header for others",
        options=_CREDENTIALS,
    ),
    "403": About(
        "it refuses access: a login is missing, or it does not want this crawler",
        "ask for permission; name yourself with --contact or --user-agent; --cookies or --auth for a login",
        options=(*_CREDENTIALS, "contact", "proxy"),
    ),
    "404": About("there is no such page"),
    "405": About("it does not allow GET here"),
    "406": About("it has no version that this crawler accepts", options=("header",)),
    "407": About(
        "the proxy asks for a password", "--proxy http://USER:PASSWORD@HOST:PORT", options=("proxy",)
    ),
    "408": About("the request took too long to arrive", _DOWN_HINT),
    "410": About("the page was removed for good"),
    "421": About("it does not serve this name", "check the spelling of the host"),
    "429": About("requests come too fast", _SPEED_HINT, options=("proxy",)),
    "451": About("the page is withheld for legal reasons"),
    "500": About("it failed on this URL", _DOWN_HINT),
    "502": About("a gateway got no valid answer from it", _DOWN_HINT),
    "503": About("it is overloaded or down", _DOWN_HINT),
    "504": About("a gateway got no answer from it in time", _DOWN_HINT),
}
_STATUS_CLASSES: Mapping[str, About] = {
    "1": About("which is not final"),
    "3": About("which names no other URL"),
    "4": About("a refusal"),
    "5": About("a failure of its own", _DOWN_HINT),
}


def about(reason: str) -> About:
    """What a reason means. An unknown one, as of a plug, has no meaning here: ''."""
    if (found := REASONS.get(reason)) is not None:
        return found
    if reason.startswith("http_"):
        status = reason.removeprefix("http_")
        found = _STATUSES.get(status) or _STATUS_CLASSES.get(status[:1]) or About("")
        more = f" ({found.meaning})" if found.meaning else ""
        return found._replace(meaning=f"the host answered with status {status}{more}")
    word = reason.partition(":")[0]
    return REASONS.get(word) or About("")


def explain(reason: str) -> str:
    """The reason with its meaning, in one line."""
    meaning = about(reason).meaning
    return f"{reason}: {meaning}" if meaning else reason


def may_pass(reason: str) -> bool:
    """True if a URL that failed for this reason is requested once more by the next run."""
    return about(reason).passes
