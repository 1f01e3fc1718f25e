"""Tests of `crawler/output/`."""
