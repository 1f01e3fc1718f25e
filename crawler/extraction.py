"""Extraction: what is taken from a page besides its links, as it travels with the page.

May touch: msgspec, for the shape of values.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

Scalar = str | int | float | bool
"""The types of a value that is taken from a page, as it is stored. A date is text, ISO 8601."""

Nested = dict[str, Any] | list[Any]
"""The types of a value that a plugin may give besides: it is stored as JSON text."""


class Value(Struct, frozen=True, gc=False, array_like=True):
    """One named value, taken from a page by a rule or returned by a plugin."""

    name: str
    value: Scalar | Nested  # of a page that was read: a Scalar


class Item(Struct, frozen=True, gc=False, array_like=True):
    """One piece of structured data of a page, or why it could not be read.

    `error` is bad_json, empty, too_large, too_deep or too_many. It is `repaired:...` beside data whose
    source is no valid JSON but could be read; the words after the colon say what was repaired. It is `cut`
    beside data of which a long property, or a property too many, was left out.
    """

    kind: str  # json-ld, opengraph, twitter or microdata
    data: str | None  # JSON text; None: it could not be read
    error: str | None = None


class PageText(Struct, frozen=True, gc=False, array_like=True):
    """The visible text of a page, for the search index."""

    headings: str  # one a line
    text: str


class ExtractionError(Struct, frozen=True, gc=False, array_like=True):
    """A failure of a rule or a plugin on one page. The page is stored all the same."""

    source: str  # name of the rule or the plugin
    error: str  # one line


class SourceOutcome(Struct, frozen=True, gc=False, array_like=True):
    """What became of one rule or plugin on one page to which it was applied."""

    source: str  # name of the rule or the plugin
    taken: bool  # a rule: it found a value; a plugin: it ended without an error
    failed: bool  # it has an error on this page
    names: Sequence[str] = ()  # of the values of a plugin; those of a rule have its own name


class SourceTally(Struct, frozen=True, gc=False):
    """What became of one rule or plugin on all pages of a crawl."""

    source: str
    pages: int = 0  # to which it was applied
    taken: int = 0  # pages; see SourceOutcome
    failed: int = 0  # pages

    @property
    def is_broken(self) -> bool:
        """True if it has errors and has not succeeded on any page."""
        return self.failed > 0 and self.taken == 0


class ExtractionResult(Struct, frozen=True, kw_only=True, gc=False, array_like=True):
    """All that was taken from one page besides its links."""

    values: Sequence[Value] = ()  # in the order in which they were found
    items: Sequence[Item] = ()
    text: PageText | None = None  # None: no search index is asked for
    errors: Sequence[ExtractionError] = ()
    sources: Sequence[SourceOutcome] = ()  # the rules and plugins that were applied
