"""Pacing: how many requests a second a host takes, learnt from its 429s. All times in seconds.

May touch: nothing. Pure: a state and what was heard go in, the next state comes out.

Nothing is paced until a host says 429 (RFC 6585 section 4). Then the rate of what it did
answer is what it takes, less a tenth. From there the rate closes in on the lowest one that
was refused, by halving the distance, and tries that again at ever longer intervals: a
search that costs few refusals, where a steady climb would run into one again and again.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

UNPACED = float("inf")


class Meter(Struct, frozen=True, gc=False):
    """Answers counted over the last one to two spans."""

    since: float = 0.0  # unix seconds
    seen: int = 0
    earlier_since: float = 0.0
    earlier_seen: int = 0

    def add(self, now: float, span: float) -> Meter:
        if now - self.since < span:
            return replace(self, seen=self.seen + 1)
        if now - self.since < 2 * span:
            return Meter(now, 1, self.since, self.seen)
        return Meter(now, 1, now, 0)

    def rate(self, now: float, *, more: int) -> float:
        """Answers a second, with so many `more` now."""
        return (self.seen + self.earlier_seen + more) / max(
            now - self.earlier_since, 1.0 if self.seen > 4 else 0.25
        )


class Pace(Struct, frozen=True, gc=False):
    """What is known of one host's patience."""

    rate: float = UNPACED  # starts a second
    ceiling: float = UNPACED  # the lowest rate that was refused, as far as is known
    clean: int = 0  # answers at this rate, none refused
    skip: int = 0  # answers still to come to requests that were made at another rate
    rest: float = 0.0  # after the refusal that was heard last
    patience: int = 200  # clean answers before the ceiling is tried
    tries: int = 0  # how often in a row the ceiling was raised to see what happens
    since: float = 0.0  # unix seconds of that refusal; 0: none in this run
    taken: int = 0  # answers to requests made since, none refused
    meter: Meter = Meter()

    @property
    def gap(self) -> float:
        """Seconds between two starts; 0 while nothing is known."""
        return 1.0 / self.rate if self.rate < UNPACED else 0.0


class Pacing(Struct, frozen=True, kw_only=True):
    margin: float = 0.9  # of what was answered, or of what was refused
    near: float = 0.95  # of the ceiling: closer it does not go by itself
    step_after: int = 20  # clean answers
    span: float = 2.0  # of the meter
    first_rest: float = 1.0  # many hosts count by the second: what is left of it would be refused too
    later_rest: float = 0.1
    longest_rest: float = 60.0
    least: float = 0.05  # starts a second: a host that refuses one in 20 s needs a person
    most_patience: int = 2_400

    def after(self, pace: Pace, *, refused: bool, now: float, in_flight: int) -> Pace:
        """The pace after one more answer; `refused` if it was a 429."""
        if refused:
            if pace.skip:
                return replace(pace, skip=min(pace.skip - 1, in_flight))
            return self._refused(pace, now, in_flight)
        if pace.rate == UNPACED:
            return replace(pace, meter=pace.meter.add(now, self.span))
        if pace.skip:
            return replace(pace, skip=min(pace.skip - 1, in_flight))
        return self._taken(replace(pace, clean=pace.clean + 1, taken=pace.taken + 1))

    def recalled(self, rate: float | None) -> Pace:
        """The pace of a host that an earlier run got to know."""
        return Pace() if rate is None else Pace(rate=rate, ceiling=rate / self.near, patience=800)

    def _refused(self, pace: Pace, now: float, in_flight: int) -> Pace:
        if pace.rate == UNPACED:
            # Those still under way were let in before this one was refused.
            taken = pace.meter.rate(now, more=in_flight)
            rate, ceiling, rest = self.margin * taken, 1.1 * taken, self.first_rest
            patience = pace.patience
        elif not pace.taken:
            # Not even the first one after the rest: the rate says nothing, a longer rest may help.
            return replace(pace, rest=min(3 * pace.rest, self.longest_rest), skip=in_flight)
        else:
            # Over the whole time since the last refusal, rests and all: some hosts count by the minute.
            taken = pace.taken / max(now - pace.since, 1.0)
            by_window = pace.since > 0 and taken < 0.5 * pace.rate
            rate = taken if by_window else self.margin * pace.rate
            ceiling, rest = pace.rate, self.later_rest
            patience = min(2 * pace.patience, self.most_patience) if pace.tries else pace.patience
        return Pace(
            rate=max(rate, self.least),
            ceiling=max(ceiling, self.least),
            skip=in_flight,
            rest=rest,
            patience=patience,
            since=now,
        )

    def _taken(self, pace: Pace) -> Pace:
        """Closer to the ceiling, or after long enough beyond it."""
        goal = self.near * pace.ceiling
        if pace.rate >= goal:
            return self._try_more(pace) if pace.clean >= pace.patience else pace
        if pace.clean < self.step_after:
            return pace
        rate = min(1.25 * pace.rate, (pace.rate + goal) / 2)
        # The last steps of a halving would never end.
        return replace(pace, rate=rate if rate < 0.98 * goal else goal, clean=0)

    def _try_more(self, pace: Pace) -> Pace:
        """Ever bolder while nothing is refused: the host may have changed, or was misjudged."""
        patience = max(pace.patience // 2, self.step_after) if pace.tries else pace.patience
        raised = pace.ceiling * (1 + 0.1 * 2 ** min(pace.tries, 3))
        return replace(pace, ceiling=raised, clean=0, tries=pace.tries + 1, patience=patience)
