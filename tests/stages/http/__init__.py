"""Tests of `stages/http/`."""
