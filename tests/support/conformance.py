"""Conformance: test data of others, read from beside the project and held against our answers.

The data is no part of this repository (see its README there). Where it is missing, the
tests that need it are skipped, and say which folder they looked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "conformance"


class Compared(NamedTuple):
    case: str  # what a deviation is listed under
    ours: object
    theirs: object


def read_bytes(name: str) -> bytes:
    if not FOLDER.is_dir():
        pytest.skip(f"no conformance data: {FOLDER} is missing")
    return (FOLDER / name).read_bytes()


def read_cases(name: str) -> list[dict[str, Any]]:
    """The cases of a JSON file; the bare strings that some have between them are comments."""
    data = json.loads(read_bytes(name))
    cases = data["cases"] if isinstance(data, dict) else data
    return [case for case in cases if not isinstance(case, str)]


def read_html5lib(name: str) -> list[tuple[bytes, str]]:
    """The (document, encoding label) pairs of html5lib's encoding tests."""
    parts = read_bytes(name).split(b"#data\n")[1:]
    pairs = (part.rpartition(b"\n#encoding\n") for part in parts)
    return [(body, label.strip().decode("ascii")) for body, _, label in pairs]


def as_bytes(text: str | Mapping[str, str]) -> bytes:
    """A body as w3lib's cases write it: text, or bytes spelt as latin-1."""
    return text.encode() if isinstance(text, str) else text["bytes_latin1"].encode("latin-1")


def disagreements(compared: Iterable[Compared], deviations: Mapping[str, str]) -> list[str]:
    """What differs without being listed, and what is listed (with its reason) but agrees."""
    found = list(compared)
    assert found, "no case was compared"
    differing = {row.case for row in found if row.ours != row.theirs}
    lines = [
        f"{row.case}: {row.ours!r} is not {row.theirs!r}"
        for row in found
        if row.ours != row.theirs and row.case not in deviations
    ]
    lines += [f"{case}: listed as a deviation, but agrees" for case in deviations if case not in differing]
    return lines
