-- Schema 2: what people read. Names and columns of pages, urls, links and of the named
-- reports are a public contract; the tables of 001 and the three views "beneath" are not.
--
-- Two habits keep them quick. What costs something (a parent, a phrase) is a scalar
-- subquery in the outermost SELECT: SQLite leaves it out when a query does not ask for that
-- column. And the URL text, which no table holds, comes from a subquery that SQLite cannot
-- dissolve into the query around it, by a DISTINCT that has nothing to sort out (the key is
-- among its columns) or by a second arm that has no rows. A join or a correlated EXISTS over
-- URL text then finds its rows by an automatic index; dissolved, it would try every pair,
-- which takes hours with 500,000 links.

-- Who redirects here: for discovered_from, and for the start of a chain.
CREATE INDEX fetch_redirect ON fetch (redirect_id) WHERE redirect_id IS NOT NULL;

CREATE VIEW url_text AS          -- beneath: the canonical URL of a number
SELECT
    url.id AS id,                -- what link.source, fetch.redirect_id and so on refer to
    CASE url.secure WHEN 1 THEN 'https://' ELSE 'http://' END || host.name || url.path AS url
FROM url JOIN host ON host.id = url.host_id;

CREATE VIEW last_fetch AS        -- beneath: fetch, the newest generation of each URL
SELECT * FROM fetch
WHERE generation = (SELECT max(newer.generation) FROM fetch AS newer WHERE newer.url_id = fetch.url_id);

CREATE VIEW known_url AS         -- beneath: urls, and its numbers
SELECT
    known.id AS id,
    known.url AS url,
    known.host AS host,
    known.state AS state,
    known.reason AS reason,
    nullif(known.depth, 1 << 30) AS depth, -- NULL: only a sitemap leads here
    known.attempts AS attempts,
    -- The nearest parent, of several the one whose URL sorts first; NULL for a seed. A parent
    -- links here from one depth less, or redirects here from the same. Nofollow links
    -- count only where nothing else leads here.
    CASE WHEN known.seed = 0 THEN (
        SELECT min(parent.url) FROM (
            SELECT source.url AS url
            -- CROSS: the index link_target holds (target, source) alone, so that the link itself
            -- is looked up only for the few sources that are near enough.
            FROM link AS way
            CROSS JOIN url AS nearer ON nearer.id = way.source AND nearer.depth = known.depth - 1
            CROSS JOIN link ON link.source = way.source AND link.target = way.target
            JOIN url_text AS source ON source.id = nearer.id
            WHERE way.target = known.id
              AND link.followed = known.followed
            UNION ALL
            SELECT source.url AS url
            FROM fetch
            JOIN url AS same ON same.id = fetch.url_id
            JOIN url_text AS source ON source.id = same.id
            WHERE fetch.redirect_id = known.id
              AND same.id <> known.id
              AND same.depth = known.depth
        ) AS parent
    ) END AS discovered_from,
    known.seed AS seed,
    strftime('%Y-%m-%dT%H:%M:%fZ', known.retry_at, 'unixepoch') AS retry_at
FROM (
    SELECT DISTINCT
        id, seed, followed, depth, reason, attempts, retry_at,
        -- Waiting for another attempt is a way of being pending.
        CASE state WHEN 2 THEN 'done' WHEN 3 THEN 'failed' WHEN 4 THEN 'skipped' ELSE 'pending' END AS state,
        (SELECT name FROM host WHERE host.id = url.host_id) AS host,
        (SELECT url_text.url FROM url_text WHERE url_text.id = url.id) AS url
    FROM url WHERE kind = 0      -- a sitemap is no page
) AS known;

CREATE VIEW urls AS              -- every http(s) URL ever discovered
SELECT
    url,                         -- canonical
    host,                        -- name and non-default port
    state,                       -- pending, done, failed or skipped
    reason,                      -- why failed or skipped (the rule), or why it is to be asked again
    depth,                       -- link hops from the nearest seed
    attempts,                    -- requests that were settled
    discovered_from,             -- URL of the nearest page that leads here; NULL: a seed
    seed,                        -- 1: given by the operator
    retry_at                     -- ISO 8601, UTC; only while waiting for another attempt
FROM known_url;

