"""Whole crawls against servers on loopback."""
