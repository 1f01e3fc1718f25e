"""Tests of `crawler/monitor/`."""
