"""Stats: what a running crawl can say of itself at any moment.

May touch: nothing. Plain numbers; the live view and the plain progress lines read them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class QueueDepth(NamedTuple):
    waiting: int  # messages in the stage's inbox
    bound: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One look at a running crawl. Counts marked "run" begin at 0 with this run."""

    elapsed_s: float  # run
    requests: int = 0  # run: settled answers and failures, robots.txt apart
    pages: int = 0  # run: status 200 without error
    bytes: int = 0  # run: bodies downloaded, after content-coding
    failed: int = 0  # run: given up
    retries: int = 0  # run: put off for another attempt
    pending: int = 0  # whole crawl: URLs still to be fetched, those in flight included
    in_flight: int = 0  # leased and not yet settled
    hosts: int = 0  # hosts in the window
    queues: Mapping[str, QueueDepth] = field(default_factory=dict)  # by stage name, in flow order
    stopping: str | None = None  # the reason, once the crawl winds down
