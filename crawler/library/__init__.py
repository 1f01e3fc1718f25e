"""Library: Penstock for programs. What `penstock` exports is made here.

crawl         a crawl as an object: run it, follow it page by page, stop it
events        what a program is told of a running crawl
event_stream  the bounded queue between a crawl and the program
"""
