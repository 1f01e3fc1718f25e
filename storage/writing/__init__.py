"""Writing: from verdicts to committed rows.

batch                  what verdicts that commit together lead to, and what they count as.
crawl_store            one crawl's file. Create it or resume it, count its runs, close it.
extraction_statements  the SQL about what was gathered from pages. No logic, like `statements`.
extraction_tables      what was gathered from pages, as rows of a page's own transaction.
frontier_store         Frontier on disk, as the window in memory asks for it. Rows become values at this
identity               whether a file is the crawl that was asked for.
interned_strings       texts that repeat (anchor texts, rel values, content types), stored once each.
ledger                 what leads where. What one batch changes, worked out in memory, written in few st
pages                  the rows of `fetch`, `body` and `robots`, made of verdicts.
parse_marks            which URLs are being parsed at this very moment, readable after a crash.
poison_pages           the pages that may have killed the last run, and when one is set aside.
resource_statements    the SQL about what pages load. No logic, like `statements`.
resource_table         what pages load and what became of it, as rows of a page's own transaction.
rows                   what the writer keeps in memory of the tables, bounded. Exact, because it is the
statements             the SQL that the writing side says, named like verbs. No logic.
telemetry_samples      a run's samples on disk, bounded, and the look that `status` takes at them.
url_table              rows of `url` and `host`, read when first needed, kept in memory, written in bulk
writer                 many verdicts, one transaction. The only task that writes while a crawl runs.
"""
