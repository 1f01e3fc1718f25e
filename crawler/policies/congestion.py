"""Congestion: how many requests a host may have open, learnt from how it answers.

May touch: nothing. Pure: a state and an outcome go in, the next state comes out.

The first limit is one connection. The limit doubles while the time to a status line stays near
that of an unloaded server (slow start). When more connections only make answers slower, the
limit returns to the last good value and then grows by one, at ever longer intervals. Overload
(429, 503, a timeout) halves it. The family is TCP Vegas (Brakmo and Peterson, 1995) and
Netflix's gradient limits: a delay is a sign of a queue, long before anything is lost.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

FIRST_BACKOFF = 64  # answers


class ConcurrencyState(Struct, frozen=True, gc=False):
    """How many requests one host may have open, and the answers that led to it."""

    limit: int = 1  # requests that may be open now
    slow_start_threshold: int = 1 << 30  # up to here the limit doubles, beyond it grows by one
    base_latency: float = 0.0  # seconds to a status line when unloaded; 0: not known yet
    window: tuple[float, ...] = ()  # seconds to a status line since the limit last changed
    stale: int = 0  # answers still to come to requests that were sent under another limit
    cooldown: int = 0  # answers to wait before the next step up
    backoff: int = FIRST_BACKOFF  # the cool-down after the next step down; it doubles each time


class Outcome(Struct, frozen=True, gc=False):
    """One finished request, as far as it tells the load of its host."""

    latency: float | None  # seconds to the status line, connecting not counted; None: none came
    overloaded: bool = False  # 503 or a timeout
    rate_limited: bool = False  # 429
    saturated: bool = True  # the host's limit was used up, and more fetchers were free


class Congestion(Struct, frozen=True, kw_only=True):
    """Keep the limit of open requests between 1 and `per_host`."""

    per_host: int = 8  # most open requests, whatever is learnt
    queueing_factor: float = 1.3  # so many times its unloaded latency is a queue
    max_backoff: int = 512  # answers

    def update(
        self, state: ConcurrencyState, outcome: Outcome, *, in_flight: int, noise: float
    ) -> ConcurrencyState:
        """Return the state after one more outcome.

        `in_flight` counts the requests that are still open. `noise` is the seconds of latency
        that this process may have caused, such as a busy event loop.
        """
        if state.stale:
            return replace(state, stale=min(state.stale - 1, in_flight))
        if outcome.overloaded:
            return self._back_off(state, state.limit // 2, in_flight)
        if outcome.rate_limited:
            # No cool-down: from here on the request rate keeps the host within its bound.
            return replace(state, limit=max(state.limit // 2, 1), window=(), stale=in_flight)
        if outcome.latency is None:
            return state
        window = (*state.window, outcome.latency)
        state = replace(state, window=window, cooldown=max(state.cooldown - 1, 0))
        if len(window) < max(4, 2 * state.limit):
            return state
        return self._judge_window(state, outcome.saturated, in_flight, noise)

    def restore(self, limit: int) -> ConcurrencyState:
        """Return the first state of a host whose limit is known from an earlier run: half of that limit.

        `limit` 0: nothing is known.
        """
        if not limit:
            return ConcurrencyState()
        return ConcurrencyState(limit=max(limit // 2, 1), slow_start_threshold=limit)

    def _judge_window(
        self, state: ConcurrencyState, saturated: bool, in_flight: int, noise: float
    ) -> ConcurrencyState:
        """A window is full: raise, lower or keep the limit."""
        # A low quantile: pages differ, but in a queue even the quickest have to wait.
        typical = sorted(state.window)[len(state.window) // 4]
        base = state.base_latency
        queueing = base > 0.0 and typical > max(base * self.queueing_factor, base + noise)
        if state.limit == 1:
            # A single request never queues behind itself, so this is what unloaded means now.
            state = replace(state, base_latency=typical)
            if queueing:
                state = replace(state, slow_start_threshold=self.per_host, cooldown=0, backoff=FIRST_BACKOFF)
        elif queueing:
            limit = min(round(state.limit * base / typical), state.limit - 1)
            return self._back_off(state, limit, in_flight)
        else:
            state = replace(state, base_latency=min(base, typical) if base else typical)
        if not saturated or state.cooldown or state.limit >= self.per_host:
            return replace(state, window=())
        step = state.limit if 2 * state.limit <= state.slow_start_threshold else 1
        limit = min(state.limit + step, self.per_host)
        return replace(state, limit=limit, window=(), stale=in_flight)

    def _back_off(self, state: ConcurrencyState, limit: int, in_flight: int) -> ConcurrencyState:
        limit = max(limit, 1)
        return replace(
            state,
            limit=limit,
            slow_start_threshold=limit,
            window=(),
            stale=in_flight,
            cooldown=state.backoff,
            backoff=min(2 * state.backoff, self.max_backoff),
        )
