"""Stages: what moves. Each takes one message and returns the next ones.

    fetch ═▶ parse ═▶ store

    fetch.py      ask the web: one request, one answer      (fetchers/: a file per way of fetching)
    parse.py      read the body: title, links, directives   (extractors/: a file per kind of document)
                  extractors/harvest.py: what the operator wants of a page besides its links
    rewriting.py  the operator's URL rules, applied to what was read
    store.py      judge what arrived, have it committed, tell the frontier

A stage knows nothing of queues, workers or shutdown (crawler/pool.py, crawler/engine.py),
and meets storage only as an object behind crawler/ports.py.
"""
