"""Tests: the specification. Read in order, the names of a file are its manual."""