CREATE VIEW pages AS             -- every URL that was requested, with its newest answer
SELECT
    page.url AS url,
    page.status AS status,       -- HTTP status; NULL: none arrived
    (SELECT nullif(url.depth, 1 << 30) FROM url WHERE url.id = page.id) AS depth, -- link hops from the nearest seed
    page.title AS title,         -- NULL: no title element; '': an empty one
    (SELECT phrase.text FROM phrase WHERE phrase.id = page.type_id) AS content_type, -- without parameters
    page.body_bytes AS body_bytes, -- after content-coding; Content-Length where not downloaded
    page.elapsed_ms AS elapsed_ms, -- from the request to the last byte that was wanted
    strftime('%Y-%m-%dT%H:%M:%fZ', page.fetched_at / 1000.0, 'unixepoch') AS fetched_at, -- ISO 8601, UTC
    nullif(lower(hex(page.content_hash)), '') AS content_hash, -- SHA-256 of the body, hex
    -- Where it redirects to, in scope or not; NULL: it is no redirect, or has no valid target.
    coalesce(
        (SELECT url_text.url FROM url_text WHERE url_text.id = page.redirect_id), page.redirect_text
    ) AS redirect_to,
    page.error AS error,         -- the reason of a failure; NULL: the answer was taken as asked
    page.language AS language,   -- html[lang]
    page.canonical AS canonical, -- link[rel=canonical], resolved
    page.robots AS robots,       -- directives of X-Robots-Tag and meta robots
    page.etag AS etag,
    page.last_modified AS last_modified, -- as sent
    (SELECT url.attempts FROM url WHERE url.id = page.id) AS attempts, -- requests that were settled
    (SELECT host.name FROM url JOIN host ON host.id = url.host_id WHERE url.id = page.id) AS host
FROM (
    SELECT DISTINCT
        url_id AS id, generation, status, title, type_id, body_bytes, elapsed_ms, fetched_at, content_hash,
        redirect_id, redirect_text, error, language, canonical, robots, etag, last_modified,
        (SELECT url_text.url FROM url_text WHERE url_text.id = last_fetch.url_id) AS url
    FROM last_fetch
) AS page;

CREATE VIEW links AS             -- one row per distinct (source, target) of stored pages
SELECT
    pair.source_url AS source,
    pair.target_url AS target,   -- in scope or not
    coalesce((SELECT phrase.text FROM phrase WHERE phrase.id = pair.text_id), '') AS text, -- first non-empty
    coalesce((SELECT phrase.text FROM phrase WHERE phrase.id = pair.rel_id), '') AS rel, -- union of the rels
    pair.followed AS followed    -- 1: at least one mention may be followed
FROM (
    -- CROSS: the text of a source is put together once, not for each of its links.
    SELECT source.url AS source_url, target.url AS target_url, link.text_id, link.rel_id, link.followed
    FROM url_text AS source
    CROSS JOIN link ON link.source = source.id
    JOIN url_text AS target ON target.id = link.target
    UNION ALL SELECT NULL, NULL, NULL, NULL, NULL WHERE 0
) AS pair;

-- The named reports. Each is in the order in which a person would read it.

CREATE VIEW broken_links AS      -- every link to a URL that does not answer, by target
SELECT
    source.url AS source,        -- the page to mend
    target.url AS target,
    -- HTTP status of the last answer; NULL: none arrived
    (SELECT last_fetch.status FROM last_fetch WHERE last_fetch.url_id = url.id) AS status,
    url.reason AS reason,
    coalesce((SELECT phrase.text FROM phrase WHERE phrase.id = link.text_id), '') AS text -- of the link
FROM url
CROSS JOIN link ON link.target = url.id -- CROSS: from the few broken URLs to their links, not through all links
JOIN url_text AS source ON source.id = link.source
JOIN url_text AS target ON target.id = link.target
WHERE url.state = 3
  -- What the web is to blame for. A refusal (403, 429, robots.txt, a Retry-After that is too
  -- long) does not tell that a page is gone, and a limit or a bug of ours says nothing of it.
  AND ((url.reason GLOB 'http_[45]*' AND url.reason NOT IN ('http_403', 'http_429'))
       OR url.reason GLOB 'timeout*'
       OR url.reason IN ('dns', 'connect', 'refused', 'reset', 'tls', 'truncated',
                         'bad_http', 'bad_url', 'network'))
ORDER BY target.url, source.url;

CREATE VIEW redirects AS         -- every redirect, and what became of its target
SELECT
    source.url AS url,
    hop.status AS status,
    coalesce(target.url, hop.redirect_text) AS target, -- NULL: Location is missing or invalid
    target.state AS target_state, -- NULL: the target is no http(s) URL, or too long, so it has no row
    target.reason AS target_reason,
    (SELECT last_fetch.status FROM last_fetch WHERE last_fetch.url_id = target.id) AS target_status,
    (SELECT url.depth FROM url WHERE url.id = hop.url_id) AS depth
