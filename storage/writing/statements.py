"""Statements: the SQL of the writing side, named like verbs. No logic.

May touch: nothing. Each can be pasted into a shell; parameters are named. Those with
OR FAIL are given many rows at a time (`penstock.storage.database.batching`).
"""

# -- URLs and hosts

# By host and digest. Other URLs may share a digest, so the caller compares the URLs.
FIND_URLS = """
    SELECT url.id, url.depth, url.hops, url.followed, url.listed, url.run, url.state, url.reason,
           host.name, url.secure, url.path, url.kind
    FROM json_each(:places) AS place
    CROSS JOIN host ON host.name = json_extract(place.value, '$[0]')
    CROSS JOIN url_digest ON url_digest.host_id = host.id
                         AND url_digest.digest = json_extract(place.value, '$[1]')
    CROSS JOIN url ON url.id = url_digest.url_id
"""
FIND_HOSTS = "SELECT host.name, host.id FROM json_each(:names) AS j JOIN host ON host.name = j.value"
ADD_HOST = "INSERT OR FAIL INTO host (id, name) VALUES (?, ?)"
ADD_URL = """
    INSERT OR FAIL INTO url (id, host_id, secure, path, kind, depth, hops, followed, listed, run, seed, state,
        reason)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
# The same for the most frequent kind of row: to bind 5 values takes less than half the time of 13.
ADD_PENDING_PAGE = """
    INSERT OR FAIL INTO url (id, host_id, secure, path, kind, depth, hops, followed, listed, run, seed, state,
        reason)
    VALUES (?, ?, ?, ?, 0, ?, 0, 1, 0, 0, 0, 0, NULL)
"""
# After these two, for the rows from :first on. A URL that the file has already means a broken seen set and
# is an error: its number is then NULL, which the table refuses, as it does the host of a missing row.
# (Two equal URLs in one statement are not noticed; they share one key in memory, so there are none.)
ADD_URL_DIGESTS = """
    INSERT OR FAIL INTO url_digest (host_id, digest, url_id)
    SELECT url.host_id, j.value, CASE WHEN EXISTS (
        SELECT 1 FROM url_digest AS other
        CROSS JOIN url AS known ON known.id = other.url_id
        WHERE other.host_id = url.host_id AND other.digest = j.value
          AND known.path = url.path AND known.secure = url.secure AND known.kind = url.kind
    ) THEN NULL ELSE url.id END
    FROM json_each(:digests) AS j LEFT JOIN url ON url.id = :first + j.key
"""
UPDATE_URL = """
    UPDATE url SET depth = ?, hops = ?, followed = ?, listed = ?, run = ?, state = ?, reason = ? WHERE id = ?
"""
# A URL is in flight until the commit, so it occurs once in a batch.
SETTLE_URL = """
    UPDATE OR FAIL url
    SET state = now.column1, reason = now.column2, retry_at = now.column3, attempts = attempts + now.column4
    FROM (VALUES (?, ?, ?, ?, ?)) AS now WHERE url.id = now.column5
"""
SETTLE_DONE = """
    UPDATE OR FAIL url SET state = 2, reason = NULL, retry_at = NULL, attempts = attempts + 1
    FROM (VALUES (?)) AS now WHERE url.id = now.column1
"""
# A page whose depth fell passes it on along its stored links and redirect.
FIND_CHILDREN = """
    SELECT link.source, link.followed, 0 AS redirect,
           url.id, url.depth, url.hops, url.followed, url.listed, url.run, url.state, url.reason,
           host.name, url.secure, url.path, url.kind
    FROM json_each(:sources) AS j
    CROSS JOIN link ON link.source = j.value
    CROSS JOIN url ON url.id = link.target
    CROSS JOIN host ON host.id = url.host_id
    UNION ALL
    SELECT fetch.url_id, 1, 1,
           url.id, url.depth, url.hops, url.followed, url.listed, url.run, url.state, url.reason,
           host.name, url.secure, url.path, url.kind
    FROM json_each(:sources) AS j
    CROSS JOIN fetch ON fetch.url_id = j.value AND fetch.generation = :generation
    CROSS JOIN url ON url.id = fetch.redirect_id
    CROSS JOIN host ON host.id = url.host_id
    UNION ALL
    SELECT handshake.url_id, 1, 1,
           url.id, url.depth, url.hops, url.followed, url.listed, url.run, url.state, url.reason,
           host.name, url.secure, url.path, url.kind
    FROM json_each(:sources) AS j
    CROSS JOIN handshake ON handshake.url_id = j.value
    CROSS JOIN url ON url.id = handshake.gate_id
    CROSS JOIN host ON host.id = url.host_id
    UNION ALL
    SELECT refresh.url_id, 1, 2,
           url.id, url.depth, url.hops, url.followed, url.listed, url.run, url.state, url.reason,
           host.name, url.secure, url.path, url.kind
    FROM json_each(:sources) AS j
    CROSS JOIN refresh ON refresh.url_id = j.value
    CROSS JOIN url ON url.id = refresh.target_id
    CROSS JOIN host ON host.id = url.host_id
