"""Tests of `stages/extractors/`."""
