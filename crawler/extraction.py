"""Extraction: what the operator wants of each page besides its links, as it travels with the page.

May touch: msgspec, for its shape.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

Scalar = str | int | float | bool
"""What a value that is taken from a page may be. A date is text, ISO 8601."""


class Value(Struct, frozen=True, gc=False):
    """One thing taken from a page under a name: by a rule, or by a plugin that returns it."""

    name: str
    value: Scalar


class Item(Struct, frozen=True, gc=False):
    """One piece of structured data as the page holds it, or why it could not be read."""

    kind: str  # json-ld, opengraph, twitter or microdata
    data: str | None  # JSON; None with an error
    error: str | None = None  # bad_json, too_large, too_deep or too_many


class PageText(Struct, frozen=True, gc=False):
    """What a reader of the page reads, for the search index."""

    headings: str  # a line each
    text: str


class ExtractionError(Struct, frozen=True, gc=False):
    """What a rule or a plugin could not do on one page."""

    source: str  # the rule's name, or the plugin's
    error: str  # one line


class ExtractionResult(Struct, frozen=True, kw_only=True, gc=False):
    """What the operator wants of each page besides its links."""

    values: Sequence[Value] = ()  # in the order in which they were found
    items: Sequence[Item] = ()
    text: PageText | None = None  # None: no search index is wanted
    errors: Sequence[ExtractionError] = ()
