"""Tests of `crawler/config/`."""
