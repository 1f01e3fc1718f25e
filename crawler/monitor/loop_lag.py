"""Lag: how late the event loop comes to what is due. A latency that we measure has our own in it.

May touch: asyncio.
"""

from __future__ import annotations

import asyncio

EVERY = 0.05  # seconds between two looks
SMOOTH = 0.1  # weight of the newest look


class LoopLag:
    """`await run()` beside the work; call it for the seconds of lag, averaged over about a second."""

    def __init__(self) -> None:
        self.mean = 0.0

    def __call__(self) -> float:
        return self.mean

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + EVERY
            await asyncio.sleep(EVERY)
            self.mean += SMOOTH * (max(loop.time() - due, 0.0) - self.mean)
