"""Jobs: work on a whole crawl after it has ended.

analysis         compute PageRank and near duplicates, and store them beside the crawl
near_duplicates  which texts are nearly the same, by simhash
pagerank         PageRank over the links of a crawl
reparse_store    load saved bodies in batches, and replace what was extracted from them
"""