"""
ADD_REFRESH = "INSERT OR REPLACE INTO refresh (url_id, target_id) VALUES (?, ?)"
SET_MOVES = "INSERT OR REPLACE INTO seed_move (url_id, moves) VALUES (?, ?)"
FIND_MOVES = """
    SELECT url.secure, host.name, url.path, seed_move.moves
    FROM seed_move JOIN url ON url.id = seed_move.url_id JOIN host ON host.id = url.host_id
    WHERE seed_move.moves > 0
"""
# After a seed's redirect widened the scope: the URLs that it had kept out.
FIND_OUT_OF_SCOPE = """
    SELECT url.id, url.depth, url.hops, url.followed, url.listed, url.run, url.state, url.reason,
           host.name, url.secure, url.path, url.kind
    FROM json_each(:hosts) AS j
    CROSS JOIN host ON host.name = j.value
    CROSS JOIN url_digest ON url_digest.host_id = host.id
    CROSS JOIN url ON url.id = url_digest.url_id
    WHERE url.state = 4 AND url.reason = 'scope'
"""
ALL_HOSTS = "SELECT name FROM host"
ADD_SCOPE = "INSERT OR IGNORE INTO scope_extension (url) VALUES (?)"
FIND_SCOPES = "SELECT url FROM scope_extension ORDER BY url"

# -- pages and links

# The strings get digests when one is looked up for the first time. (The function is ours: a shell does
# not have it.)
ADD_MISSING_STRING_DIGESTS = """
    INSERT INTO phrase_digest (digest, phrase_id)
    SELECT digest_of_text(text), id FROM phrase WHERE NOT EXISTS (SELECT 1 FROM phrase_digest) ORDER BY 1, 2
"""
# By digest, as FIND_URLS.
FIND_STRINGS = """
    SELECT phrase.id, phrase.text
    FROM json_each(:digests) AS j
    CROSS JOIN phrase_digest ON phrase_digest.digest = j.value
    CROSS JOIN phrase ON phrase.id = phrase_digest.phrase_id
"""
ADD_STRING = "INSERT OR FAIL INTO phrase (id, text) VALUES (?, ?)"
ADD_STRING_DIGESTS = """
    INSERT OR FAIL INTO phrase_digest (digest, phrase_id) SELECT value, :first + key FROM json_each(:digests)
"""
ADD_LINK = "INSERT OR FAIL INTO link (source, target, text_id, rel_id, followed) VALUES (?, ?, ?, ?, ?)"
# Nearly all links are of these two kinds. Each value that is bound costs time, and NULL three times as much
# as a number: sqlite3 looks up an adapter for None.
ADD_PLAIN_LINK = """
    INSERT OR FAIL INTO link (source, target, text_id, rel_id, followed) VALUES (?, ?, ?, NULL, 1)
"""
ADD_BARE_LINK = """
    INSERT OR FAIL INTO link (source, target, text_id, rel_id, followed) VALUES (?, ?, NULL, NULL, 1)
"""
# A URL that failed and was requested again later has a row already.
SAVE_FETCH = """
    INSERT OR REPLACE INTO fetch (
        url_id, generation, status, error, type_id, title, language, body_bytes, content_hash, elapsed_ms,
        fetched_at, redirect_id, redirect_text, canonical, robots, other_links, long_links, etag,
        last_modified, dropped_links, sets_cookie)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
