"""Tests of `crawler/policies/`."""
