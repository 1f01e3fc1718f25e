"""Patterns: the operator's regular expressions, for URLs and for texts, matched in linear time.

May touch: re2, which is imported here only. This module is loaded only where patterns are given,
so that no other crawl pays for it.

The author of a site chooses the text that our patterns run on. Python's own `re` backtracks:
`(a|aa)+$` takes minutes on a URL of forty letters, and blocks the event loop. The time of RE2 is
proportional to the length of the URL, whatever the pattern. The price is that lookaround and
backreferences, which need backtracking, are refused when a crawl starts.
`\\d`, `\\w` and `\\b` are ASCII only, and so is every canonical URL.

Each pattern is compiled by itself, without `re2.Set`: a set that exceeds its memory reports
"nothing found" and does not fall back to a slower algorithm, so `--exclude` would admit URLs
that it must exclude.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

import re2

from penstock.crawler.errors import BadConfig

# RE2 reads a number that is too long as text: `a{99999999999}` would match those characters.
_HUGE_NUMBER = re.compile(r"(?<!\\)\{(\d*,)?\d{5,}")
_MOST_SHOWN = 80  # characters of a message of RE2
MAX_MEMORY = 8 << 20  # bytes per pattern: RE2's own bound; a pattern that needs more is refused

# RE2's messages about lookaround, atomic groups and backreferences.
_ONLY_BACKTRACKING = re.compile(r"invalid perl operator|invalid escape sequence: \\[1-9]")


class Patterns:
    """Test whether any of several expressions is found in a URL, in linear time."""

    def __init__(self, expressions: Iterable[str]) -> None:
        """Raises BadConfig for the first expression that cannot be used."""
        self._search: tuple[Callable[[bytes], object | None], ...] = tuple(
            _compiled(expression).search for expression in expressions
        )

    def __call__(self, url: str) -> bool:
        octets = url.encode()
        return any(search(octets) is not None for search in self._search)


class Finder:
    """Extract from a text what one expression matches, such as the number within `SKU: (\\d+)`."""

    def __init__(self, expression: str) -> None:
        """Raises BadConfig, as `Patterns` does."""
        _compiled(expression)
        options = re2.Options()
        options.log_errors = False
        options.max_mem = MAX_MEMORY
        self._search = re2.compile(expression, options).search

    def __call__(self, text: str) -> str | None:
        """The first group that took part in the match, or the whole match without groups; None: no match."""
        found = self._search(text)
        if found is None:
            return None
        groups: list[str | None] = [*found.groups(), found.group(0)]
        return next((group for group in groups if group is not None), None)


def _compiled(expression: str) -> re2._Regexp:
    if _HUGE_NUMBER.search(expression):
        raise BadConfig("a repetition of more than 1,000 times is not possible")
    options = re2.Options()
    options.never_capture = True
    options.log_errors = False  # else RE2 writes to standard error itself
    options.max_mem = MAX_MEMORY
    try:
        # As bytes: for str, re2 converts every offset of a match to characters.
        return re2.compile(expression.encode(), options)
    except re2.error as error:
        raise BadConfig(_translate(error.args[0])) from None
    except UnicodeEncodeError:
        raise BadConfig("it has characters that a URL cannot have") from None


def _translate(message: bytes) -> str:
    text = message.decode("utf-8", "replace")
    if len(text) > _MOST_SHOWN:
        text = text[:_MOST_SHOWN] + "..."
    if _ONLY_BACKTRACKING.match(text):
        text += "; patterns are RE2 expressions (linear time), without lookaround and backreferences"
    return text