# The same for a page without error or redirect.
SAVE_PAGE = """
    INSERT OR REPLACE INTO fetch (
        url_id, generation, status, error, type_id, title, language, body_bytes, content_hash, elapsed_ms,
        fetched_at, redirect_id, redirect_text, canonical, robots, other_links, long_links, etag,
        last_modified, dropped_links)
    VALUES (?, ?, ?, NULL, ?, ?, ?, ?, ?, ?, ?, NULL, NULL, ?, ?, ?, ?, ?, ?, ?)
"""
SAVE_BODY = "INSERT OR REPLACE INTO body (url_id, generation, body, headers) VALUES (?, ?, ?, ?)"
SAVE_BODY_HEAD = """
    INSERT OR REPLACE INTO body_head (url_id, generation, status_line, request) VALUES (?, ?, ?, ?)
"""
FORGET_ROBOTS_EXCHANGES = "DELETE FROM robots_exchange WHERE origin = ?"
SAVE_ROBOTS_EXCHANGE = """
    INSERT OR REPLACE INTO robots_exchange (
        origin, position, url, status, fetched_at, body, headers, status_line, request)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
SAVE_SITEMAP = """
    INSERT OR REPLACE INTO sitemap (url_id, status, format, entries, refused, error, fetched_at)
    VALUES (?, ?, ?, ?, ?, ?, ?)
"""
SAVE_ROBOTS = """
    INSERT OR REPLACE INTO robots (
        origin, status, body, error, fetched_at, attempt, url, sitemaps, refused_sitemaps, is_cut)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
ADD_ROBOTS_SITEMAP = "INSERT OR IGNORE INTO robots_sitemap (origin, url_id) VALUES (?, ?)"
ADD_SITEMAP_CHILD = "INSERT OR IGNORE INTO sitemap_child (parent_id, url_id, redirect) VALUES (?, ?, ?)"
# As FIND_CHILDREN.
FIND_SITEMAP_CHILDREN = """
    SELECT sitemap_child.parent_id, sitemap_child.redirect,
           url.id, url.depth, url.hops, url.followed, url.listed, url.run, url.state, url.reason,
           host.name, url.secure, url.path, url.kind
    FROM json_each(:sources) AS j
    CROSS JOIN sitemap_child ON sitemap_child.parent_id = j.value
    CROSS JOIN url ON url.id = sitemap_child.url_id
    CROSS JOIN host ON host.id = url.host_id
"""
# As FIND_OUT_OF_SCOPE, for sitemaps: with the origin whose robots.txt names them.
FIND_UNPROVEN_SITEMAPS = """
    SELECT robots_sitemap.origin,
           url.id, url.depth, url.hops, url.followed, url.listed, url.run, url.state, url.reason,
           host.name, url.secure, url.path, url.kind
    FROM url INDEXED BY url_sitemap
    CROSS JOIN robots_sitemap ON robots_sitemap.url_id = url.id
    CROSS JOIN host ON host.id = url.host_id
    WHERE url.kind = 1 AND url.state = 4 AND url.reason = 'scope'
"""
SITEMAPS_SET_ASIDE = """
    SELECT url.id, url.secure, host.name, url.path, robots_sitemap.origin,
           EXISTS (SELECT 1 FROM sitemap_child WHERE sitemap_child.url_id = url.id)
    FROM url INDEXED BY url_sitemap
    JOIN host ON host.id = url.host_id
    LEFT JOIN robots_sitemap ON robots_sitemap.url_id = url.id
    WHERE url.kind = 1 AND url.state = 4 AND url.reason = 'sitemaps_off'
"""
RULE_SITEMAP = "UPDATE url SET state = ?, reason = ? WHERE id = ?"
# A run that reads no sitemaps of robots.txt still reads those of the operator, and what they lead to.
SET_SITEMAPS_ASIDE = """
    WITH RECURSIVE asked (id) AS (
        SELECT url.id FROM url INDEXED BY url_sitemap JOIN host ON host.id = url.host_id
        WHERE url.kind = 1 AND iif(url.secure, 'https://', 'http://') || host.name || url.path IN (
            SELECT value FROM json_each(:asked))
        UNION
        SELECT sitemap_child.url_id FROM asked JOIN sitemap_child ON sitemap_child.parent_id = asked.id
    )
    UPDATE url
    SET state = iif(state = 4, 0, 4), reason = iif(state = 4, NULL, 'sitemaps_off'), retry_at = NULL
    WHERE kind = 1 AND (
        (state IN (0, 1) AND id NOT IN asked) OR (state = 4 AND reason = 'sitemaps_off' AND id IN asked))
"""
SAVE_SESSION_PAGE = "INSERT OR REPLACE INTO session_page (url_id, fingerprint) VALUES (?, ?)"

