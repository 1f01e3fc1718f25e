"""Snapshot: how a running crawl stands at one moment, in plain numbers.

May touch: msgspec, for the shape of values. The live view, `status`, the metrics and the table
`telemetry` all show these. A snapshot survives JSON unchanged, so that another process can
show it too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from msgspec import Struct, field
from msgspec.structs import asdict


class StageView(NamedTuple):
    """One stage. Numbers with a fraction are means over the previous second."""

    waiting: float  # messages in its inbox
    bound: int  # messages that its inbox may hold
    busy: float  # workers that handle a message
    workers: int
    handled: int = 0  # messages, in this run
    wait_ms: float = 0.0  # in the inbox, per message
    service_ms: float = 0.0  # in a worker, per message


class HostView(NamedTuple):
    """One host that is being asked, or that has URLs waiting."""

    name: str
    active: int  # requests under way
    limit: int  # requests that it may have open
    rate: float | None = None  # starts a second, at most; None: no bound
    pause_s: float = 0.0  # seconds before it may be asked again; 0 if no longer than `rate` asks for
    held_back: bool = False  # it answered slowly, with 429s or never


class LiveEvent(NamedTuple):
    at: float  # unix seconds
    text: str  # one line; parts of it come from the web


class Sample(Struct, frozen=True, kw_only=True):
    """One second of a crawl, for the table `telemetry`."""

    at: int  # unix seconds
    requests: int  # this run, like all counts that are not marked
    pages: int
    bytes: int
    failed: int
    pending: int  # whole crawl
    skipped: int  # whole crawl
    in_flight: int
    hosts: int
    hosts_held_back: int
    lag_ms: float  # of the event loop
    loop_busy: float  # share of one core that the event loop took
    stages: Mapping[str, StageView]


class Snapshot(Struct, frozen=True, kw_only=True):
    """A running crawl at one moment. Counts marked "run" begin at 0 with this run."""

    elapsed_s: float  # run
    requests: int = 0  # run: settled answers and failures, robots.txt apart
    pages: int = 0  # run: status 200 without error
    bytes: int = 0  # run: bodies downloaded, after content-coding
    failed: int = 0  # run: given up
    retries: int = 0  # run: to be requested again
    pages_per_s: float = 0.0  # over the last few seconds
    left_s: float | None = None  # until a budget is spent or nothing is pending; None: not known
    pending: int = 0  # whole crawl: URLs still to be fetched, those in flight included
    skipped: int = 0  # whole crawl: URLs that a rule kept out
    in_flight: int = 0  # leased and not yet settled
    hosts: int = 0  # hosts in the window
    stages: Mapping[str, StageView] = field(default_factory=dict)  # by name, in flow order
    hosts_held_back: int = 0
    busiest: Sequence[HostView] = ()  # a few hosts, those held back first
    answers: Mapping[str, int] = field(default_factory=dict)  # run: by class of status, or `none`
    failures: Mapping[str, int] = field(default_factory=dict)  # run: by reason
    events: Sequence[LiveEvent] = ()  # the last few, the newest last
    lag_ms: float = 0.0  # of the event loop
    loop_busy: float = 0.0  # share of one core that the event loop took
    stopping: str | None = None  # the reason, once the crawl winds down

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Snapshot:
        """Read what `to_json` wrote, in this version or another. Raises ValueError for any other text."""
        try:
            values: dict[str, Any] = {
                name: value for name, value in json.loads(text).items() if name in cls.__struct_fields__
            }
            values["stages"] = {name: StageView(*row) for name, row in values["stages"].items()}
            values["busiest"] = [HostView(*row) for row in values["busiest"]]
            values["events"] = [LiveEvent(*row) for row in values["events"]]
            return cls(**values)
        except (AttributeError, KeyError, RecursionError, TypeError) as error:
            raise ValueError(f"no snapshot: {error}") from None
