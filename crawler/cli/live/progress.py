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
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from penstock.crawler.cli.live import status_lines as panel
from penstock.crawler.cli.live.view_options import View
from penstock.crawler.output import terminal
from penstock.crawler.snapshot import Snapshot

if TYPE_CHECKING:
    from rich.console import RenderableType

_BAR_INTERVAL = 0.25  # seconds: four times a second reads as live
_LINE_INTERVAL = 10.0  # seconds

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
            from penstock.crawler.output.logs import get_logger

            get_logger().warning("progress_ended", error=repr(error), exc_info=error)
            return


def _display(view: View) -> Display | None:
    if view.quiet or view.progress == "none":
        return None
    if view.progress in ("auto", "bar") and terminal.is_terminal():
        return Bar(sys.stderr)
    return Lines(view)


class Lines:
    """A plain line every ten seconds, or an event if that is the format."""

    interval = _LINE_INTERVAL

    def __init__(self, view: View) -> None:
        self._view = view

    def show(self, snapshot: Snapshot) -> None:
        groups = [*panel.figures(snapshot), panel.engine(snapshot), panel.brief(snapshot)]
        text = "; ".join(", ".join(group) for group in groups if group)
        self._view.tell([text], "progress_made", facts(snapshot))

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
        self._open = contextlib.ExitStack()

    def show(self, snapshot: Snapshot) -> None:
        if not self._live.is_started:
            self._live.start()
            self._console.show_cursor(True)
            self._open.callback(self._live.stop)
            self._open.enter_context(terminal.redirect_lines(self._print_above))
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
        lines = panel.lines(snapshot, width)  # what is too high is cut off by rich, from below
        known = snapshot.requests + snapshot.pending
        bar = ProgressBar(total=max(known, 1), completed=snapshot.requests)
        texts = [Text(line[:width], no_wrap=True, overflow="ellipsis") for line in lines]
        return Group(Padding(bar, (0, 1, 0, 0)), *texts)  # a bare bar ends without a line break


def facts(snapshot: Snapshot) -> dict[str, object]:
    """The same as one event's fields, for --log-format json."""
    names = (
        "requests",
        "pages",
        "bytes",
        "failed",
        "retries",
        "pending",
        "skipped",
        "in_flight",
        "hosts",
        "hosts_held_back",
        "failures",
        "stopping",
    )
    left_s = snapshot.left_s
    return {
        "elapsed_s": round(snapshot.elapsed_s, 3),
        "pages_per_s": round(snapshot.pages_per_s, 1),
        "left_s": None if left_s is None else round(left_s, 1),
        **{name: getattr(snapshot, name) for name in names},
        "loop_busy": round(snapshot.loop_busy, 3),
        "lag_ms": round(snapshot.lag_ms, 1),
        "queues": {name: round(stage.waiting, 1) for name, stage in snapshot.stages.items()},
        "busy": {name: round(stage.busy, 1) for name, stage in snapshot.stages.items()},
    }


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