# -- resources

SAVE_RESOURCE = """
    INSERT OR REPLACE INTO resource (url_id, status, type_id, bytes, checked_at, redirect_id, redirect_text)
    VALUES (?, ?, ?, ?, ?, ?, ?)
"""
ADD_USE = "INSERT OR IGNORE INTO resource_use (page_id, url_id, use_id) VALUES (?, ?, ?)"
COUNT_RESOURCES = "SELECT state, count(*) FROM url WHERE kind = 2 GROUP BY state"
# The redirect targets of resources whose own hops decreased.
FIND_TARGETS = """
    SELECT resource.url_id,
           url.id, url.depth, url.hops, url.followed, url.listed, url.run, url.state, url.reason,
           host.name, url.secure, url.path, url.kind
    FROM json_each(:sources) AS j
    CROSS JOIN resource ON resource.url_id = j.value
    CROSS JOIN url ON url.id = resource.redirect_id
    CROSS JOIN host ON host.id = url.host_id
"""
ADD_EXTERNAL_LINK = "INSERT OR IGNORE INTO external_link (target_id, url_id) VALUES (?, ?)"
UNCHECKED_LINKS = """
    SELECT url.id, url.secure, host.name, url.path
    FROM url JOIN host ON host.id = url.host_id
    WHERE url.id > :after AND url.kind = 0 AND url.state = 4 AND url.reason = 'scope'
      AND NOT EXISTS (SELECT 1 FROM external_link WHERE external_link.target_id = url.id)
      AND (EXISTS (SELECT 1 FROM link WHERE link.target = url.id)
           OR EXISTS (SELECT 1 FROM fetch WHERE fetch.redirect_id = url.id))
    ORDER BY url.id LIMIT :limit
"""
# A run requests only what its options name; the next run with the others continues.
SHELVE_RESOURCES = """
    WITH RECURSIVE wanted (id) AS (
        SELECT url_id FROM resource_use WHERE :resources
        UNION
        SELECT url_id FROM external_link WHERE :external
        UNION
        SELECT resource.redirect_id FROM wanted JOIN resource ON resource.url_id = wanted.id
        WHERE resource.redirect_id IS NOT NULL
    )
    UPDATE url
    SET state = iif(state = 4, 0, 4), reason = iif(state = 4, NULL, 'resources_off'), retry_at = NULL
    WHERE kind = 2 AND (
        (state IN (0, 1) AND id NOT IN wanted) OR (state = 4 AND reason = 'resources_off' AND id IN wanted))
"""

# -- the frontier

