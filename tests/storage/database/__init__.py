"""Tests of `storage/database/`."""
