"""Tests of `storage/reading/`."""
