"""Hostile: any answer of a server ends as a stored page or a named failure, within bounds.

    case.py        what a case is: an answer, and the outcome that is right
    framing.py codings.py timing.py markup.py characters.py odd_links.py    the cases
    server.py      a server that gives those answers, and ordinary pages, and keeps what it heard
    crawl.py       one crawl of some cases beside ordinary pages, watching its own event loop
    __main__.py    the table: every case, its outcome, lag, memory, what ordinary pages waited

`python -m tests.hostile` measures; `pytest tests/hostile` holds every case to its outcome.
"""
