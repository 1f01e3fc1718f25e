"""Signals: Ctrl-C, SIGTERM and SIGHUP end a crawl after its work in flight; a second one aborts it.

May touch: signal handlers of this process and its event loop.

Invariant: no KeyboardInterrupt inside a running crawl. `asyncio.Runner` turns the second
SIGINT into one, which could interrupt a flush, so our handlers replace its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


@contextlib.contextmanager
def handle_signals(stop: Callable[[str], None], describe: Callable[[], None] | None = None) -> Iterator[None]:
    """Call `stop('sigint')` and so on for every signal that arrives in the running loop.

    SIGUSR1, where it exists, calls `describe`. Afterwards all of them are ignored until the end of
    `restore_handlers`: an interrupt must not disturb the closing of the loop.
    """
    loop = asyncio.get_running_loop()
    installed: list[signal.Signals] = []
    for name in _NAMES:
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is None or (name == "SIGHUP" and signal.getsignal(number) is signal.SIG_IGN):
            continue  # ignored already: nohup asked that a closed terminal should not matter
        # NotImplementedError: a loop without signals (Windows). The others: this is not the main thread.
        with contextlib.suppress(NotImplementedError, ValueError, RuntimeError):
            loop.add_signal_handler(number, stop, name.lower())
            installed.append(number)
    if describe is not None and hasattr(signal, "SIGUSR1"):
        with contextlib.suppress(NotImplementedError, ValueError, RuntimeError):
            loop.add_signal_handler(signal.SIGUSR1, describe)
            installed.append(signal.SIGUSR1)
    try:
        yield
    finally:
        for number in installed:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)


@contextlib.contextmanager
def restore_handlers() -> Iterator[None]:
    """Restore the handler of every signal at the end, when the event loop is closed."""
    numbers = [getattr(signal, name) for name in (*_NAMES, "SIGUSR1") if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            # ValueError: this is not the main thread, and nothing was changed.
            with contextlib.suppress(ValueError):
                signal.signal(number, handler if handler is not None else signal.SIG_DFL)
