"""Extractors: one file per kind of document; bytes in, a value out, never an exception."""
