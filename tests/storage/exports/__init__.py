"""Tests of `storage/exports/`."""
