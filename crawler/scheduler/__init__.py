"""Scheduler: which URL is fetched next, and when its host may be asked.

admission     the one door for URLs.
clock         one sense of time for a run that no adjustment of the machine's clock can bend.
discovery     which URLs a page leads to, whether each is admitted, and at what depth
deferred      URLs whose turn comes when nothing else is left to do, the nearest to the seeds first.
frontier      the small window in memory onto the frontier on disk. Decides what is fetched next.
host_queue    one host's part of the window, its URLs and what is known of it. No decisions.
host_window   the window's queues, one per host, and the heap of when each may be asked.
robots_cache  the rules of one origin, ready to be asked; when to ask the origin for them, and how often
seen          answers "surely new" or "maybe seen". Never decides that a URL is known.
throttle      what hosts say, turned into when and how widely each may be asked next.
"""
