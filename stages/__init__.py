"""Stages: moving data. Each takes one message and returns the next ones.

    fetch ═▶ parse ═▶ store

    fetch        ask the web: one request, one answer
    parse        read the body: title, links, directives
    rewriting    the operator's URL rules, applied to what was read
    store        judge what arrived, have it committed, tell the frontier

    fetchers/    tiers: ways of fetching, a file each
    http/        one HTTP request and its response
    extractors/  kinds of document, a file each
    workers/     parser processes

A stage knows nothing of queues, workers or shutdown (`crawler/engine/`), and meets storage
only as an object behind `crawler/ports.py`.
"""
