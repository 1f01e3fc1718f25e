"""The command: libFuzzer, guided by the coverage of our own modules."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["penstock"]):
    from tests.fuzz.target import one_input

atheris.Setup(sys.argv, one_input)
atheris.Fuzz()
