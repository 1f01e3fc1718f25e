"""Storage: remembering. One SQLite file, one writing connection, one place for SQL.

    schema/      tables by numbered migrations, and views
    database/    the file: its lock, the writing connection, what a transaction is
    writing/     from verdicts to committed rows
    reading/     read-only access: tables, reports, explanations
    jobs/        work on a whole crawl after it has ended
    exports/     a crawl in other programs' formats, a file per format

URL text comes in and goes out; row numbers never leave this room.
"""
