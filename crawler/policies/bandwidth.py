"""Bandwidth: how fast bytes may arrive, all hosts together.

May touch: nothing. The caller brings the time and does the waiting.
"""

from __future__ import annotations


class Bandwidth:
    """So many bytes a second, evenly: whoever reads waits until the bytes before have had their time."""

    BURST = 0.25  # seconds' worth that may come at once; less would be all timers

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._paid_until = 0.0  # seconds, of the caller's clock

    def wait(self, count: int, now: float) -> float:
        """Note `count` more bytes; the seconds to wait before the next are read."""
        self._paid_until = max(self._paid_until, now - self.BURST) + count / self._per_second
        return max(self._paid_until - now, 0.0)
