"""Policies: decisions as small pure objects.

Facts go in, a verdict comes out. No I/O, no clock, no chance, no logging: time and
randomness are arguments. Their fields are their configuration.

    scope        where a crawl may go: scope, include, exclude
    reach        how far a URL is from the seeds, and whether that is near enough
    retry        whether a failed request is worth another, and when
    politeness   when a host may be asked again, and by how many at once
    budget       how much a crawl may spend
    breaker      when a host that does not answer at all is given a rest
    traps        URLs that a site can go on inventing for ever
    sessions     query parameters that name a visit, not a page
    rewrite      the operator's own rules for the spelling of URLs
    addresses    which addresses are public
    robots       what the answer to robots.txt means for its origin
    robots_tag   what X-Robots-Tag headers say to one product token
    robots_txt   what a robots.txt says to one product token; robots_rules: what that allows
"""
