"""A server with a known capacity, which a throttle has to find. For virtual time, or any other.

Beyond `capacity` requests at once every answer takes longer, as on a machine whose cores are
shared; beyond `per_second` starts a second it answers 429. It records what it did.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import NamedTuple


class Served(NamedTuple):
    at: float  # loop's seconds at the answer
    latency: float
    status: int


@dataclass(slots=True)
class ServerModel:
    """`await answer()` is one request: its status, after its latency."""

    latency: float = 0.1  # seconds, unloaded
    capacity: int = 1_000  # requests at once that do not slow each other down
    per_second: float = float("inf")  # starts that are answered with 200, counted in `window`s
    window: float = 1.0  # seconds
    jitter: float = 0.1  # of each latency, to both sides
    lot: random.Random = field(default_factory=lambda: random.Random(1))
    active: int = 0
    served: list[Served] = field(default_factory=list)
    most_active: int = 0
    _window_of: int = 0
    _in_window: int = 0

    async def answer(self) -> int:
        began = asyncio.get_running_loop().time()
        status = 200 if self._takes(began) else 429
        self.active += 1
        self.most_active = max(self.most_active, self.active)
        await (self._work() if status == 200 else asyncio.sleep(0.005))
        self.active -= 1
        now = asyncio.get_running_loop().time()
        self.served.append(Served(now, now - began, status))
        return status

    def _takes(self, now: float) -> bool:
        number = int(now / self.window)
        if number != self._window_of:
            self._window_of, self._in_window = number, 0
        self._in_window += 1
        return self._in_window <= self.per_second * self.window

    async def _work(self) -> None:
        """In slices, so that each takes the share that the load of its own moment leaves."""
        left = self.latency * self.lot.uniform(1 - self.jitter, 1 + self.jitter)
        for _ in range(5):
            await asyncio.sleep(left / 5 * max(self.active / self.capacity, 1.0))

    @property
    def best(self) -> float:
        """Pages a second that it can give to at most eight connections."""
        return min(self.per_second, min(self.capacity, 8) / self.latency)


class Verdict(NamedTuple):
    throughput: float  # share of the best
    slowest: float  # 95th percentile of the latency, times the unloaded one
    refused: float  # share of 429s


def verdict(model: ServerModel, *, after: float, until: float) -> Verdict:
    """What the server saw between the two moments."""
    seen = [one for one in model.served if after <= one.at < until]
    taken = sorted(one.latency for one in seen if one.status == 200)
    return Verdict(
        throughput=len(taken) / (until - after) / model.best,
        slowest=taken[int(len(taken) * 0.95)] / model.latency,
        refused=1 - len(taken) / len(seen),
    )
