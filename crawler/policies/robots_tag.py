"""Robots tag: which rules of the X-Robots-Tag headers of one answer bind one crawler.

May touch: nothing.

A header line may begin with the name of an agent, and then it binds that agent alone:
`googlebot: noindex, nofollow`. A proxy that joins header lines (RFC 9110 section 5.3 allows it)
leaves names in the middle of a line, so a name counts wherever a rule may begin, up to the end of
its line. Not every word before a colon is a name: some rules have values, and one of these is a
date that may contain commas. No standard defines any of this; Google's documentation does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_VALUED = frozenset({"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"})
# A name as in robots.txt, or `otherbot/1.0`, or `other.bot`; text with a blank in it is a date.
_NAME = re.compile(r"([A-Za-z0-9_.*/-]*[A-Za-z*][A-Za-z0-9_.*/-]*)[ \t]*:")


def forbids_following(lines: str | None, token: str) -> bool:
    """True if one of the header `lines` (separated by line feeds) forbids the crawler whose product
    token is `token` to follow any link of the page."""
    return lines is not None and not {"nofollow", "none"}.isdisjoint(rules_for(lines, token))


def rules_for(lines: str, token: str) -> Iterator[str]:
    """Return the rules that bind `token`, lower case, in order."""
    ours = ("*", token.lower())
    for line in lines.lower().split("\n"):
        binds = True
        for rule in line.split(","):
            name = _NAME.match(rule.strip())
            if name is not None and name[1] not in _VALUED:
                binds = name[1].partition("/")[0] in ours
                rule = rule.partition(":")[2]
            if binds and rule.strip():
                yield rule.strip()
