"""Monitor: what a running crawl does, measured once a second. A failure here never harms the crawl.

bottleneck  which part of a crawl the others waited for, told from how busy each of them was.
loop_lag    how late the event loop comes to what is due. A latency that we measure has our own in it.
metrics     a running crawl's numbers for Prometheus, over HTTP on loopback.
tally       this run's counts, kept as verdicts are committed. What the live view reads.
telemetry   a look at a running crawl ten times a second, summed up once a second.
trend       how fast a crawl goes, and when it will have come to its end if that can be known.
watchdog    say what a crawl is doing right now, and say so unasked when it does nothing.
"""
