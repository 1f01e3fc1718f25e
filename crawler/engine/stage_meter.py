"""Stage meter: what the workers of one stage have done so far, counted as they do it.

May touch: nothing. Two calls per message, a microsecond for both; whoever watches does the sums.
"""

from __future__ import annotations

from bisect import bisect_left

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)  # seconds


class StageMeter:
    """All times are seconds of a clock that never goes back."""

    __slots__ = ("_begun_sum", "_finished_s", "buckets", "busy", "handled")

    def __init__(self) -> None:
        self.busy = 0  # workers with a message in hand; waiting for room downstream is not work
        self.handled = 0  # messages
        self.buckets = [0] * (len(BOUNDS) + 1)  # of these, by the time they took; the last is over all bounds
        self._finished_s = 0.0
        self._begun_sum = 0.0  # of the moments at which those in hand were begun

    def begin(self, now: float) -> None:
        self.busy += 1
        self._begun_sum += now

    def end(self, begun: float, now: float) -> None:
        """What was begun then has its answer."""
        self.busy -= 1
        self._begun_sum = self._begun_sum - begun if self.busy else 0.0  # nought: no rounding piles up
        self.handled += 1
        self._finished_s += now - begun
        self.buckets[bisect_left(BOUNDS, now - begun)] += 1

    @property
    def finished_s(self) -> float:
        """Worker seconds spent on the messages that were handled."""
        return self._finished_s

    def busy_s(self, now: float) -> float:
        """Worker seconds so far, those on messages still in hand included."""
        return self._finished_s + self.busy * now - self._begun_sum
