"""Collector: the values that are taken from one page, and the errors, within bounds.

May touch: the shape of values.
Never: raise for what a page contains.

A page can match a selector a million times, or nest the matches so that their texts are the square
of its length. What does not fit is left out, and an error of the page says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from msgspec import Struct, field

from penstock.crawler.extraction import ExtractionError, ExtractionResult, Scalar, SourceOutcome, Value

MAX_VALUES = 10_000  # of a page
MAX_TEXT = 100_000  # characters of one value; a longer one is cut, and an error says so
MAX_CHARS = 1_000_000  # of all values of a page
MAX_WALKED = 300_000  # nodes of elements whose text is taken, elements within elements counted each time
MAX_ERRORS = 20  # of a page; the first ones tell enough
MAX_ERROR = 300  # characters


class Collector(Struct):
    """Values and errors of one page, and what became of each rule and plugin.

    `apply` a source before its values are `put` and its errors `note`d.
    """

    values: list[Value] = field(default_factory=list)
    errors: list[ExtractionError] = field(default_factory=list)
    chars: int = 0
    walk_left: int = MAX_WALKED
    sources: list[SourceOutcome] = field(default_factory=list)
    _names: dict[str, None] = field(default_factory=dict)  # of the source that is being applied
    _failed: bool = False

    @classmethod
    def of(cls, found: ExtractionResult) -> Collector:
        """Continue where another process stopped."""
        chars = sum(len(value.value) for value in found.values if isinstance(value.value, str))
        return cls(
            values=list(found.values), errors=list(found.errors), chars=chars, sources=list(found.sources)
        )

    @property
    def full(self) -> bool:
        return len(self.values) >= MAX_VALUES or self.chars >= MAX_CHARS

    @contextmanager
    def applying(self, source: str, *, is_plugin: bool = False) -> Iterator[None]:
        """Note what becomes of a source on this page."""
        self._names, self._failed = {}, False
        yield
        names, failed = self._names, self._failed
        taken = not failed if is_plugin else bool(names) and not failed
        self.sources.append(SourceOutcome(source, taken, failed, list(names) if is_plugin else []))

    def put(self, source: str, name: str, value: Scalar) -> bool:
        """Take a value; if there is no room for it, return False and note an error of `source`."""
        if self.full:
            self.note(source, f"too much: only the first {len(self.values)} values of this page are kept")
            return False
        if isinstance(value, str):
            if len(value) > MAX_TEXT:
                self.note(source, f"cut: {name} has {len(value)} characters, and {MAX_TEXT} are kept")
                value = value[:MAX_TEXT]
            self.chars += len(value)
        self.values.append(Value(name, value))
        self._names[name] = None
        return True

    def note(self, source: str, error: str) -> None:
        """Take an error, on one line."""
        self._failed = True
        if len(self.errors) < MAX_ERRORS:
            self.errors.append(ExtractionError(source, as_unicode(" ".join(error.split())[:MAX_ERROR])))


def as_unicode(text: str) -> str:
    """The text of a plugin or of JSON without lone surrogates, which neither SQLite nor msgpack takes."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
