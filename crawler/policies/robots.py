"""Robots: what the answer to a robots.txt request means for its origin (RFC 9309 section 2.3.1).

May touch: nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class RobotsMeaning(Enum):
    RULES = "rules"  # 2xx: parse the body
    ALLOW_ALL = "allow"  # 4xx "unavailable", and redirects that lead nowhere
    UNREACHABLE = "unreachable"  # 5xx, 429 and network errors: nothing may be asked


@dataclass(frozen=True, slots=True, kw_only=True)
class RobotsPolicy:
    """RFC 9309's bounds."""

    max_redirects: int = 5  # section 2.3.1.2: at least five
    max_bytes: int = 500 * 1024  # section 2.5: at least 500 KiB
    max_age: float = 24 * 3600.0  # section 2.4: not longer than 24 hours, seconds

    def meaning(self, status: int | None) -> RobotsMeaning:
        """`status` after redirects; None if no answer came."""
        if status is None or status >= 500 or status == 429:
            # Section 2.3.1.4. 429 is a 4xx by number, but it says "not now", which is no permission.
            return RobotsMeaning.UNREACHABLE
        if 200 <= status < 300:
            return RobotsMeaning.RULES
        return RobotsMeaning.ALLOW_ALL
