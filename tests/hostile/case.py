"""Case: one kind of misbehaviour, by name, and its expected outcome.

May touch: nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

Say = Callable[[asyncio.StreamWriter], Awaitable[None]]

TIMEOUTS = ("timeout", "timeout_read")
KILLED = ("parse_timeout", "parse_crash")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A page at `/case/NAME/0`, and at as many further numbers as a crawl likes to ask for."""

    name: str
    answer: Say | Callable[[], bytes] | bytes
    state: str = "done"
    reasons: tuple[str, ...] = ()  # of a failure: any of these
    stays: bool = False  # the connection is kept for further requests
    page: Mapping[str, object] = field(default_factory=dict)  # columns of its row, in `pages`
    links: int | None = None  # rows in `links`
    tail: int = 0  # further numbers to ask for, so that what stays behind has somebody to harm


def fails(name: str, answer: Say | Callable[[], bytes] | bytes, *reasons: str, stays: bool = False) -> Case:
    return Case(name=name, answer=answer, state="failed", reasons=reasons, stays=stays)


def head(*headers: str, status: str = "200 OK", version: str = "HTTP/1.1") -> bytes:
    """A status line and headers, closed."""
    return "\r\n".join([f"{version} {status}", *headers, "", ""]).encode("latin-1", "surrogateescape")


def html(body: bytes, *headers: str, kind: str = "text/html") -> bytes:
    """A whole answer with an HTML page."""
    return head(f"Content-Type: {kind}", *headers, f"Content-Length: {len(body)}") + body


def markup(name: str, body: Callable[[], bytes], *reasons: str, **more: object) -> Case:
    """A page whose framing is good and whose content is not; made anew for each request."""
    state = "failed" if reasons else "done"
    return Case(name=name, answer=lambda: html(body()), state=state, reasons=reasons, stays=True, **more)  # type: ignore[arg-type]
