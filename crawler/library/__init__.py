"""Library: Penstock for programs. What `penstock` exports is made here.

blocking         a whole crawl as one call, for scripts and notebooks
crawl            a crawl as an object: run it, follow it page by page, stop it
events           typed messages to the program that follows a running crawl
event_stream     the bounded queue between a crawl and the program
crawl_file       a crawl's database, opened for reading: queries, reports, pages, exports
table            the rows of a query, shown as a table in a terminal and in a notebook
url_explanation  the state of one URL and its reason, in words
"""
