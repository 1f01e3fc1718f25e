"""Scheduler: which URL is fetched next, and when its host may be asked.

discovery     which URLs a page leads to, whether each is admitted, or by which rule not, and at what depth
frontier      the window in memory onto the frontier on disk; which URL is next, which ones are deferred
handshakes    one private exchange with cookies for each URL behind a cookie gate
host_window   one queue of URLs per host, the places that a host moves through, and which host is next
hosts_on_disk lets hosts from disk into the window in turn, those that may be asked soon
robots_cache  the rules of each origin, and when its robots.txt is requested
seen          a set that answers "surely new" or "maybe seen"; the rows on disk decide
shares        how many fetchers slow and unknown hosts may hold while quick hosts are there
throttle      when each host may be asked next, and by how many requests at once; the clock of a run
"""
