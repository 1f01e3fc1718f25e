"""Congestion: how many requests a host may have open, learnt from how it answers.

May touch: nothing. Pure: a state and what was heard go in, the next state comes out.

One connection at first. While the time to a status line stays near what it is on an idle
server, the number doubles; once more connections only make answers slower, it goes back to
where they did not, and tries one more at ever longer intervals. Overload (429, 503, a
timeout) halves it. The family is TCP Vegas (Brakmo and Peterson, 1995) and Netflix's
gradient limits: a delay is a sign of a queue, long before anything is lost.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace


class Width(Struct, frozen=True, gc=False):
    """What is known of one host's room."""

    limit: int = 1  # requests that may be open now
    knee: int = 1 << 30  # up to here it doubles, beyond it goes by one
    base: float = 0.0  # seconds to a status line when unloaded; 0: not known yet
    window: tuple[float, ...] = ()  # seconds to a status line since the limit last changed
    skip: int = 0  # answers still to come to requests that were made under another limit
    hold: int = 0  # answers to wait before the next step up
    patience: int = 64  # the hold after the next step down


class Heard(Struct, frozen=True, gc=False):
    """One answer, as far as it says something of the host's load."""

    latency: float | None  # seconds to the status line, connecting not counted; None: none came
    overloaded: bool = False  # 503 or a timeout
    refused: bool = False  # 429
    busy: bool = True  # all the connections it may have were in use, and we could use more


class Congestion(Struct, frozen=True, kw_only=True):
    """From 1 to `per_host` open requests."""

    per_host: int = 8  # most open requests, whatever is learnt
    rise: float = 1.3  # so many times its unloaded latency is a queue
    most_patience: int = 512

    def after(self, width: Width, heard: Heard, *, in_flight: int, noise: float) -> Width:
        """The width after one more answer.

        `in_flight` counts the requests still open. `noise` is the seconds of latency that
        may be our own doing, such as a busy event loop.
        """
        if width.skip:
            return replace(width, skip=min(width.skip - 1, in_flight))
        if heard.overloaded:
            return self._narrow(width, width.limit // 2, in_flight)
        if heard.refused:
            # Not for long: from here on it is the pace that keeps us within what the host takes.
            return replace(width, limit=max(width.limit // 2, 1), window=(), skip=in_flight)
        if heard.latency is None:
            return width
        window = (*width.window, heard.latency)
        width = replace(width, window=window, hold=max(width.hold - 1, 0))
        if len(window) < max(4, 2 * width.limit):
            return width
        return self._judge(width, heard.busy, in_flight, noise)

    def recalled(self, limit: int) -> Width:
        """The width of a host that an earlier run got to know: half of what it was then."""
        return Width(limit=max(limit // 2, 1), knee=limit) if limit else Width()

    def _judge(self, width: Width, busy: bool, in_flight: int, noise: float) -> Width:
        """A window is full: more, less or as it is."""
        # A low quantile: pages differ, but in a queue even the quickest have to wait.
        typical = sorted(width.window)[len(width.window) // 4]
        queueing = 0.0 < self._longest(width.base, noise) < typical
        if width.limit == 1:
            # Nobody queues behind oneself: this is what unloaded means now.
            width = replace(width, base=typical)
            if queueing:
                width = replace(width, knee=self.per_host, hold=0, patience=Width().patience)
        elif queueing:
            return self._narrow(
                width, min(round(width.limit * width.base / typical), width.limit - 1), in_flight
            )
        else:
            width = replace(width, base=min(width.base, typical) if width.base else typical)
        if not busy or width.hold or width.limit >= self.per_host:
            return replace(width, window=())
        step = width.limit if 2 * width.limit <= width.knee else 1
        limit = min(width.limit + step, self.per_host)
        return replace(width, limit=limit, window=(), skip=in_flight)

    def _longest(self, base: float, noise: float) -> float:
        """What is still near the unloaded latency; 0 if that is not known."""
        return max(base * self.rise, base + noise) if base else 0.0

    def _narrow(self, width: Width, limit: int, in_flight: int) -> Width:
        limit = max(limit, 1)
        return replace(
            width,
            limit=limit,
            knee=limit,
            window=(),
            skip=in_flight,
            hold=width.patience,
            patience=min(2 * width.patience, self.most_patience),
        )
