"""Library: Penstock for programs. What `penstock` exports is made here.

crawl   a crawl as an object: run it, stop it, look at it
"""
