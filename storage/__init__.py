"""Storage: what remembers. One SQLite file, one writing connection, one place for SQL.

    database.py     the file: its lock, the writing connection, what a transaction is
    sayings.py      what is said to SQLite in one visit to its thread
    migration.py    whose file it is, and how it comes to have the newest schema
    schema/         tables and views, numbered; a file is applied once and never changed
    digests.py      the numbers that URLs and phrases are looked up by
    statements.py   the sentences the writer says; harvest_statements.py: those about harvests
    resource_statements.py: those about resources
    ledger.py       what one batch of verdicts changes: rows, depths, links
    harvests.py     what was taken from pages, as rows; search.py: the index over their text
    resources.py    what pages load, and what became of it
    writer.py       many verdicts, one transaction (group commit); batch.py: what they lead to
    telemetry.py    how a run goes, second by second
    frontier.py     the frontier on disk, as the window in memory asks for it
    crawl_store.py  one crawl's file: create or resume, runs, totals; joins the above
    reparse.py      saved bodies, read again a batch at a time
    reader.py       read-only access for people; reports.py, questions.py: what they ask
    analysis.py     what takes the whole crawl to work out: pagerank.py, likeness.py
    exports/        a crawl in other programs' formats, a file per format

URL text comes in and goes out; row numbers never leave this room.
"""
