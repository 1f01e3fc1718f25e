"""Pacing: how many requests a second a host accepts, learnt from its 429s. All times in seconds.

May touch: nothing. Pure: a state and an answer go in, the next state comes out.

There is no limit until a host answers 429 (RFC 6585 section 4). The first limit is the rate of
the answers until then, less a tenth. From there the rate approaches the lowest rate that was
answered with 429, by halving the distance, and probes beyond it at ever longer intervals. That
search costs few 429s; a steady climb would meet them again and again.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

UNLIMITED = float("inf")


class RateMeter(Struct, frozen=True, gc=False):
    """Answers counted over the last one to two spans."""

    since: float = 0.0  # unix seconds
    count: int = 0
    earlier_since: float = 0.0  # the span before
    earlier_count: int = 0

    def add(self, now: float, span: float) -> RateMeter:
        if now - self.since < span:
            return replace(self, count=self.count + 1)
        if now - self.since < 2 * span:
            return RateMeter(now, 1, self.since, self.count)
        return RateMeter(now, 1, now, 0)

    def rate(self, now: float, *, more: int) -> float:
        """Answers a second, with so many `more` now."""
        shortest = 1.0 if self.count > 4 else 0.25
        return (self.count + self.earlier_count + more) / max(now - self.earlier_since, shortest)


class RateState(Struct, frozen=True, gc=False):
    """How many requests a second one host accepts, as far as is known."""

    rate: float = UNLIMITED  # starts a second
    ceiling: float = UNLIMITED  # the lowest rate that was answered with 429, as far as is known
    clean: int = 0  # answers at this rate since it was set, no 429 among them
    stale: int = 0  # answers still to come to requests that were sent at another rate
    pause: float = 0.0  # how long the host is left alone after its latest 429
    probe_after: int = 200  # clean answers before the ceiling is probed
    probes: int = 0  # how often in a row the ceiling was raised
    limited_at: float = 0.0  # unix seconds of the latest 429; 0: none in this run
    accepted: int = 0  # answers since then, no 429 among them
    meter: RateMeter = RateMeter()

    @property
    def gap(self) -> float:
        """Seconds between two starts; 0 while there is no limit."""
        return 1.0 / self.rate if self.rate < UNLIMITED else 0.0


class Pacing(Struct, frozen=True, kw_only=True):
    """Find the highest request rate that a host does not answer with 429."""

    margin: float = 0.9  # the new rate as a share of what was answered, or of what met a 429
    near: float = 0.95  # share of the ceiling up to which the rate rises by itself
    step_after: int = 20  # clean answers before each rise
    span: float = 2.0  # of the meter
    first_pause: float = 1.0  # many hosts count by the second: what is left of it would meet 429 too
    later_pause: float = 0.1
    max_pause: float = 60.0
    min_rate: float = 0.05  # starts a second: a host that rejects one in 20 s needs a person
    max_probe_after: int = 2_400

    def update(self, state: RateState, *, rate_limited: bool, now: float, in_flight: int) -> RateState:
        """Return the state after one more answer at `now` (unix seconds); `rate_limited`: it was a 429.

        `in_flight` counts the requests that are still open.
        """
        if state.rate == UNLIMITED and not rate_limited:
            return replace(state, meter=state.meter.add(now, self.span))
        if state.stale:
            return replace(state, stale=min(state.stale - 1, in_flight))
        if rate_limited:
            return self._lower(state, now, in_flight)
        return self._rise(replace(state, clean=state.clean + 1, accepted=state.accepted + 1))

    def restore(self, rate: float | None) -> RateState:
        """Return the first state of a host whose rate is known from an earlier run; None: it has no limit."""
        if rate is None:
            return RateState()
        return RateState(rate=rate, ceiling=rate / self.near, probe_after=800)

    def _lower(self, state: RateState, now: float, in_flight: int) -> RateState:
        probe_after = state.probe_after
        if state.rate == UNLIMITED:
            # The host let in those that are still open before it rejected this one.
            answered = state.meter.rate(now, more=in_flight)
            rate, ceiling, pause = self.margin * answered, 1.1 * answered, self.first_pause
        elif not state.accepted:
            # Even the first request after the pause met a 429: that tells nothing about the rate, and
            # a longer pause may help.
            return replace(state, pause=min(3 * state.pause, self.max_pause), stale=in_flight)
        else:
            # Over the whole time since the latest 429, pauses included: some hosts count by the minute.
            answered = state.accepted / max(now - state.limited_at, 1.0)
            counts_by_window = state.limited_at > 0 and answered < 0.5 * state.rate
            rate = answered if counts_by_window else self.margin * state.rate
            ceiling, pause = state.rate, self.later_pause
            if state.probes:
                probe_after = min(2 * probe_after, self.max_probe_after)
        return RateState(
            rate=max(rate, self.min_rate),
            ceiling=max(ceiling, self.min_rate),
            stale=in_flight,
            pause=pause,
            probe_after=probe_after,
            limited_at=now,
        )

    def _rise(self, state: RateState) -> RateState:
        """Approach the ceiling; after enough clean answers probe beyond it."""
        goal = self.near * state.ceiling
        if state.rate >= goal:
            if state.clean < state.probe_after:
                return state
            # Each probe goes further: the host may have changed, or was misjudged.
            ceiling = state.ceiling * (1 + 0.1 * 2 ** min(state.probes, 3))
            probe_after = max(state.probe_after // 2, self.step_after) if state.probes else state.probe_after
            return replace(state, ceiling=ceiling, clean=0, probes=state.probes + 1, probe_after=probe_after)
        if state.clean < self.step_after:
            return state
        rate = min(1.25 * state.rate, (state.rate + goal) / 2)
        # The last steps of a halving would never end.
        return replace(state, rate=rate if rate < 0.98 * goal else goal, clean=0)