HOSTS_WITH_WORK = """
    WITH RECURSIVE busy (id) AS (
        SELECT min(host_id) FROM url
        WHERE state = 0 AND host_id > coalesce((SELECT id FROM host WHERE name = :after), 0)
        UNION ALL
        SELECT (SELECT min(host_id) FROM url WHERE state = 0 AND host_id > busy.id) FROM busy
        WHERE busy.id IS NOT NULL
    )
    SELECT host.name, coalesce(host.ready_at, 0.0), host.failures, host.rests, host.connections, host.rate
    FROM busy JOIN host ON host.id = busy.id LIMIT :limit
"""
PENDING_OF_HOSTS = """
    SELECT host.name, url.secure, url.path, url.depth, url.attempts - url.forgiven, url.kind
    FROM json_each(:hosts) AS wanted
    CROSS JOIN host ON host.name = wanted.value
    CROSS JOIN url ON url.id IN (
        SELECT one.id FROM url AS one WHERE one.state = 0 AND one.host_id = host.id
        ORDER BY one.depth, one.id LIMIT :limit)
    ORDER BY wanted.key, url.depth, url.id
"""
PENDING_OF_HOST = """
    SELECT url.secure, url.path, url.depth, url.attempts - url.forgiven, url.kind FROM url
    WHERE url.state = 0 AND url.host_id = (SELECT id FROM host WHERE name = :host)
    ORDER BY url.depth, url.id LIMIT :limit
"""
DUE_RETRIES = """
    SELECT url.secure, host.name, url.path, url.depth, url.attempts - url.forgiven, url.kind, 0,
           handshake.start, handshake.reason
    FROM url JOIN host ON host.id = url.host_id
    LEFT JOIN handshake ON handshake.url_id = url.id AND handshake.outcome IS NULL
    WHERE url.state = 1 AND url.retry_at <= :now
      AND host.name NOT IN (SELECT value FROM json_each(:without))
    ORDER BY url.retry_at LIMIT :limit
"""
NEXT_RETRY = """
    SELECT min(retry_at) FROM url
    WHERE state = 1 AND retry_at > :after
      AND host_id NOT IN (SELECT host.id FROM json_each(:without) AS j JOIN host ON host.name = j.value)
"""
LATE = """
    SELECT url.secure, host.name, url.path, url.depth, url.attempts - url.forgiven, url.kind, url.listed,
           handshake.start, handshake.reason
    FROM url INDEXED BY url_late JOIN host ON host.id = url.host_id
    LEFT JOIN handshake ON handshake.url_id = url.id AND handshake.outcome IS NULL
    WHERE url.state = 1 AND url.retry_at = 9e999
      AND host.name NOT IN (SELECT value FROM json_each(:without))
    ORDER BY url.depth, url.id LIMIT :limit
"""
SESSION_PAGES = """
    SELECT url.secure, host.name, url.path, session_page.fingerprint, url.depth, url.id
    FROM session_page
    CROSS JOIN url ON url.id = session_page.url_id
    CROSS JOIN host ON host.id = url.host_id
    WHERE session_page.url_id > :after AND url.depth >= :least AND url.depth < :below AND url.state = 2
    ORDER BY session_page.url_id LIMIT :limit
"""
PAGES_OF_HOST = """
    SELECT count(*) FROM url_digest
    JOIN fetch ON fetch.url_id = url_digest.url_id AND fetch.status = 200 AND fetch.error IS NULL
    WHERE url_digest.host_id = (SELECT id FROM host WHERE name = :host)
"""
UNFINISHED = """
    SELECT EXISTS (SELECT 1 FROM url WHERE state = 0) OR EXISTS (SELECT 1 FROM url WHERE state = 1)
"""
FIND_CLOCK = """
    SELECT coalesce(ready_at, 0), failures, rests, connections, rate FROM host WHERE name = :host
"""
SET_CLOCK = """
    UPDATE host SET ready_at = ?, failures = ?, rests = ?, connections = ?, rate = ? WHERE name = ?
"""
FIND_ROBOTS_OF_ALL = """
    SELECT robots.origin, status, body, error, fetched_at, attempt, robots.url
    FROM json_each(:origins) AS wanted CROSS JOIN robots ON robots.origin = wanted.value
    WHERE fetched_at > :newer_than
"""
FIND_ROBOTS = """
    SELECT status, body, error, fetched_at, attempt, url FROM robots
    WHERE origin = :origin AND fetched_at > :newer_than
"""
URLS_AFTER = """
    SELECT url.id, url.secure, host.name, url.path, url.kind FROM url JOIN host ON host.id = url.host_id
    WHERE url.id > :after ORDER BY url.id LIMIT :limit
"""
LAST_IDS = """
    SELECT (SELECT coalesce(max(id), 0) FROM url), (SELECT coalesce(max(id), 0) FROM host),
           (SELECT coalesce(max(id), 0) FROM phrase)
"""

# -- handshakes

