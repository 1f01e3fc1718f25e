"""Monitor: measures a running crawl. A failure in here never harms the crawl.

estimates   throughput, time left and the bottleneck, calculated from measurements
metrics     the numbers of a running crawl for Prometheus, over HTTP on loopback
run_counts  what a run has done so far, counted as verdicts are committed
telemetry   measures ten times a second, and makes a sample once a second
watchdog    describes what a crawl is doing, and logs it when nothing happens
"""
