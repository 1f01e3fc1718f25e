-- Schema 9: what pages load (images, scripts, stylesheets, media), and whether it is there. Its
-- URLs are rows of url with kind 2, which no view of pages, links and urls shows.

ALTER TABLE runs ADD COLUMN resource_requests INTEGER NOT NULL DEFAULT 0;

CREATE INDEX url_resource ON url (state) WHERE kind = 2;

CREATE TABLE resource (          -- the last answer of each resource
    url_id      INTEGER PRIMARY KEY REFERENCES url (id),
    status      INTEGER,         -- HTTP status; NULL: none arrived
    type_id     INTEGER REFERENCES phrase (id), -- MIME type without parameters
    bytes       INTEGER,         -- Content-Length
    checked_at  INTEGER,         -- unix milliseconds; NULL: no answer
    redirect_id INTEGER REFERENCES url (id), -- target of a redirect ...
    redirect_text TEXT           -- ... or its text, where the target has no row of its own
);
CREATE INDEX resource_redirect ON resource (redirect_id) WHERE redirect_id IS NOT NULL;

CREATE TABLE resource_use (      -- which stored page loads which resource, and as what
    page_id     INTEGER NOT NULL REFERENCES url (id),
    url_id      INTEGER NOT NULL REFERENCES url (id),
    use_id      INTEGER NOT NULL REFERENCES phrase (id), -- image, script, style, media, icon or font
    PRIMARY KEY (page_id, url_id, use_id)
) WITHOUT ROWID;
CREATE INDEX resource_used ON resource_use (url_id);

CREATE VIEW resources AS         -- what pages load (--resources), and what it answered
SELECT
    url_text.url AS url,
    -- image, script, style, media, icon or font; several separated by blanks; NULL: only a redirect leads here
    (SELECT group_concat(kind, ' ') FROM (
        SELECT DISTINCT phrase.text AS kind FROM resource_use JOIN phrase ON phrase.id = resource_use.use_id
        WHERE resource_use.url_id = url.id ORDER BY phrase.text
    )) AS kind,
    CASE url.state WHEN 2 THEN 'done' WHEN 3 THEN 'failed' WHEN 4 THEN 'skipped' ELSE 'pending' END AS state,
    resource.status AS status,   -- HTTP status; NULL: none arrived
    (SELECT phrase.text FROM phrase WHERE phrase.id = resource.type_id) AS content_type, -- without parameters
    resource.bytes AS bytes,     -- Content-Length; NULL: the server does not say
    CASE WHEN url.state IN (3, 4) THEN url.reason END AS error, -- why failed or skipped (robots, address, ...)
    strftime('%Y-%m-%dT%H:%M:%fZ', resource.checked_at / 1000.0, 'unixepoch') AS checked_at, -- ISO 8601, UTC
    coalesce(
        (SELECT target.url FROM url_text AS target WHERE target.id = resource.redirect_id), resource.redirect_text
    ) AS redirect_to             -- the target is a resource of its own
FROM url
JOIN url_text ON url_text.id = url.id
LEFT JOIN resource ON resource.url_id = url.id
WHERE url.kind = 2;

CREATE VIEW resource_uses AS     -- one row per page, resource and what it is used as
SELECT
    page.url AS page,
    used.url AS resource,
    phrase.text AS kind          -- image, script, style, media, icon or font
FROM url_text AS page
CROSS JOIN resource_use ON resource_use.page_id = page.id
JOIN url_text AS used ON used.id = resource_use.url_id
JOIN phrase ON phrase.id = resource_use.use_id;

CREATE VIEW broken_resources AS  -- every use of a resource that does not answer, by resource
WITH RECURSIVE walk (id, at) AS (  -- every resource behind the redirects of id
    SELECT url_id, redirect_id FROM resource WHERE redirect_id IS NOT NULL
    UNION
    SELECT walk.id, hop.redirect_id FROM walk
    JOIN resource AS hop ON hop.url_id = walk.at AND hop.redirect_id IS NOT NULL
),
dead (id, at, reason) AS (       -- at: where the redirects of id end
    SELECT url.id, url.id, url.reason FROM url
    WHERE url.kind = 2 AND url.state = 3
      -- As in broken_links; and a host that was given up never answered.
      AND ((url.reason GLOB 'http_[45]*' AND url.reason NOT IN ('http_403', 'http_429'))
           OR url.reason GLOB 'timeout*'
           OR url.reason IN ('dns', 'connect', 'refused', 'reset', 'tls', 'truncated', 'bad_http', 'bad_url',
                             'network', 'host_unreachable', 'redirect_invalid'))
    UNION
    SELECT url.id, url.id, url.reason FROM url WHERE url.kind = 2 AND url.state = 4 AND url.reason = 'redirect_limit'
    UNION
    SELECT id, id, 'redirect_loop' FROM walk WHERE id = at
    UNION
    SELECT hop.url_id, dead.at, dead.reason FROM dead JOIN resource AS hop ON hop.redirect_id = dead.id
)
SELECT
    page.url AS page,            -- the page to mend
    used.url AS resource,
    phrase.text AS kind,         -- image, script, style, media, icon or font
    (SELECT resource.status FROM resource WHERE resource.url_id = dead.at) AS status, -- NULL: none arrived
    dead.reason AS reason,
    CASE WHEN dead.at <> dead.id THEN
        (SELECT last.url FROM url_text AS last WHERE last.id = dead.at)
    END AS redirects_to          -- where its redirects end; NULL: it is no redirect
FROM (SELECT id, min(at) AS at, reason FROM dead GROUP BY id) AS dead -- of a loop: one of its members
JOIN url_text AS used ON used.id = dead.id
JOIN resource_use ON resource_use.url_id = dead.id
JOIN phrase ON phrase.id = resource_use.use_id
JOIN url_text AS page ON page.id = resource_use.page_id
ORDER BY used.url, page.url, phrase.text;

-- As in 002, and what broken_resources has.
DROP VIEW broken_links;
CREATE VIEW broken_links AS      -- every link to a URL that does not answer, and every resource, by target
SELECT
    source.url AS source,        -- the page to mend
    target.url AS target,
    -- HTTP status of the last answer; NULL: none arrived
    (SELECT last_fetch.status FROM last_fetch WHERE last_fetch.url_id = url.id) AS status,
    url.reason AS reason,
    -- of the link; of a resource what it is used as
    coalesce((SELECT phrase.text FROM phrase WHERE phrase.id = link.text_id), '') AS text
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
UNION ALL
SELECT page, resource, status, reason, kind FROM broken_resources
ORDER BY target, source;

-- As in 002, without resources.
DROP VIEW hosts;
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
    FROM url WHERE kind <> 2 GROUP BY host_id
) AS known ON known.host_id = host.id
LEFT JOIN (
    SELECT url.host_id AS host_id, count(*) FILTER (WHERE status = 200 AND error IS NULL) AS pages,
           sum(body_bytes) FILTER (WHERE status = 200 AND error IS NULL) AS bytes,
           CAST(round(avg(elapsed_ms)) AS INTEGER) AS elapsed_ms
    FROM last_fetch JOIN url ON url.id = last_fetch.url_id
    GROUP BY url.host_id
) AS answered ON answered.host_id = host.id
ORDER BY known.urls DESC, host.name;

DROP VIEW depths;
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
WHERE url.kind <> 2
GROUP BY url.depth
ORDER BY url.depth;
