"""App: the wiring. The only room, with the library and the commands above it, that knows every other room.

parts   every part of a run, built and connected in one function; nothing moves yet
run     one run of a crawl: open the file, let the pages flow, close
"""
