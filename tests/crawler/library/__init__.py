"""Tests of `crawler/library/`."""
