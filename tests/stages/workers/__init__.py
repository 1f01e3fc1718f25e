"""Tests of `stages/workers/`."""
