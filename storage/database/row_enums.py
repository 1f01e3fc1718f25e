"""Row enums: the numbers that columns hold in place of words."""

from __future__ import annotations

from enum import IntEnum


class State(IntEnum):
    """The numbers of url.state."""

    PENDING = 0
    WAITING = 1
    DONE = 2
    FAILED = 3
    SKIPPED = 4


class UrlKind(IntEnum):
    """The numbers of url.kind."""

    PAGE = 0
    SITEMAP = 1
    RESOURCE = 2
