"""Signals: Ctrl-C and its kin wind a crawl down; a second one cuts it short.

May touch: signal handlers of this process and its event loop.

Invariant: no KeyboardInterrupt inside a running crawl. `asyncio.Runner` turns the second
SIGINT into one, which would cut through a flush, so ours take the place of its handler.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


@contextlib.contextmanager
def caught(stop: Callable[[str], None], describe: Callable[[], None] | None = None) -> Iterator[None]:
    """Call `stop('sigint')` and so on for every signal that arrives in the running loop.

    SIGUSR1, where there is one, calls `describe`. Afterwards all of them are ignored until the
    end of `restored`: the loop is still to be closed, and an interrupt would cut through that.
    """
    loop = asyncio.get_running_loop()
    installed: list[signal.Signals] = []
    for name in _NAMES:
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is None or _is_nohup(number):
            continue
        # NotImplementedError: a loop without signals (Windows); the others: not in the main thread.
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
def restored() -> Iterator[None]:
    """Around the whole life of an event loop: every signal has its handler back at the end."""
    numbers = [getattr(signal, name) for name in (*_NAMES, "SIGUSR1") if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            # ValueError: not in the main thread, where nothing was changed either.
            with contextlib.suppress(ValueError):
                signal.signal(number, handler if handler is not None else signal.SIG_DFL)


def _is_nohup(number: signal.Signals) -> bool:
    """True if our parent asked that a closed terminal should not matter."""
    return number.name == "SIGHUP" and signal.getsignal(number) is signal.SIG_IGN
