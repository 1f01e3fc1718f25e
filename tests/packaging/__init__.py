"""Packaging: what is installed, and that it works beside other software. All tests here build: slow."""
