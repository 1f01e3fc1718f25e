"""Progress: a running crawl as its operator sees it, and the progress bar of the other commands.

May touch: standard error; rich, which is imported here only.
Never: the crawl. It reads snapshots, and an error here ends the view only.

On a terminal a block of lines is redrawn in place a few times a second; log lines go through the
same console and appear above it. Elsewhere a plain line is written every ten seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from penstock.crawler.cli.live import status_lines
from penstock.crawler.config.crawl_config import OutputConfig
from penstock.crawler.output import terminal
from penstock.crawler.snapshot import Snapshot

if TYPE_CHECKING:
    from rich.console import RenderableType

_REDRAW_INTERVAL = 0.25  # seconds; four times a second looks live
_LINE_INTERVAL = 10.0  # seconds
_BAR_INTERVAL = 0.1  # seconds
_RECORDS_PER_CLOCK_READ = 256  # reading the clock for each record would cost more than the records

Wait = Callable[[float], Awaitable[None]]


def show(output: OutputConfig, lines: Sequence[str], event: str, fields: Mapping[str, object]) -> None:
    """Show `lines` to a person, or the same as one event to a program that reads JSON."""
    if output.quiet:
        return
    if output.log_format == "json":
        from penstock.crawler.output.logs import get_logger

        get_logger().info(event, **fields)
        return
    for line in lines:
        terminal.write_stderr(line)


class Display(Protocol):
    interval: float  # seconds between two snapshots

    def show(self, snapshot: Snapshot) -> None: ...
    def close(self) -> None: ...


@contextlib.asynccontextmanager
async def live_view(
    take_snapshot: Callable[[], Snapshot], output: OutputConfig, *, wait: Wait = asyncio.sleep
) -> AsyncIterator[None]:
    """Show snapshots for as long as the context lasts, in the way that `output` asks for."""
    if output.quiet or output.progress == "none":
        yield
        return
    on_terminal = output.progress in ("auto", "bar") and terminal.is_terminal()
    display: Display = LiveBlock(sys.stderr) if on_terminal else Lines(output)
    task = asyncio.create_task(_keep_showing(display, take_snapshot, wait))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        display.close()


async def _keep_showing(display: Display, take_snapshot: Callable[[], Snapshot], wait: Wait) -> None:
    while True:
        # Wait first: a crawl that is refused at once shows no empty bar.
        await wait(display.interval)
        try:
            display.show(take_snapshot())
        except Exception as error:
            from penstock.crawler.output.logs import get_logger

            get_logger().warning("progress_ended", error=repr(error), exc_info=error)
            return


class Lines:
    """A plain line every ten seconds, or an event if the format is JSON."""

    interval = _LINE_INTERVAL

    def __init__(self, output: OutputConfig) -> None:
        self._output = output

    def show(self, snapshot: Snapshot) -> None:
        groups = [
            *status_lines.counts(snapshot),
            status_lines.load(snapshot),
            status_lines.stages_in_short(snapshot),
        ]
        text = "; ".join(", ".join(group) for group in groups if group)
        show(self._output, [text], "progress_made", snapshot_fields(snapshot))

    def close(self) -> None:
        pass


class LiveBlock:
    """Lines that are redrawn in place. The cursor is never hidden, so even a kill cannot leave it hidden."""

    interval = _REDRAW_INTERVAL

    def __init__(self, stream: TextIO, **console_options: Any) -> None:
        from rich.console import Console
        from rich.live import Live

        self._console = Console(file=_FailSafeStream(stream), force_terminal=True, **console_options)  # type: ignore[arg-type]
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
        lines = status_lines.all_lines(snapshot, width)  # rich cuts off the lines that do not fit, from below
        known = snapshot.requests + snapshot.pending
        bar = ProgressBar(total=max(known, 1), completed=snapshot.requests)
        texts = [Text(line[:width], no_wrap=True, overflow="ellipsis") for line in lines]
        return Group(Padding(bar, (0, 1, 0, 0)), *texts)  # a bar alone ends without a line break


def snapshot_fields(snapshot: Snapshot) -> dict[str, object]:
    """The snapshot as the fields of one event, for --log-format json."""
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


class _FailSafeStream:
    """A stream whose reader may leave at any time; rich would end the process then."""

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


@contextlib.contextmanager
def progress_bar(label: str, total: int | None) -> Iterator[Callable[[], None]]:
    """Yield a function to call for every record. A `total` of None means that it is not known."""
    if not terminal.is_terminal():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(file=sys.stderr)
    with Progress(*columns, console=console, auto_refresh=False, transient=True) as progress:
        console.show_cursor(True)  # as in LiveBlock
        task = progress.add_task(label, total=total)
        done, shown_at = 0, 0.0

        def advance() -> None:
            nonlocal done, shown_at
            done += 1
            if done % _RECORDS_PER_CLOCK_READ == 0 and time.monotonic() - shown_at > _BAR_INTERVAL:
                progress.update(task, completed=done, refresh=True)
                shown_at = time.monotonic()

        yield advance
