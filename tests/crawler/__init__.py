"""Tests of `crawler/`."""
