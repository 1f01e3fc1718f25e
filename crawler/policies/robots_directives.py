"""Robots directives: what meta robots and X-Robots-Tag say of a page, however they are written.

May touch: nothing. Pure text in, plain values out; does not raise.

Directives are meant to be separated by commas. Sites write semicolons, bars, slashes, blanks or nothing
between them, and `no-follow`; the meaning is plain, so separators do not decide. When several elements
and headers speak, the strictest of all counts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

# A word of its own, or before the next directive.
_NOFOLLOW = re.compile(r"no[ \t_-]{0,3}follow(?!(?!no)[a-z])")
_NOINDEX = re.compile(r"no[ \t_-]{0,3}index(?!(?!no)[a-z])")
_NONE = re.compile(r"(?<![\w-])none(?![\w-])")
# The "none" of max-image-preview is a value, not a directive.
_VALUE = re.compile(r"max-[a-z-]+[ \t]*[:=][ \t]*[\w-]*")
# A directive with its value, which has commas and blanks if it is a date (of November, too); or one word.
_DIRECTIVE = re.compile(
    r"unavailable_after[ ]?[:=]"
    r".*?(?=[\s,;|/](?:all|none|no(?!v[\s./-]|vember)[ _-]?[a-z]|index|follow|max-)|\Z)"
    r"|max-[a-z-]+[ ]?[:=][ ]?[^\s,;|]*"
    r"|no follow|[^\s,;|/]+",
    re.DOTALL,
)
_BLANKS = re.compile(r"\s+")
_EDGES = " \t\n\f\r,;|/-_"


def forbids_links(directives: str) -> bool:
    """True if directives, in lower case, forbid to follow any link of the page."""
    if "none" in directives and _NONE.search(_VALUE.sub(" ", directives)):
        return True
    return "follow" in directives and _NOFOLLOW.search(directives) is not None


def forbids_indexing(directives: str) -> bool:
    """True if directives, in lower case, forbid to show the page among results."""
    if "none" in directives and _NONE.search(_VALUE.sub(" ", directives)):
        return True
    return "index" in directives and _NOINDEX.search(directives) is not None


def split_directives(content: str) -> Sequence[str]:
    """The directives of a meta robots, lower case, one by one."""
    found = (directive.strip(_EDGES) for directive in _DIRECTIVE.findall(_BLANKS.sub(" ", content.lower())))
    return [directive for directive in found if directive]
