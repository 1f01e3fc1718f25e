"""Jobs: work on a whole crawl after it has ended.

analysis         what takes the whole crawl to work out, written down beside it.
near_duplicates  which texts are nearly the same, by a hash that little changes change little.
pagerank         how often a reader who follows links at random would come by.
reparse_store    saved bodies, read again a batch at a time, and what is gathered from them this time.
"""
