"""Policies: pure decisions. Facts in, a verdict out; no clock, no randomness, no I/O.

addresses     which of them belong to the public internet, for `--public-only`.
bandwidth     how fast bytes may arrive, all hosts together.
breaker       when a host that does not answer at all is given a rest. All times in seconds.
budget        how much a crawl may spend over its whole life, all runs together.
congestion    how many requests a host may have open, learnt from how it answers.
cookies       which of an operator's cookies belong to a request (RFC 6265 §5.4).
pacing        how many requests a second a host takes, learnt from its 429s. All times in seconds.
politeness    when a host may be asked again, and by how many at once. All times in seconds.
reach         how far a URL is from the seeds, and whether that is near enough.
retry         whether a failed request is worth another one, and when. All times in seconds.
rewrite       URL rules that an operator may ask for, on top of the canonical form.
robots        what the answer to a robots.txt request means for its origin (RFC 9309 section 2.3.1).
robots_rules  which line of a robots.txt decides about a path (RFC 9309 sections 2.2.2 and 2.2.3).
robots_tag    what the X-Robots-Tag headers of one answer say to one crawler.
robots_txt    what a robots.txt says to one crawler, by RFC 9309. Bytes in, rules out.
scope         where a crawl may go. The part of admission that looks at nothing but the URL.
sessions      parameters that make new URLs of old pages, found by what the pages say.
traps         URLs that a site can go on inventing for ever, known by their spelling.
"""
