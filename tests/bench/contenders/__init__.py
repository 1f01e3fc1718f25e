"""Contenders: one small script per crawler, each run as a process of its own.

All are called alike, `python -m tests.bench.contenders.NAME URL OUTPUT`. They crawl the host of
URL and write what they found to OUTPUT: an SQLite file with a table `pages`, or a file of
JSON lines, with a row or line for each URL that was requested (its url, status, title, SHA-256
of the body) and the links with their texts. None waits, retries or asks for robots.txt; at
most 64 requests are under way.

The peers' scripts run in virtual environments of their own (requirements-NAME.txt), so they
import nothing of this project but page.py. The one in Go is a program, called with the same two
arguments; it writes no links.
"""
