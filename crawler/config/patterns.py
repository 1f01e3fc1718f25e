"""Patterns: the operator's regular expressions, for URLs and for texts, matched in linear time.

May touch: re2, which nobody else imports. Imported only where patterns are given, so that
no other crawl pays for loading it.

Whoever writes the links of a site chooses what our patterns run on. Python's own `re`
backtracks: `(a|aa)+$` on a URL of forty letters takes it minutes, and the event loop with
it. RE2 takes time in proportion to the URL, whatever the pattern, at the price of what
only backtracking can do: lookaround and backreferences are refused when a crawl starts.
`\\d`, `\\w` and `\\b` mean ASCII, which is all that a canonical URL is made of.

One compiled expression per pattern, not an `re2.Set`: a set that outgrows its memory
answers "nothing found" in place of falling back on a slower way, and `--exclude` would
let through what it was told to keep out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

import re2

from penstock.crawler.errors import BadConfig

# RE2 reads a number that is too long for it as text: `a{99999999999}` would find those very letters.
_HUGE_NUMBER = re.compile(r"(?<!\\)\{(\d*,)?\d{5,}")
_MOST_TOLD = 80  # characters of what RE2 has to say
MAX_MEMORY = 8 << 20  # bytes per pattern: RE2's own bound; a pattern that needs more is refused

# What RE2 says of lookaround, atomic groups and backreferences.
_ONLY_BACKTRACKING = re.compile(r"invalid perl operator|invalid escape sequence: \\[1-9]")


class Patterns:
    """Answer whether any of some expressions is found in a URL. Never slow, never wrong."""

    def __init__(self, expressions: Iterable[str]) -> None:
        """Raises BadConfig for the first that cannot be used."""
        self._search: tuple[Callable[[bytes], object | None], ...] = tuple(
            _compiled(expression).search for expression in expressions
        )

    def __call__(self, url: str) -> bool:
        octets = url.encode()
        return any(search(octets) is not None for search in self._search)


class Finder:
    """Find what one expression stands for in a text, such as the number within `SKU: (\\d+)`."""

    def __init__(self, expression: str) -> None:
        """Raises BadConfig, as `Patterns` does."""
        _compiled(expression)
        options = re2.Options()
        options.log_errors = False
        options.max_mem = MAX_MEMORY
        self._search = re2.compile(expression, options).search

    def __call__(self, text: str) -> str | None:
        """The first group that took part, or all that was found where there is none; None: not found."""
        found = self._search(text)
        if found is None:
            return None
        groups: list[str | None] = [*found.groups(), found.group(0)]
        return next((group for group in groups if group is not None), None)


def _compiled(expression: str) -> re2._Regexp:
    if _HUGE_NUMBER.search(expression):
        raise BadConfig("nothing is repeated more than 1,000 times")
    options = re2.Options()
    options.never_capture = True
    options.log_errors = False  # else RE2 writes to standard error by itself
    options.max_mem = MAX_MEMORY
    try:
        # As octets: matching text would have every offset counted in characters again.
        return re2.compile(expression.encode(), options)
    except re2.error as error:
        raise BadConfig(_told(error.args[0])) from None
    except UnicodeEncodeError:
        raise BadConfig("it has characters that no URL can have") from None


def _told(message: bytes) -> str:
    text = message.decode("utf-8", "replace")
    if len(text) > _MOST_TOLD:
        text = text[:_MOST_TOLD] + "..."
    if _ONLY_BACKTRACKING.match(text):
        text += "; patterns run in linear time (RE2), which has no lookaround and no backreferences"
    return text
