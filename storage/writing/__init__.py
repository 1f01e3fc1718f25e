"""Writing: verdicts become committed rows.

crawl_store            one crawl's file: check its identity, create or resume it, finish its runs
failed_urls            which failed URLs the next run requests again
writer                 what one commit changes: every table, noted and written in one order
group_commit           many verdicts, one transaction; how long to wait for more
discovered_urls        rows of `url`, `host` and `link`, as Discovery decides them
url_table              rows of `url` and `host`: looked up, cached, added and written in batches
rows                   one row of `url` in memory, and the bounded cache of such rows
interned_strings       repeated texts (anchor texts, rel values, content types), stored once each
verdict_tables         what a verdict writes: states, answers, bodies, robots, sitemaps, clocks, counts
sitemap_tables         robots.txt and sitemaps, and who names which
handshake_table        which URLs are behind a cookie gate, and how the one exchange of each ended
archive_tables         answers as they came, body and head (--save-bodies)
resource_table         resources of pages and their answers
extraction_tables      extracted values, structured data, the text for the search index
telemetry_samples      a run's samples on disk, bounded in number
statements             SQL for URLs, pages, links, the frontier, the crawl and its runs, and telemetry
extraction_statements  SQL for the extraction tables
frontier_store         the frontier on disk, as the window in memory reads it
parse_marks            which URLs are being parsed right now, and which of them crash the process
"""
