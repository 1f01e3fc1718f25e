"""Reading: read-only access for people: tables, reports, explanations.

chart_data          the figures of a crawl that are drawn rather than listed.
crawl_diff          what became of the pages between two crawls.
crawl_reader        a crawl's file opened for looking. It may be done, killed, or being written right no
datasette_metadata  what the tables and columns mean, as Datasette's metadata wants it.
explanation         what became of one URL, and the way from a seed to it.
full_text          query the full-text index over the text of pages.
page_details        the rows of `pages`, and what belongs to one of them, for programs.
provenance          what is said of a crawl wherever its rows go.
report_queries      a named report as a query, and whether this crawl can answer it yet.
reports             the questions people ask of a crawl, and their answers as values.
sql_errors          what SQLite complained of, in one line that a person can act on.
"""
