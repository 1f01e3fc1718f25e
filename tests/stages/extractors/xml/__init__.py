"""Tests of stages/extractors/xml."""