FROM last_fetch AS hop
JOIN url_text AS source ON source.id = hop.url_id
LEFT JOIN known_url AS target ON target.id = hop.redirect_id
WHERE hop.redirect_id IS NOT NULL OR hop.redirect_text IS NOT NULL OR hop.status IN (301, 302, 303, 307, 308)
ORDER BY source.url;

CREATE VIEW redirect_chains AS   -- redirects that lead to redirects, from the first one of each chain
WITH RECURSIVE walk (start, at, elsewhere, hops, least, path, via) AS (
    SELECT url_id, redirect_id, redirect_text, 1, min(url_id, coalesce(redirect_id, url_id)),
           ',' || url_id || ',', ''
    FROM last_fetch
    WHERE redirect_id IS NOT NULL OR redirect_text IS NOT NULL
    UNION ALL
    SELECT walk.start, hop.redirect_id, hop.redirect_text, walk.hops + 1,
           min(walk.least, coalesce(hop.redirect_id, walk.least)), walk.path || walk.at || ',',
           ltrim(walk.via || ' ' || (SELECT url_text.url FROM url_text WHERE url_text.id = walk.at))
    FROM walk
    JOIN last_fetch AS hop ON hop.url_id = walk.at
    WHERE (hop.redirect_id IS NOT NULL OR hop.redirect_text IS NOT NULL)
      AND instr(walk.path, ',' || walk.at || ',') = 0 -- a loop ends where it meets itself
      AND walk.hops < 100        -- and a chain without end here, so that the walk is bounded
),
whole AS (                       -- of each start the longest walk; `at` and the rest come from that row
    SELECT start, at, elsewhere, max(hops) AS hops, least, via,
           instr(path, ',' || at || ',') > 0 AS looped
    FROM walk GROUP BY start
)
SELECT
    first.url AS url,            -- where the chain starts
    whole.hops AS hops,          -- redirects in a row; two at least, but for a URL that redirects to itself
    coalesce(last.url, whole.elsewhere) AS final_url,
    (SELECT last_fetch.status FROM last_fetch WHERE last_fetch.url_id = whole.at) AS final_status,
    -- loop: it comes back to one of its own; else the state of the final URL; NULL: it has no row
    CASE WHEN whole.looped THEN 'loop' ELSE last.state END AS result,
    whole.via AS via             -- the URLs between, separated by blanks
FROM whole
JOIN url_text AS first ON first.id = whole.start
LEFT JOIN known_url AS last ON last.id = whole.at
WHERE (whole.hops > 1 OR whole.looped)
  -- Once per chain: from where no redirect leads to, and a loop by itself from its oldest member.
  AND (NOT EXISTS (SELECT 1 FROM fetch AS before
                   WHERE before.redirect_id = whole.start AND before.url_id <> whole.start)
       OR (whole.looped AND whole.at = whole.start AND whole.least = whole.start))
ORDER BY whole.hops DESC, first.url;

CREATE VIEW duplicates AS        -- pages whose bodies are the same, byte for byte
SELECT
    lower(hex(page.content_hash)) AS content_hash, -- one group
    grouped.copies AS copies,    -- pages in the group
    url_text.url AS url,
    page.title AS title,
    page.body_bytes AS body_bytes,
    page.canonical AS canonical  -- a page that names another one here is an honest copy
FROM (
    SELECT content_hash, count(*) AS copies FROM last_fetch
    WHERE status = 200 AND error IS NULL AND content_hash IS NOT NULL
    GROUP BY content_hash HAVING count(*) > 1
) AS grouped
JOIN last_fetch AS page ON page.content_hash = grouped.content_hash AND page.status = 200 AND page.error IS NULL
JOIN url_text ON url_text.id = page.url_id
ORDER BY grouped.copies DESC, page.content_hash, url_text.url;

CREATE VIEW slow_pages AS        -- the slowest answers first
SELECT url, elapsed_ms, status, body_bytes, content_type, depth, error
FROM pages
WHERE elapsed_ms IS NOT NULL
ORDER BY elapsed_ms DESC, url;

CREATE VIEW skipped AS           -- what a rule kept out
SELECT
    url,
    reason,                      -- the rule
    depth,
    discovered_from
FROM known_url
WHERE state = 'skipped'
ORDER BY reason, url;

CREATE VIEW failed AS            -- what was given up
SELECT
    url,
    reason,
    -- HTTP status of the last answer; NULL: none arrived
    (SELECT last_fetch.status FROM last_fetch WHERE last_fetch.url_id = known_url.id) AS status,
    attempts,
    depth,
    discovered_from
