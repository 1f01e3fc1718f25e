"""Status lines: a snapshot of a crawl as lines of text, for the live view, `status` and logs.

May touch: nothing; it returns text. Control characters in text from the web are escaped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from penstock.crawler.output.number_formats import (
    format_count,
    format_duration,
    format_rate,
    format_size,
    plural,
)
from penstock.crawler.output.terminal import escape_control_chars
from penstock.crawler.snapshot import HostView, LiveEvent, Snapshot, StageView

REASONS_SHOWN = 6
_WITH_TIMES = 54  # columns; with fewer the times of a stage are left out
_WITH_BARS = 72
_LONGEST_BAR = 40


def all_lines(snapshot: Snapshot, width: int) -> list[str]:
    """Everything, the most important first. Lines of hosts and events may be wider than `width`."""
    return [
        *(line for group in counts(snapshot) for line in pack(group, width)),
        *stage_table(snapshot, width),
        *pack(load(snapshot), width),
        *host_lines(snapshot.busiest, width),
        *(event_line(each) for each in reversed(snapshot.events)),
    ]


def counts(snapshot: Snapshot) -> Iterator[list[str]]:
    """The counts, in groups of short parts; a group belongs on one line."""
    if snapshot.stopping:
        yield [
            f"stopping ({escape_control_chars(snapshot.stopping)})",
            f"{format_count(snapshot.in_flight)} in flight",
        ]
    yield [
        f"{format_count(snapshot.pages)} pages",
        format_rate(snapshot.pages_per_s),
        format_size(snapshot.bytes),
        format_duration(snapshot.elapsed_s),
        *([] if snapshot.left_s is None else [f"about {format_duration(snapshot.left_s)} left"]),
    ]
    yield [
        f"{format_count(snapshot.pending)} pending",
        f"{format_count(snapshot.skipped)} skipped",
        f"{format_count(snapshot.failed)} failed",
        f"{format_count(snapshot.retries)} retried",
    ]
    if snapshot.failures:
        yield _reasons(snapshot)


def load(snapshot: Snapshot) -> list[str]:
    """How busy the event loop and the hosts are."""
    held_back = snapshot.hosts_held_back
    return [
        f"{format_count(snapshot.in_flight)} in flight",
        plural(snapshot.hosts, "host"),
        *([f"{format_count(held_back)} throttled"] if held_back else []),
        f"event loop {snapshot.loop_busy:.0%} busy, lag {snapshot.lag_ms:.0f} ms",
    ]


def stage_table(snapshot: Snapshot, width: int) -> list[str]:
    """A table of the stages: messages that wait before each, and how many of its workers are busy."""
    bar = min(width - _WITH_BARS + 10, _LONGEST_BAR) if width >= _WITH_BARS else 0
    times = width >= _WITH_TIMES
    head = f"{'stage':<6}{'queue':>9}{'busy':>13}"
    if not snapshot.stages:
        return []
    if times:
        head += f"{'':{bar + 2 if bar else 0}}{'':>6}{'wait':>10}{'service':>10}"
    return [head.rstrip(), *(_stage(name, stage, bar, times) for name, stage in snapshot.stages.items())]


def stages_in_short(snapshot: Snapshot) -> list[str]:
    """The stages for one long line."""
    return [
        f"{name} queue {stage.waiting:.0f}/{stage.bound} busy {stage.busy:.0f}/{stage.workers}"
        for name, stage in snapshot.stages.items()
    ]


def host_lines(views: Sequence[HostView], width: int) -> list[str]:
    """A line per host: requests in flight, the most allowed, the rate limit, the pause."""
    room = max(width - 48, 12)
    return [
        _host(view, min(room, max(len(escape_control_chars(each.name)) for each in views))) for view in views
    ]


def event_line(event: LiveEvent) -> str:
    moment = datetime.fromtimestamp(event.at).astimezone()
    return f"{moment:%H:%M:%S}  {escape_control_chars(event.text)}"


def pack(parts: Sequence[str], width: int) -> list[str]:
    """Put parts on as few lines as their width needs; a part is never split."""
    packed: list[str] = []
    for part in parts:
        if packed and len(packed[-1]) + 2 + len(part) <= width:
            packed[-1] += "  " + part
        else:
            packed.append(part)
    return packed


def _reasons(snapshot: Snapshot) -> list[str]:
    most = sorted(snapshot.failures.items(), key=lambda item: (-item[1], item[0]))
    rest = len(most) - REASONS_SHOWN
    shown = [
        f"{escape_control_chars(reason)} {format_count(number)}" for reason, number in most[:REASONS_SHOWN]
    ]
    shown[0] = f"failed: {shown[0]}"
    return [*shown, *([f"and {plural(rest, 'reason')} more"] if rest > 0 else [])]


def _stage(name: str, stage: StageView, bar: int, times: bool) -> str:
    share = min(max(stage.busy / max(stage.workers, 1), 0.0), 1.0)
    line = f"{escape_control_chars(name):<6}{f'{stage.waiting:.0f}/{stage.bound}':>9}"
    line += f"{f'{stage.busy:.1f}/{stage.workers}':>13}"
    if bar:
        full = round(share * bar)
        line += "  " + "█" * full + "░" * (bar - full)
    if times:
        line += f"{share:>6.0%}{_milliseconds(stage.wait_ms):>10}{_milliseconds(stage.service_ms):>10}"
    return line


def _milliseconds(value: float) -> str:
    return f"{value:.1f} ms" if value < 9.95 else f"{value:,.0f} ms"


def _host(view: HostView, room: int) -> str:
    name = escape_control_chars(view.name)
    name = name if len(name) <= room else name[: room - 1] + "…"
    parts = [f"  {name:<{room}}", f"{view.active} of {plural(view.limit, 'request')}"]
    parts += [f"at most {view.rate:.2g}/s"] if view.rate is not None else []
    parts += [f"paused {format_duration(view.pause_s)}"] if view.pause_s else []
    return "  ".join(parts).rstrip()
