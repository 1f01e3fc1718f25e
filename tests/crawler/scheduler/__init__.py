"""Tests of `crawler/scheduler/`."""
