"""Policies: pure decisions. Facts in, a verdict out; no clock, no randomness, no I/O.

addresses     which IP addresses belong to the public internet, for `--public-only`
breaker       when a host that never answers is left alone for a while
congestion    how many requests a host may have open, learnt from how it answers
cookie_jar    cookies of a few answers, and which of them belong to a request (RFC 6265)
cookies       which of the operator's cookies belong to a request (RFC 6265)
pacing        how many requests a second a host accepts, learnt from its 429s
politeness    what the operator allows: open requests, pauses, request rate, bandwidth, pages and bytes in all
reach         how far a URL is from the seeds, and whether that is near enough
retry         whether a failed request is worth another one, and when
rewrite       URL rules that the operator may ask for, on top of the canonical form
robots_directives  what meta robots and X-Robots-Tag say of a page, whatever separates the directives
robots_rules  which line of a robots.txt decides about a path (RFC 9309)
robots_txt    what the answer to a robots.txt request means, its rules (RFC 9309), and those of X-Robots-Tag
scope         where a crawl may go, by the URL alone
sessions      URL parameters that are session ids, found by comparing pages
traps         URLs that a site can go on inventing for ever, recognised by their spelling
"""