# Redirects that set a cookie, from one URL on.
COOKIE_REDIRECTS = """
    SELECT url_id, redirect_id FROM fetch
    WHERE sets_cookie = 1 AND redirect_id IS NOT NULL AND url_id > :after AND generation = :generation
    ORDER BY url_id LIMIT :limit
"""
REDIRECTS_OF = """
    SELECT fetch.url_id, fetch.redirect_id FROM json_each(:sources) AS j
    CROSS JOIN fetch ON fetch.url_id = j.value AND fetch.generation = :generation
    WHERE fetch.redirect_id IS NOT NULL
"""
# The URLs whose redirects lead into a circle through some of :sources, and these. Each begins at itself.
PLAN_CIRCLES = """
    WITH RECURSIVE led (id) AS (
        SELECT value FROM json_each(:sources)
        UNION
        SELECT fetch.url_id FROM led
        JOIN fetch ON fetch.redirect_id = led.id AND fetch.generation = :generation
    )
    INSERT INTO handshake (url_id, start, gate_id)
    SELECT led.id, url_text.url, fetch.redirect_id
    FROM led
    JOIN url ON url.id = led.id AND url.state = 2
    JOIN fetch ON fetch.url_id = led.id AND fetch.generation = :generation AND fetch.redirect_id IS NOT NULL
    JOIN url_text ON url_text.id = led.id
    WHERE NOT EXISTS (SELECT 1 FROM handshake WHERE handshake.url_id = led.id)
"""
# Of :urls, those that denied access and were not tried.
DENIED = """
    SELECT url.id, url.reason FROM json_each(:urls) AS j
    CROSS JOIN url ON url.id = j.value
    WHERE url.state = 3 AND url.reason IN ('http_401', 'http_403')
      AND NOT EXISTS (SELECT 1 FROM handshake WHERE handshake.url_id = url.id)
"""
# Where the exchange of a denied URL begins: of the chains of redirects that lead to it and set a cookie,
# the first URL of each; of these the one that sorts first.
FIRST_START = """
    WITH RECURSIVE led (id) AS (
        SELECT :url
        UNION
        SELECT fetch.url_id FROM led
        JOIN fetch ON fetch.redirect_id = led.id AND fetch.generation = :generation
    ),
    source (id) AS (
        SELECT led.id FROM led
        JOIN fetch ON fetch.url_id = led.id AND fetch.generation = :generation
        WHERE fetch.sets_cookie = 1 AND fetch.redirect_id IS NOT NULL
        UNION
        SELECT fetch.url_id FROM source
        JOIN fetch ON fetch.redirect_id = source.id AND fetch.generation = :generation
    )
    SELECT min(url_text.url) FROM source JOIN url_text ON url_text.id = source.id
    WHERE NOT EXISTS (
        SELECT 1 FROM fetch WHERE fetch.redirect_id = source.id AND fetch.generation = :generation
    )
"""
PLAN_DENIED = "INSERT INTO handshake (url_id, start, reason) VALUES (?, ?, ?)"
DEFER_PLANNED = """
    UPDATE url SET state = 1, reason = 'handshake', retry_at = 9e999, forgiven = attempts
    WHERE id IN (SELECT url_id FROM handshake WHERE outcome IS NULL) AND state IN (2, 3)
"""
CHANGED = "SELECT changes()"
END_HANDSHAKE = "UPDATE handshake SET outcome = ?, ended_at = ? WHERE url_id = ?"

# -- the crawl and its runs

