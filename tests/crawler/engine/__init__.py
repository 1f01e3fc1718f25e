"""Tests of `crawler/engine/`."""
