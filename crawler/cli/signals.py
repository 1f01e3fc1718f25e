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

    SIGUSR1, where there is one, calls `describe`.
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


def _is_nohup(number: signal.Signals) -> bool:
    """True if our parent asked that a closed terminal should not matter."""
    return number.name == "SIGHUP" and signal.getsignal(number) is signal.SIG_IGN