FIND_CRAWL = "SELECT identity, depth, robots, generation FROM crawl"
CREATE_CRAWL = """
    INSERT INTO crawl (id, identity, depth, robots, generation, created_at)
    VALUES (1, :identity, :depth, :robots, 1, :now)
"""
SET_HORIZON = "UPDATE crawl SET depth = :depth, robots = :robots"
# After a change of --depth: admit what is near enough now, skip what is too far now.
ADMIT_WITHIN_DEPTH = """
    UPDATE url SET state = 0, reason = NULL
    WHERE state = 4 AND reason = 'depth' AND hops <= :hops AND (:depth IS NULL OR depth <= :depth)
"""
LIMIT_BEYOND_DEPTH = """
    UPDATE url SET state = 4, reason = 'depth', retry_at = NULL
    WHERE state IN (0, 1) AND kind = 0 AND depth > :depth AND NOT listed
      AND NOT EXISTS (SELECT 1 FROM handshake WHERE handshake.url_id = url.id AND handshake.outcome IS NULL)
"""
ADMIT_PAST_ROBOTS = """
    UPDATE url SET state = 0, reason = NULL
    WHERE (state = 4 AND reason = 'robots') OR (state = 3 AND reason = 'robots_unreachable')
"""
ADMIT_FAILED = """
    UPDATE url SET state = 0, reason = NULL, retry_at = NULL, forgiven = attempts
    WHERE state = 3 AND (:depth IS NULL OR depth <= :depth OR listed OR kind = 2)
"""
FAILED_REASONS = "SELECT DISTINCT reason FROM url WHERE state = 3"
# `left` is the number of attempts that count as used up.
ADMIT_FAILED_FOR = """
    UPDATE url SET state = 0, reason = NULL, retry_at = NULL, forgiven = attempts - :left
    WHERE state = 3 AND reason IN (SELECT value FROM json_each(:reasons))
      AND (:depth IS NULL OR depth <= :depth OR listed OR kind <> 0)
"""
ADMIT_REFUSED_SEEDS = """
    UPDATE url SET state = 0, reason = NULL WHERE state = 4 AND seed AND reason IN ('robots', 'address')
"""
FORGET_ROBOTS = "DELETE FROM robots"
# 200, and the other statuses whose body is a page of its own (RFC 9110 section 15.3).
HAS_STORED_PAGE = """
    SELECT EXISTS (
        SELECT 1 FROM fetch WHERE status BETWEEN 200 AND 299 AND status NOT IN (204, 205) AND error IS NULL
    )
"""
FORGET_ROBOTS_ATTEMPTS = "UPDATE robots SET attempt = 0 WHERE attempt > 0"  # counted per run
ADVANCE_RETRIES = "UPDATE url SET retry_at = :now WHERE state = 1 AND retry_at > :latest AND retry_at < 9e999"
LAST_RUN = "SELECT finished_at IS NOT NULL, requests FROM runs ORDER BY id DESC LIMIT 1"
FIND_CRASH_COUNT = "SELECT suspect, strikes FROM crawl"
SET_CRASH_COUNT = "UPDATE crawl SET suspect = :url, strikes = :crashes"
FAIL_POISON_URL = """
    UPDATE url SET state = 3, reason = 'poison', retry_at = NULL, attempts = attempts + 1
    WHERE id = :id AND state IN (0, 1)
"""
ADD_POISON_PAGE = """
    INSERT OR REPLACE INTO fetch (url_id, generation, error) VALUES (:id, :generation, 'poison')
"""
LAST_CONFIG = "SELECT config FROM runs ORDER BY id DESC LIMIT 1"
LAST_ENDING = "SELECT stop_reason FROM runs ORDER BY id DESC LIMIT 1"
START_RUN = "INSERT INTO runs (started_at, config) VALUES (:now, :config) RETURNING id"
COUNT_RUN = """
    UPDATE runs SET requests = requests + :requests, pages = pages + :pages, bytes = bytes + :bytes,
        retries = retries + :retries, robots_requests = robots_requests + :robots_requests,
        sitemap_requests = sitemap_requests + :sitemap_requests,
        resource_requests = resource_requests + :resource_requests
    WHERE id = :run
"""
FINISH_RUN = """
    UPDATE runs SET finished_at = :now, stop_reason = :reason, max_rss_bytes = :rss WHERE id = :run
"""
COUNT_PAGES = "SELECT count(*) FROM fetch WHERE status = 200 AND error IS NULL AND generation = :generation"
# One scan. GROUP BY would first sort a row per URL: a second and 60 MiB for a million URLs.
COUNT_STATES = """
    SELECT count(*) FILTER (WHERE kind = 0 AND state IN (0, 1)),
           count(*) FILTER (WHERE kind = 0 AND state = 2),
           count(*) FILTER (WHERE kind = 0 AND state = 3),
           count(*) FILTER (WHERE kind = 0 AND state = 4),
           count(*) FILTER (WHERE state = 3 AND reason LIKE 'internal:%')
               + (SELECT count(*) FROM robots WHERE error LIKE 'internal:%')
    FROM url
"""
SUM_RUNS = """
    SELECT coalesce(sum(requests), 0), coalesce(sum(pages), 0), coalesce(sum(bytes), 0),
           coalesce(sum(retries), 0), coalesce(sum(robots_requests), 0), coalesce(sum(sitemap_requests), 0)
    FROM runs
"""

# -- telemetry

# After the clock was set back, samples replace those of the same second.
SAVE_SAMPLE = """
    INSERT OR REPLACE INTO sample (
        at, run_id, requests, pages, bytes, failed, pending, skipped, in_flight, hosts, hosts_held_back,
        lag_ms, loop_busy)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
SAVE_STAGE_SAMPLE = """
    INSERT OR REPLACE INTO stage_sample (
        at, position, stage, waiting, bound, busy, workers, handled, wait_ms, service_ms)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
SAVE_LIVE = "INSERT OR REPLACE INTO live (id, run_id, at, snapshot) VALUES (1, :run, :at, :snapshot)"
THIN_STAGE_SAMPLES = """
    DELETE FROM stage_sample WHERE at < :minute OR (at < :second AND at % 60 <> 0)
"""
THIN_SAMPLES = "DELETE FROM sample WHERE at < :minute OR (at < :second AND at % 60 <> 0)"
