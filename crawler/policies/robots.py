"""Robots: what the answer to a robots.txt request means for its origin (RFC 9309 section 2.3.1).

May touch: robots_txt.
"""

from __future__ import annotations

from enum import Enum

from msgspec import Struct

from penstock.crawler.policies.robots_txt import PRODUCT_TOKEN


class RobotsMeaning(Enum):
    RULES = "rules"  # 2xx: parse the body
    ALLOW_ALL = "allow"  # 4xx "unavailable", and redirects that lead nowhere
    UNREACHABLE = "unreachable"  # 5xx, 429 and network errors: nothing may be asked


class RobotsPolicy(Struct, frozen=True, kw_only=True):
    """RFC 9309's bounds, and the name that groups call us by."""

    token: str = PRODUCT_TOKEN  # section 2.2.1
    max_redirects: int = 5  # section 2.3.1.2: at least five
    max_bytes: int = 500 * 1024 + 1  # section 2.5: at least 500 KiB; one more shows that there was more
    max_age: float = 24 * 3600.0  # section 2.4: not longer than 24 hours, seconds

    def meaning(self, status: int | None) -> RobotsMeaning:
        """`status` after redirects; None if no answer came."""
        if status is None or status >= 500 or status == 429:
            # Section 2.3.1.4. 429 is a 4xx by number, but it says "not now", which is no permission.
            return RobotsMeaning.UNREACHABLE
        if 200 <= status < 300:
            return RobotsMeaning.RULES
        return RobotsMeaning.ALLOW_ALL

    def readable(self, body: bytes) -> bytes:
        """What is read of a body: if it reaches the bound, up to its last whole line.

        Half a line is another rule: `Disallow: /` in place of `Disallow: /private`.
        """
        if len(body) < self.max_bytes:
            return body
        kept = body[: self.max_bytes]
        return kept[: max(kept.rfind(b"\n"), kept.rfind(b"\r")) + 1]
