"""Tests of `stages/fetchers/`."""
