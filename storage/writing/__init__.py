"""Writing: verdicts become committed rows.

batch                  which verdicts commit together, the URLs they lead to, and their counts
crawl_store            one crawl's file: create or resume it, start and finish its runs, close it
extraction_statements  SQL for the values extracted from pages
extraction_tables      extracted values as rows of the page's transaction
frontier_store         the frontier on disk, as the window in memory reads it
identity               whether a file is the crawl that was asked for
interned_strings       repeated texts (anchor texts, rel values, content types), stored once each
ledger                 which URLs a batch discovers and how their depths improve
pages                  rows of `fetch`, `body`, `sitemap` and `robots`, made from verdicts
parse_marks            which URLs are being parsed right now, readable after a crash
poison_pages           pages that crash the process that parses them
resource_statements    SQL for the resources that pages load
resource_table         resources of pages and their answers as rows of the page's transaction
rows                   rows and bounded caches that the writer keeps in memory
statements             SQL for URLs, pages, links, the frontier, the crawl and its runs, and telemetry
telemetry_samples      a run's samples on disk, bounded in number
url_table              rows of `url` and `host`: looked up, cached, added and written in batches
writer                 many verdicts in one transaction; the only task that writes while a crawl runs
"""
