"""Reading: read-only access to a crawl's file: tables, reports, explanations.

crawl_reader        open a crawl's file read-only; it may be complete, killed, or written right now
reports             the tables and named reports for people, and each report as a query
crawl_status        how far a crawl is
outcome             what went wrong: failures, seeds without a page, a crawl of one page
explanation         the state of one URL, and the path from a seed to it
uses                a URL as a sitemap, a resource or a robots.txt, and URLs that are spelled like it
crawl_diff          compare the pages of two crawls
page_details        the rows of `pages` and their details, for programs
extracted_values    the values of rules and plugins, one row per page
full_text           query the full-text index over the text of pages
chart_data          the figures of a crawl that are drawn as charts
provenance          who crawled what and when, for exports
datasette_metadata  descriptions of tables and columns for Datasette
sql_errors          explain SQLite's errors in one line
"""
