"""Progress: a running crawl, as it is seen from outside, a few times a second.

May touch: standard error; rich, which nobody else imports.
Never: the crawl. It looks at snapshots, and whatever goes wrong here ends the view only.

On a terminal a live block of lines, redrawn in place; log lines go through the same
console and appear above it. Elsewhere a plain line now and then.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from crawler import terminal
from crawler.cli.figures import count, duration, rate, size
from crawler.cli.view import View
from crawler.stats import Snapshot

if TYPE_CHECKING:
    from rich.console import RenderableType

_BAR_INTERVAL = 0.25  # seconds: four times a second reads as live
_LINE_INTERVAL = 10.0  # seconds
_RATE_WINDOW = 10.0  # seconds that "pages per second" looks back

Wait = Callable[[float], Awaitable[None]]


class Display(Protocol):
    interval: float

    def show(self, snapshot: Snapshot) -> None: ...
    def close(self) -> None: ...


@contextlib.asynccontextmanager
async def shown(
    look: Callable[[], Snapshot], view: View, *, wait: Wait = asyncio.sleep
) -> AsyncIterator[None]:
    """Show what `look` returns for as long as the context lasts, in the way `view` asks for."""
    display = _display(view)
    if display is None:
        yield
        return
    task = asyncio.create_task(_keep_showing(display, look, wait))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        display.close()


async def _keep_showing(display: Display, look: Callable[[], Snapshot], wait: Wait) -> None:
    while True:
        # Wait first: a crawl that is refused at once shows no empty bar.
        await wait(display.interval)
        try:
            display.show(look())
        except Exception as error:
            from crawler.logs import get_logger

            get_logger().warning("progress_ended", error=repr(error), exc_info=error)
            return


def _display(view: View) -> Display | None:
    if view.quiet or view.progress == "none":
        return None
    if view.progress in ("auto", "bar") and terminal.is_terminal():
        return Bar(sys.stderr)
    return Lines(view)


class Rate:
    """Pages per second over the last moments, by the snapshots' own clock."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque([(0.0, 0)])

    def __call__(self, snapshot: Snapshot) -> float:
        seen = self._seen
        seen.append((snapshot.elapsed_s, snapshot.pages))
        while len(seen) > 2 and snapshot.elapsed_s - seen[0][0] > _RATE_WINDOW:
            seen.popleft()
        (then, before), (now, pages) = seen[0], seen[-1]
        return (pages - before) / (now - then) if now > then else 0.0


class Lines:
    """A plain line every ten seconds, or an event if that is the format."""

    interval = _LINE_INTERVAL

    def __init__(self, view: View) -> None:
        self._view = view
        self._rate = Rate()

    def show(self, snapshot: Snapshot) -> None:
        speed = self._rate(snapshot)
        parts = [part for group in figures(snapshot, speed) for part in group]
        self._view.tell([", ".join(parts)], "progress_made", facts(snapshot, speed))

    def close(self) -> None:
        pass


class Bar:
    """The live block. The cursor is never hidden, so no way to die can leave it hidden."""

    interval = _BAR_INTERVAL

    def __init__(self, stream: TextIO, **console_options: Any) -> None:
        from rich.console import Console
        from rich.live import Live

        self._console = Console(file=_Forgiving(stream), force_terminal=True, **console_options)  # type: ignore[arg-type]
        self._live = Live(console=self._console, auto_refresh=False, transient=True, redirect_stdout=False)
        self._rate = Rate()
        self._open = contextlib.ExitStack()

    def show(self, snapshot: Snapshot) -> None:
        if not self._live.is_started:
            self._live.start()
            self._console.show_cursor(True)
            self._open.callback(self._live.stop)
            self._open.enter_context(terminal.through(self._print_above))
        self._live.update(self._block(snapshot), refresh=True)

    def close(self) -> None:
        self._open.close()

    def _print_above(self, text: str) -> None:
        from rich.text import Text

        self._console.print(Text.from_ansi(text), soft_wrap=True)

    def _block(self, snapshot: Snapshot) -> RenderableType:
        from rich.console import Group
        from rich.padding import Padding
        from rich.progress_bar import ProgressBar
        from rich.text import Text

        width = self._console.width - 1  # a full last column would wrap on some terminals
        lines = [
            Text(line, no_wrap=True, overflow="ellipsis")
            for group in figures(snapshot, self._rate(snapshot))
            for line in packed(group, width)
        ]
        known = snapshot.requests + snapshot.pending
        bar = ProgressBar(total=max(known, 1), completed=snapshot.requests)
        return Group(Padding(bar, (0, 1, 0, 0)), *lines)  # a bare bar ends without a line break


def figures(snapshot: Snapshot, speed: float) -> Iterator[list[str]]:
    """All there is to show, in groups of short parts that belong on one line."""
    if snapshot.stopping:
        yield [f"stopping ({terminal.harmless(snapshot.stopping)})", f"{count(snapshot.in_flight)} in flight"]
    yield [
        f"{count(snapshot.pages)} pages",
        rate(speed),
        size(snapshot.bytes),
        duration(snapshot.elapsed_s),
    ]
    yield [
        f"{count(snapshot.pending)} pending",
        f"{count(snapshot.in_flight)} in flight",
        f"{count(snapshot.failed)} failed",
        f"{count(snapshot.retries)} retried",
        f"{count(snapshot.hosts)} hosts",
    ]
    yield [f"{name} {queue.waiting}/{queue.bound}" for name, queue in snapshot.queues.items()]


def facts(snapshot: Snapshot, speed: float) -> dict[str, object]:
    names = ("requests", "pages", "bytes", "failed", "retries", "pending", "in_flight", "hosts", "stopping")
    return {
        "elapsed_s": round(snapshot.elapsed_s, 3),
        "pages_per_s": round(speed, 1),
        **{name: getattr(snapshot, name) for name in names},
        "queues": {name: queue.waiting for name, queue in snapshot.queues.items()},
    }


def packed(parts: Sequence[str], width: int) -> list[str]:
    """Lay parts out in as few lines as their width needs; a part is never cut in two."""
    lines: list[str] = []
    for part in parts:
        if lines and len(lines[-1]) + 2 + len(part) <= width:
            lines[-1] += "  " + part
        else:
            lines.append(part)
    return lines


class _Forgiving:
    """A stream whose reader may go away at any time; rich would end the process then."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
