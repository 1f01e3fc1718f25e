"""Tests of `storage/jobs/`."""
