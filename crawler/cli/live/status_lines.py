"""Panel: a snapshot of a crawl as lines of text, for the live view, for `status`, for a log.

May touch: nothing; it returns text. Whatever a site may have written was made harmless.
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
from penstock.crawler.snapshot import Event, HostView, Snapshot, StageView

REASONS_SHOWN = 6
_WITH_TIMES = 54  # columns; fewer have no room for what a message waits and takes
_WITH_BARS = 72
_LONGEST_BAR = 40


def lines(snapshot: Snapshot, width: int) -> list[str]:
    """All there is to show, the most important first. Hosts and events may be wider than `width`."""
    return [
        *(line for group in figures(snapshot) for line in packed(group, width)),
        *stages(snapshot, width),
        *packed(engine(snapshot), width),
        *hosts(snapshot.busiest, width),
        *(event(each) for each in reversed(snapshot.events)),
    ]


def figures(snapshot: Snapshot) -> Iterator[list[str]]:
    """The counts, in groups of short parts that belong on one line."""
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


def engine(snapshot: Snapshot) -> list[str]:
    """How the machine and the hosts are doing."""
    held_back = snapshot.hosts_held_back
    return [
        f"{format_count(snapshot.in_flight)} in flight",
        plural(snapshot.hosts, "host"),
        *([f"{format_count(held_back)} held back"] if held_back else []),
        f"event loop {snapshot.loop_busy:.0%} busy, {snapshot.lag_ms:.0f} ms late",
    ]


def stages(snapshot: Snapshot, width: int) -> list[str]:
    """A table of the stages: what waits before each, and how many of its workers are busy."""
    bar = min(width - _WITH_BARS + 10, _LONGEST_BAR) if width >= _WITH_BARS else 0
    times = width >= _WITH_TIMES
    head = f"{'stage':<6}{'queue':>9}{'busy':>13}"
    if not snapshot.stages:
        return []
    if times:
        head += f"{'':{bar + 2 if bar else 0}}{'':>6}{'waits':>10}{'takes':>10}"
    return [head.rstrip(), *(_stage(name, stage, bar, times) for name, stage in snapshot.stages.items())]


def brief(snapshot: Snapshot) -> list[str]:
    """The stages for one long line."""
    return [
        f"{name} queue {stage.waiting:.0f}/{stage.bound} busy {stage.busy:.0f}/{stage.workers}"
        for name, stage in snapshot.stages.items()
    ]


def hosts(views: Sequence[HostView], width: int) -> list[str]:
    """A line on each host: requests under way and allowed, its pace, its rest."""
    room = max(width - 48, 12)
    return [
        _host(view, min(room, max(len(escape_control_chars(each.name)) for each in views))) for view in views
    ]


def event(event: Event) -> str:
    moment = datetime.fromtimestamp(event.at).astimezone()
    return f"{moment:%H:%M:%S}  {escape_control_chars(event.text)}"


def packed(parts: Sequence[str], width: int) -> list[str]:
    """Lay parts out in as few lines as their width needs; a part is never cut in two."""
    laid: list[str] = []
    for part in parts:
        if laid and len(laid[-1]) + 2 + len(part) <= width:
            laid[-1] += "  " + part
        else:
            laid.append(part)
    return laid


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
    parts += [f"rests {format_duration(view.pause_s)}"] if view.pause_s else []
    return "  ".join(parts).rstrip()
