"""Bench: how fast, how light, beside whom. Run by hand; the test suite collects nothing here.

    compare.py     whole crawls of one site: Penstock, two bare loops, other crawlers, interleaved
    latency.py     whole crawls of a slow server: the share of Little's law that is reached
    micro.py       single operations: join, admit, remember, extract, commit, hand over
    extract.py     the extractor beside the least that any extractor must do
    profile.py     where one crawl's processor time goes, by stage
    structure.py   files and functions that one page crosses, private functions with one use, lengths
    contenders/    the crawlers that `compare` runs, a small script each
    process.py     run one command; measure it and all its children

README.md tells how to run each, and what they measured.
"""
