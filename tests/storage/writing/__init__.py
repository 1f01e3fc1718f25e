"""Tests of `storage/writing/`."""
