"""Storage: one SQLite file per crawl, one connection that writes to it, one place for SQL.

    schema/      tables by numbered steps, one file per view, and current.sql (no code)
    database/    the file: its lock, migration, the writing connection, transactions
    writing/     write verdicts and discoveries as rows, in one transaction each
    reading/     read-only access: tables, reports, explanations
    jobs/        work on a whole crawl after it has ended: analyse, reparse
    exports/     write a crawl in the formats of other programs; one file per format

URLs cross the boundary of this room as text; row numbers never leave it.
"""
