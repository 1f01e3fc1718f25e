"""Advance: how far a command is that reads a whole crawl, shown on a terminal.

May touch: standard error; rich.
Never: the work. A bar that cannot be drawn is no bar.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

from penstock.crawler.output import terminal

_INTERVAL = 0.1  # seconds between two looks
_RECORDS_BETWEEN_LOOKS = 256  # the clock is not asked for each


@contextlib.contextmanager
def advancing(what: str, total: int | None) -> Iterator[Callable[[], None]]:
    """Yield what is to be called for every record. `total` of None: nobody knows how many there are."""
    if not terminal.is_terminal():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(file=sys.stderr)
    with Progress(*columns, console=console, auto_refresh=False, transient=True) as progress:
        console.show_cursor(True)  # never hidden, so no way to die can leave it hidden
        task = progress.add_task(what, total=total)
        done, shown_at = 0, 0.0

        def advance() -> None:
            nonlocal done, shown_at
            done += 1
            if done % _RECORDS_BETWEEN_LOOKS == 0 and time.monotonic() - shown_at > _INTERVAL:
                progress.update(task, completed=done, refresh=True)
                shown_at = time.monotonic()

        yield advance