FROM known_url
WHERE state = 'failed'
ORDER BY reason, url;

CREATE VIEW hosts AS             -- every host, the largest first
SELECT
    host.name AS host,           -- name and non-default port
    known.urls AS urls,          -- discovered; the four states below add up to it
    known.pending AS pending,
    known.done AS done,
    known.failed AS failed,
    known.skipped AS skipped,
    coalesce(answered.pages, 0) AS pages, -- status 200 without error
    coalesce(answered.bytes, 0) AS bytes, -- body_bytes of these pages
    answered.elapsed_ms AS avg_elapsed_ms -- over all answers; NULL: none arrived
FROM host
JOIN (
    SELECT host_id, count(*) AS urls, count(*) FILTER (WHERE state IN (0, 1)) AS pending,
           count(*) FILTER (WHERE state = 2) AS done, count(*) FILTER (WHERE state = 3) AS failed,
           count(*) FILTER (WHERE state = 4) AS skipped
    FROM url GROUP BY host_id
) AS known ON known.host_id = host.id
LEFT JOIN (
    SELECT url.host_id AS host_id, count(*) FILTER (WHERE status = 200 AND error IS NULL) AS pages,
           sum(body_bytes) FILTER (WHERE status = 200 AND error IS NULL) AS bytes,
           CAST(round(avg(elapsed_ms)) AS INTEGER) AS elapsed_ms
    FROM last_fetch JOIN url ON url.id = last_fetch.url_id
    GROUP BY url.host_id
) AS answered ON answered.host_id = host.id
ORDER BY known.urls DESC, host.name;

CREATE VIEW depths AS            -- how far the crawl has come at each distance from the seeds
SELECT
    nullif(url.depth, 1 << 30) AS depth,
    count(*) AS urls,            -- discovered; the four states below add up to it
    count(*) FILTER (WHERE url.state IN (0, 1)) AS pending,
    count(*) FILTER (WHERE url.state = 2) AS done,
    count(*) FILTER (WHERE url.state = 3) AS failed,
    count(*) FILTER (WHERE url.state = 4) AS skipped,
    count(*) FILTER (WHERE (     -- status 200 without error
        SELECT last_fetch.status = 200 AND last_fetch.error IS NULL
        FROM last_fetch WHERE last_fetch.url_id = url.id
    )) AS pages
FROM url
GROUP BY url.depth
ORDER BY url.depth;

CREATE VIEW status_codes AS      -- how many URLs ended in each status and error
SELECT
    status,                      -- HTTP status; NULL: none arrived
    error,                       -- NULL: taken as asked
    count(*) AS urls
FROM last_fetch
GROUP BY status, error
ORDER BY status, error;

CREATE VIEW orphans AS           -- stored pages that are no seed and that nothing leads to
SELECT
    url_text.url AS url,
    page.title AS title,
    nullif(url.depth, 1 << 30) AS depth
FROM last_fetch AS page
JOIN url ON url.id = page.url_id
JOIN url_text ON url_text.id = page.url_id
WHERE page.status = 200 AND page.error IS NULL
  AND url.seed = 0
  -- A page's link to itself leads nobody there.
  AND NOT EXISTS (SELECT 1 FROM link WHERE link.target = url.id AND link.source <> url.id)
  AND NOT EXISTS (SELECT 1 FROM fetch WHERE fetch.redirect_id = url.id AND fetch.url_id <> url.id)
ORDER BY url_text.url;

CREATE VIEW sitemaps AS          -- every sitemap that robots.txt, an index or the operator named
SELECT
    url_text.url AS url,
    CASE url.state WHEN 2 THEN 'done' WHEN 3 THEN 'failed' WHEN 4 THEN 'skipped' ELSE 'pending' END AS state,
    url.reason AS reason,        -- why failed or skipped
    sitemap.status AS status,    -- HTTP status; NULL: none arrived
    sitemap.format AS format,    -- urlset, index, rss, atom or text; NULL: none of these
    sitemap.entries AS entries,  -- locations read
    sitemap.refused AS refused,  -- locations that are no http(s) URL, or too long
    sitemap.error AS error,      -- why there is no answer, or why reading ended early
    strftime('%Y-%m-%dT%H:%M:%fZ', sitemap.fetched_at / 1000.0, 'unixepoch') AS fetched_at -- ISO 8601, UTC
FROM url
JOIN url_text ON url_text.id = url.id
LEFT JOIN sitemap ON sitemap.url_id = url.id
WHERE url.kind = 1;
