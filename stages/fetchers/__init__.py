"""Fetchers: one file per tier, that is, per way of fetching.

plain   fetch with aiohttp. One request, no redirect, no cookie kept, a body within bounds.
prober  what a resource answers, without its body.
"""
