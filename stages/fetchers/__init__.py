"""Fetchers: one file per tier, that is per way of fetching; the file's name is the tier's."""
