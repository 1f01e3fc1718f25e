"""Windows: build a `HostWindow`, fill it as the disk would, and start the URLs that it returns."""

from __future__ import annotations

from collections.abc import Iterable

from penstock.crawler.policies.breaker import CLOSED, BreakerState
from penstock.crawler.ports import Pending
from penstock.crawler.scheduler.host_window import HostWindow
from tests.support.fakes import url

NOW = 100.0
NEVER = float("inf")


def pending(host: str, path: str = "", depth: int = 0) -> Pending:
    return Pending(url(f"http://{host}/{path}"), host, depth, 0)


def window_of(*found: Pending, first_limit: int = 8, max_hosts: int = 100) -> HostWindow:
    """Return a window that holds these URLs and knows that the disk has no more."""
    window = HostWindow(first_limit=first_limit, max_hosts=max_hosts)
    for name in dict.fromkeys(one.host for one in found):
        window.note_new_urls(name)
    feed(window, found)
    return window


def feed(window: HostWindow, found: Iterable[Pending], *, more: bool = False) -> None:
    """Refill the hosts that run low from `found`."""
    rows = list(found)
    for host in window.take_low():
        window.refill(host, [row for row in rows if row.host == host.name], more=more)


def start_next(window: HostWindow, now: float = NOW, *, next_start: float = 0.0) -> str | None:
    """Start the next URL, if a host may be asked now."""
    host = window.take_ready(now)
    if host is None:
        return None
    first = host.first().url
    window.start(host, now=now, next_start=next_start)
    return first


def answer(
    window: HostWindow, name: str, *, breaker: BreakerState = CLOSED, pause_until: float = 0.0
) -> None:
    window.queues[name].breaker = breaker
    window.answered(window.queues[name], pause_until=pause_until)


def start_all(window: HostWindow, now: float = NOW) -> list[str]:
    started = []
    while (first := start_next(window, now)) is not None:
        started.append(first)
    return started
