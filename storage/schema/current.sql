-- The schema of a new crawl file. Generated from tables/ and views/; do not edit. To renew it:
--   python -m penstock.storage.database.schema_texts > storage/schema/current.sql
PRAGMA application_id = 1346719315;
PRAGMA user_version = 11;

CREATE TABLE crawl (             -- one row: the identity of this crawl
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    identity    TEXT NOT NULL,   -- JSON: seeds, scope, include, exclude, URL rules; never changes
    depth       INTEGER,         -- limit of the last run, in link hops; NULL: no limit
    robots      INTEGER NOT NULL, -- 1: the last run obeyed robots.txt
    generation  INTEGER NOT NULL, -- the current pass over the site, from 1
    created_at  TEXT NOT NULL,   -- ISO 8601, UTC
    suspect     TEXT,            -- URL that was being parsed when the last run crashed
    strikes     INTEGER NOT NULL DEFAULT 0 -- runs in a row that crashed on it with no other result
);

CREATE TABLE host (              -- every host, and the state of its throttle
    id          INTEGER PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE, -- host and non-default port, as in a URL
    ready_at    REAL,            -- unix seconds of the earliest next request; NULL: now
    failures    INTEGER NOT NULL DEFAULT 0, -- requests in a row without an answer
    rests       INTEGER NOT NULL DEFAULT 0, -- breaker openings since the last answer
    connections INTEGER NOT NULL DEFAULT 0, -- concurrency limit; 0: not known
    rate        REAL             -- requests per second; NULL: no limit found
);

CREATE TABLE url (               -- every URL ever discovered, with its place in the frontier
    id          INTEGER PRIMARY KEY,
    host_id     INTEGER NOT NULL REFERENCES host (id),
    secure      INTEGER NOT NULL, -- 1: https, 0: http
    path        TEXT NOT NULL,   -- path and query of the canonical URL
    kind        INTEGER NOT NULL DEFAULT 0, -- 0: a page or file; 1: a sitemap; 2: a resource
    depth       INTEGER NOT NULL, -- least link hops from a seed (over nofollow links only if there is no
                                 -- other way). 1 << 30: only a sitemap leads here. Of a sitemap: its nesting
    hops        INTEGER NOT NULL, -- least number of redirects in a row that lead here
    followed    INTEGER NOT NULL, -- 1: a seed, or at least one way here may be followed
    listed      INTEGER NOT NULL DEFAULT 0, -- 1: a sitemap names it
    run         INTEGER NOT NULL DEFAULT 0, -- least number of link hops in a row along URLs of one shape
    seed        INTEGER NOT NULL, -- 1: given by the operator
    state       INTEGER NOT NULL, -- 0 pending, 1 waiting for a retry, 2 done, 3 failed, 4 skipped
    reason      TEXT,            -- why it failed, was skipped, or waits for another attempt
    attempts    INTEGER NOT NULL DEFAULT 0, -- requests with a result
    forgiven    INTEGER NOT NULL DEFAULT 0, -- of these, made before the last --retry-failed
    retry_at    REAL             -- unix seconds; only while it waits; infinite: a deferred URL
);
-- The frontier. The order of this index is breadth-first within a host.
CREATE INDEX url_pending ON url (host_id, depth, id) WHERE state = 0;
CREATE INDEX url_waiting ON url (retry_at) WHERE state = 1;
-- Deferred URLs in the order in which they are fetched: the nearest to the seeds first.
CREATE INDEX url_late ON url (depth, id) WHERE state = 1 AND retry_at = 9e999;
CREATE INDEX url_resource ON url (state) WHERE kind = 2;
CREATE INDEX url_sitemap ON url (state) WHERE kind = 1;

CREATE TABLE phrase (            -- anchor texts, rel values and content types, each once
    id          INTEGER PRIMARY KEY,
    text        TEXT NOT NULL
);

CREATE TABLE fetch (             -- the last answer of each URL in each generation
    url_id      INTEGER NOT NULL REFERENCES url (id),
    generation  INTEGER NOT NULL,
    status      INTEGER,         -- HTTP status; NULL: no answer arrived
    error       TEXT,            -- the reason of a failure; NULL: the answer was taken as asked
    type_id     INTEGER REFERENCES phrase (id), -- MIME type without parameters
    title       TEXT,            -- NULL: no title element
    language    TEXT,            -- html[lang]
    body_bytes  INTEGER,         -- after content-coding; Content-Length if not downloaded
    content_hash BLOB,           -- SHA-256 of the body after content-coding
    elapsed_ms  INTEGER,         -- from the request to the last byte that was read
    fetched_at  INTEGER,         -- unix milliseconds
    redirect_id INTEGER REFERENCES url (id), -- target of a redirect, if it has a row; else redirect_text
    redirect_text TEXT,          -- target of a redirect, if it has no row
    canonical   TEXT,            -- link[rel=canonical], resolved
    robots      TEXT,            -- directives of X-Robots-Tag and meta robots
    other_links INTEGER NOT NULL DEFAULT 0, -- mentions of other schemes or of no valid URL
    long_links  INTEGER NOT NULL DEFAULT 0, -- mentions over the length limit (trap:length)
    etag        TEXT,            -- as sent
    last_modified TEXT,          -- as sent
    dropped_links INTEGER NOT NULL DEFAULT 0, -- mentions of links that were not read
    sets_cookie INTEGER NOT NULL DEFAULT 0, -- 1: a redirect or a failure that set a cookie
    PRIMARY KEY (url_id, generation)
) WITHOUT ROWID;
-- Which URLs redirect to a URL.
CREATE INDEX fetch_redirect ON fetch (redirect_id) WHERE redirect_id IS NOT NULL;
CREATE INDEX fetch_cookie ON fetch (url_id) WHERE sets_cookie = 1 AND redirect_id IS NOT NULL;

CREATE TABLE link (              -- one row per distinct (source, target) of stored pages
    source      INTEGER NOT NULL REFERENCES url (id),
    target      INTEGER NOT NULL REFERENCES url (id),
    text_id     INTEGER REFERENCES phrase (id), -- first non-empty text; NULL: there is none
    rel_id      INTEGER REFERENCES phrase (id), -- union of the rel values; NULL: there is none
    followed    INTEGER NOT NULL, -- 1: at least one mention may be followed
    PRIMARY KEY (source, target)
) WITHOUT ROWID;
CREATE INDEX link_target ON link (target);

CREATE TABLE sitemap (           -- the last answer of each sitemap
    url_id      INTEGER PRIMARY KEY REFERENCES url (id),
    status      INTEGER,         -- HTTP status; NULL: no answer arrived
    format      TEXT,            -- urlset, index, rss, atom or text; NULL: none of these
    entries     INTEGER NOT NULL, -- locations read
    refused     INTEGER NOT NULL, -- locations that are no http(s) URL, or too long
    error       TEXT,            -- why there is no answer, or why reading ended early
    fetched_at  INTEGER          -- unix milliseconds
);

CREATE TABLE scope_extension (   -- hosts in scope because a seed redirects there
    url         TEXT PRIMARY KEY -- the redirect's target
) WITHOUT ROWID;

CREATE TABLE body (              -- saved bodies (--save-bodies)
    url_id      INTEGER NOT NULL REFERENCES url (id),
    generation  INTEGER NOT NULL,
    body        BLOB NOT NULL,   -- zlib; after content-coding
    headers     BLOB NOT NULL,   -- zlib; JSON array of [name, value]
    PRIMARY KEY (url_id, generation)
);

CREATE TABLE robots (            -- robots.txt of every origin that was requested
    origin      TEXT PRIMARY KEY, -- scheme://host
    status      INTEGER,         -- HTTP status after redirects; NULL: no answer arrived
    body        BLOB NOT NULL,   -- at most 500 KiB
    error       TEXT,            -- why there is no answer
    fetched_at  REAL NOT NULL,   -- unix seconds
    attempt     INTEGER NOT NULL DEFAULT 1, -- number of this request in a row of retries
    url         TEXT,            -- where the redirects of this robots.txt ended; NULL: it did not redirect
    sitemaps    INTEGER NOT NULL DEFAULT 0, -- sitemaps that it names
    refused_sitemaps INTEGER NOT NULL DEFAULT 0, -- Sitemap lines that name no http(s) URL, one that is too
                                 -- long, or one too many
    is_cut      INTEGER NOT NULL DEFAULT 0 -- 1: it is longer than 500 KiB, and the rest was not read
) WITHOUT ROWID;

CREATE TABLE runs (              -- one row per invocation
    id          INTEGER PRIMARY KEY, -- counts from 1
    started_at  TEXT NOT NULL,   -- ISO 8601, UTC
    finished_at TEXT,            -- ISO 8601, UTC; NULL: it is running, or was killed
    stop_reason TEXT,            -- finished, max_pages, max_time, max_bytes, sigint, sigterm, error
    config      TEXT NOT NULL,   -- JSON: the options, without secrets
    requests    INTEGER NOT NULL DEFAULT 0, -- answers and failures; not robots.txt, sitemaps and resources
    pages       INTEGER NOT NULL DEFAULT 0, -- of these, with status 200 and without error
    bytes       INTEGER NOT NULL DEFAULT 0, -- of downloaded bodies, after content-coding
    retries     INTEGER NOT NULL DEFAULT 0, -- requests that repeat an earlier one
    robots_requests INTEGER NOT NULL DEFAULT 0, -- for robots.txt
    sitemap_requests INTEGER NOT NULL DEFAULT 0, -- for sitemaps
    max_rss_bytes INTEGER,       -- peak memory of the process
    resource_requests INTEGER NOT NULL DEFAULT 0 -- for resources
);

CREATE TABLE session_page (      -- stored pages whose URL may carry a session id
    url_id      INTEGER PRIMARY KEY REFERENCES url (id),
    fingerprint BLOB NOT NULL    -- SHA-256 of the body without session ids
);

CREATE TABLE analysis (          -- results of `analyse`; it replaces all rows together
    url_id      INTEGER PRIMARY KEY REFERENCES url (id),
    rank        REAL NOT NULL,   -- PageRank; the sum of all is 1
    words       INTEGER,         -- in the visible text; NULL: the body was not saved, or is no HTML
    simhash     INTEGER,         -- 64 bits of that text; NULL: as for words, or too few words to compare
    alike       INTEGER,         -- url_id of the first page of its group of similar texts
    distance    INTEGER          -- bits in which its simhash differs from that of this page
);

CREATE TABLE analysed (          -- one row: the last `analyse`
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    at          TEXT NOT NULL,   -- ISO 8601, UTC
    urls        INTEGER NOT NULL, -- URLs that were ranked
    links       INTEGER NOT NULL, -- links and redirects between them
    rounds      INTEGER NOT NULL, -- of the power iteration
    change      REAL NOT NULL,   -- of the ranks in the last round, summed
    texts       INTEGER NOT NULL -- saved bodies that were read
);

CREATE TABLE extraction (        -- values that rules and plugins took from pages
    url_id      INTEGER NOT NULL REFERENCES url (id),
    generation  INTEGER NOT NULL,
    name_id     INTEGER NOT NULL REFERENCES phrase (id),
    position    INTEGER NOT NULL, -- among the values of that name on that page, from 0
    value       NOT NULL,        -- text, integer or real, as the rule's type says; a boolean is 1 or 0
    PRIMARY KEY (url_id, generation, name_id, position)
) WITHOUT ROWID;

CREATE TABLE structured_item (   -- JSON-LD, OpenGraph, Twitter cards, microdata
    url_id      INTEGER NOT NULL REFERENCES url (id),
    generation  INTEGER NOT NULL,
    kind_id     INTEGER NOT NULL REFERENCES phrase (id),
    position    INTEGER NOT NULL, -- among the items of that kind on that page, from 0
    data        TEXT,            -- JSON; NULL: it could not be read
    error       TEXT,            -- why it could not be read: bad_json, too_large, too_deep, too_many
    PRIMARY KEY (url_id, generation, kind_id, position)
) WITHOUT ROWID;

CREATE TABLE mishap (            -- errors of rules and plugins on a page
    url_id      INTEGER NOT NULL REFERENCES url (id),
    generation  INTEGER NOT NULL,
    position    INTEGER NOT NULL, -- on that page, from 0
    source_id   INTEGER NOT NULL REFERENCES phrase (id), -- the rule's name, or the plugin's
    error       TEXT NOT NULL,   -- one line
    PRIMARY KEY (url_id, generation, position)
) WITHOUT ROWID;

CREATE TABLE reparsing (         -- one row while a reparse is running or was interrupted
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    plan        TEXT NOT NULL,   -- JSON: what to extract; another plan starts from the beginning
    after_url   INTEGER NOT NULL, -- url_id of the last body that is done
    after_generation INTEGER NOT NULL -- generation of that body
);

CREATE TABLE sample (            -- one second of a run
    at          INTEGER PRIMARY KEY, -- unix seconds
    run_id      INTEGER NOT NULL REFERENCES runs (id),
    requests    INTEGER NOT NULL, -- of the run so far; also pages, bytes and failed
    pages       INTEGER NOT NULL,
    bytes       INTEGER NOT NULL,
    failed      INTEGER NOT NULL,
    pending     INTEGER NOT NULL, -- of the whole crawl; also skipped
    skipped     INTEGER NOT NULL,
    in_flight   INTEGER NOT NULL,
    hosts       INTEGER NOT NULL, -- in memory
    hosts_held_back INTEGER NOT NULL,
    lag_ms      REAL NOT NULL,
    loop_busy   REAL NOT NULL
);

CREATE TABLE stage_sample (      -- one second of a stage
    at          INTEGER NOT NULL REFERENCES sample (at),
    position    INTEGER NOT NULL, -- in the flow, from 0
    stage       TEXT NOT NULL,
    waiting     REAL NOT NULL,
    bound       INTEGER NOT NULL,
    busy        REAL NOT NULL,
    workers     INTEGER NOT NULL,
    handled     INTEGER NOT NULL,
    wait_ms     REAL NOT NULL,
    service_ms  REAL NOT NULL,
    PRIMARY KEY (at, position)
) WITHOUT ROWID;

CREATE TABLE live (              -- one row: the last state of the live view
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    run_id      INTEGER NOT NULL REFERENCES runs (id),
    at          REAL NOT NULL,   -- unix seconds
    snapshot    TEXT NOT NULL    -- JSON: penstock.crawler.snapshot.Snapshot
);

CREATE TABLE resource (          -- the last answer of each resource
    url_id      INTEGER PRIMARY KEY REFERENCES url (id),
    status      INTEGER,         -- HTTP status; NULL: no answer arrived
    type_id     INTEGER REFERENCES phrase (id), -- MIME type without parameters
    bytes       INTEGER,         -- Content-Length
    checked_at  INTEGER,         -- unix milliseconds; NULL: no answer arrived
    redirect_id INTEGER REFERENCES url (id), -- target of a redirect, if it has a row; else redirect_text
    redirect_text TEXT           -- target of a redirect, if it has no row
);
CREATE INDEX resource_redirect ON resource (redirect_id) WHERE redirect_id IS NOT NULL;

CREATE TABLE resource_use (      -- which stored page loads which resource, and as what
    page_id     INTEGER NOT NULL REFERENCES url (id),
    url_id      INTEGER NOT NULL REFERENCES url (id),
    use_id      INTEGER NOT NULL REFERENCES phrase (id), -- image, script, style, media, icon or font
    PRIMARY KEY (page_id, url_id, use_id)
) WITHOUT ROWID;
CREATE INDEX resource_used ON resource_use (url_id);

CREATE TABLE url_digest (        -- a host's URLs by the digest of url.path; several paths may share one
    host_id     INTEGER NOT NULL REFERENCES host (id),
    digest      INTEGER NOT NULL,
    url_id      INTEGER NOT NULL REFERENCES url (id),
    PRIMARY KEY (host_id, digest, url_id)
) WITHOUT ROWID;

CREATE TABLE phrase_digest (     -- phrases by the digest of their text; several may share one. Empty while a
                                 -- crawl holds all phrases in memory and looks up none
    digest      INTEGER NOT NULL,
    phrase_id   INTEGER NOT NULL REFERENCES phrase (id),
    PRIMARY KEY (digest, phrase_id)
) WITHOUT ROWID;

CREATE TABLE refresh (           -- pages that send their visitors on at once (meta refresh or Refresh header)
    url_id      INTEGER PRIMARY KEY REFERENCES url (id),
    target_id   INTEGER NOT NULL REFERENCES url (id)
);
CREATE INDEX refresh_target ON refresh (target_id);

CREATE TABLE seed_move (         -- URLs to which seeds have moved by refreshes: they are at depth 0
    url_id      INTEGER PRIMARY KEY REFERENCES url (id),
    moves       INTEGER NOT NULL -- least number of refreshes in a row; 0: redirects alone lead here too
);

CREATE TABLE external_link (     -- URLs out of scope that are checked (--check-external)
    target_id   INTEGER PRIMARY KEY REFERENCES url (id), -- as links name it
    url_id      INTEGER NOT NULL REFERENCES url (id) -- as it is requested: a row of kind 2
);
CREATE INDEX external_link_url ON external_link (url_id);

CREATE TABLE robots_sitemap (    -- which robots.txt names which sitemap
    origin      TEXT NOT NULL,   -- scheme://host
    url_id      INTEGER NOT NULL REFERENCES url (id),
    PRIMARY KEY (url_id, origin)
) WITHOUT ROWID;

CREATE TABLE sitemap_child (     -- which sitemap leads to which
    parent_id   INTEGER NOT NULL REFERENCES url (id),
    url_id      INTEGER NOT NULL REFERENCES url (id),
    redirect    INTEGER NOT NULL, -- 1: by a redirect; 0: the parent is an index
    PRIMARY KEY (parent_id, url_id)
) WITHOUT ROWID;
CREATE INDEX sitemap_child_url ON sitemap_child (url_id);

CREATE TABLE handshake (         -- URLs behind a cookie gate, each tried once with a private jar
    url_id      INTEGER PRIMARY KEY REFERENCES url (id),
    start       TEXT NOT NULL,   -- the URL at which the exchange begins
    gate_id     INTEGER REFERENCES url (id), -- where the URL redirects without cookies; NULL: it denied
                                 -- access
    reason      TEXT,            -- why it failed without cookies; NULL: it redirected
    outcome     TEXT,            -- stored, or why the exchange did not end at the URL; NULL: not tried yet
    ended_at    TEXT             -- the URL at which the exchange ended
);
CREATE INDEX handshake_gate ON handshake (gate_id) WHERE gate_id IS NOT NULL;

CREATE TABLE extraction_source ( -- rules and plugins, counted in the transaction of each page
    source_id   INTEGER NOT NULL REFERENCES phrase (id),
    generation  INTEGER NOT NULL,
    pages       INTEGER NOT NULL, -- to which it was applied
    taken       INTEGER NOT NULL, -- pages: a rule found a value, a plugin ended without an error
    failed      INTEGER NOT NULL, -- pages on which it has an error
    PRIMARY KEY (source_id, generation)
) WITHOUT ROWID;

CREATE TABLE extraction_name (   -- names of the values that a plugin has returned; a rule's have its own name
    source_id   INTEGER NOT NULL REFERENCES phrase (id),
    name_id     INTEGER NOT NULL REFERENCES phrase (id),
    PRIMARY KEY (source_id, name_id)
) WITHOUT ROWID;

CREATE TABLE body_head (         -- what belongs to a saved body besides its headers
    url_id      INTEGER NOT NULL REFERENCES url (id),
    generation  INTEGER NOT NULL,
    status_line TEXT,            -- with version and reason, as sent
    request     BLOB NOT NULL,   -- zlib; headers of the request without credentials, a JSON array of [name,
                                 -- value]
    PRIMARY KEY (url_id, generation)
) WITHOUT ROWID;

CREATE TABLE robots_exchange (   -- each answer on the way to a robots.txt (--save-bodies)
    origin      TEXT NOT NULL,   -- scheme://host
    position    INTEGER NOT NULL, -- 0: the first; each redirect counts
    url         TEXT NOT NULL,   -- that was requested
    status      INTEGER NOT NULL, -- HTTP status
    fetched_at  INTEGER NOT NULL, -- unix milliseconds
    body        BLOB NOT NULL,   -- zlib; after content-coding
    headers     BLOB NOT NULL,   -- zlib; JSON array of [name, value]
    status_line TEXT,            -- with version and reason, as sent
    request     BLOB,            -- zlib; headers of the request without credentials
    PRIMARY KEY (origin, position)
);

CREATE VIEW broken_link_target AS -- broken URLs that pages link to: in scope, or checked with --check-external
SELECT
    broken_url.id AS id,
    (SELECT last_fetch.status FROM last_fetch WHERE last_fetch.url_id = broken_url.id) AS status,
    broken_url.reason AS reason
FROM broken_url
WHERE broken_url.kind = 0
UNION ALL
SELECT
    external_link.target_id,
    (SELECT resource.status FROM resource WHERE resource.url_id = dead.at),
    dead.reason
FROM dead_resource AS dead
JOIN external_link ON external_link.url_id = dead.id
JOIN url ON url.id = external_link.target_id AND url.state = 4 AND url.reason = 'scope';

CREATE VIEW broken_links AS      -- links (and what --check-external and --resources check) that do not answer, and their pages
SELECT
    source.url AS source,        -- the page to repair
    target.url AS target,        -- the URL that does not answer
    broken.status AS status,     -- HTTP status; NULL: no answer arrived
    broken.reason AS reason,     -- why it failed
    coalesce((SELECT phrase.text FROM phrase WHERE phrase.id = link.text_id), '') AS text -- of the link; of a resource, its kind
FROM broken_link_target AS broken
CROSS JOIN link ON link.target = broken.id -- CROSS: from the few broken URLs to their links, not through all links
JOIN url_text AS source ON source.id = link.source
JOIN url_text AS target ON target.id = link.target
UNION ALL
SELECT page, resource, status, reason, kind FROM broken_resources
ORDER BY target, source;

CREATE VIEW broken_resources AS  -- what pages load (images, scripts, stylesheets ...) and does not answer (with --resources)
SELECT
    page.url AS page,            -- the page to repair
    used.url AS resource,        -- the URL that does not answer
    phrase.text AS kind,         -- image, script, style, media, icon, font, object or manifest
    (SELECT resource.status FROM resource WHERE resource.url_id = dead.at) AS status, -- HTTP status; NULL: no answer arrived
    dead.reason AS reason,       -- why it failed
    CASE WHEN dead.at <> dead.id THEN
        (SELECT last.url FROM url_text AS last WHERE last.id = dead.at)
    END AS redirects_to          -- where its redirects end; NULL: it is no redirect
FROM dead_resource AS dead
JOIN url_text AS used ON used.id = dead.id
JOIN resource_use ON resource_use.url_id = dead.id
JOIN phrase ON phrase.id = resource_use.use_id
JOIN url_text AS page ON page.id = resource_use.page_id
ORDER BY used.url, page.url, phrase.text;

CREATE VIEW broken_targets AS    -- URLs that do not answer, the most linked first, with some of the pages that link there
SELECT
    target.url AS target,        -- the URL that does not answer
    broken.status AS status,     -- HTTP status; NULL: no answer arrived
    broken.reason AS reason,     -- why it failed
    (SELECT count(*) FROM link WHERE link.target = broken.id) AS pages, -- that link there
    (
        SELECT source.url FROM link JOIN url ON url.id = link.source JOIN url_text AS source ON source.id = url.id
        WHERE link.target = broken.id ORDER BY url.depth, source.url LIMIT 1
    ) AS source,                 -- the one of these pages that is nearest to a seed
    (
        SELECT group_concat(further.url, ' ') FROM (
            SELECT source.url FROM link JOIN url ON url.id = link.source JOIN url_text AS source ON source.id = url.id
            WHERE link.target = broken.id ORDER BY url.depth, source.url LIMIT 2 OFFSET 1
        ) AS further
    ) AS more_sources            -- the next two, separated by a blank; inlinks TARGET shows all
FROM broken_link_target AS broken
JOIN url_text AS target ON target.id = broken.id
WHERE EXISTS (SELECT 1 FROM link WHERE link.target = broken.id)
ORDER BY pages DESC, target.url;

CREATE VIEW broken_url AS        -- URLs whose failure shows that the page or resource is gone or broken
SELECT
    id,
    kind,
    reason
FROM (
    SELECT
        url.id AS id,
        url.kind AS kind,
        -- A resource whose host could not be asked for its robots.txt failed for that. A host that answered
        -- with a 5xx, or began to answer, is there.
        CASE WHEN url.kind = 2 AND url.reason = 'robots_unreachable' THEN
            (SELECT robots.error FROM host
             JOIN robots ON robots.origin = iif(url.secure, 'https://', 'http://') || host.name
             WHERE host.id = url.host_id AND robots.status IS NULL AND robots.error <> 'truncated')
        ELSE url.reason END AS reason
    FROM url
    WHERE url.state = 3
)
-- A refusal (403, 429, robots.txt, a Retry-After that is too long) does not show that, nor does a limit
-- or a bug of this crawler, or its proxy. What follows a colon is the cause in detail.
WHERE (reason GLOB 'http_[45]*' AND reason NOT IN ('http_403', 'http_429'))
   OR reason GLOB 'timeout*'
   OR substr(reason, 1, instr(reason || ':', ':') - 1)
      IN ('dns', 'connect', 'refused', 'reset', 'tls', 'truncated', 'bad_http', 'bad_url', 'network');

CREATE VIEW canonical_conflicts AS -- pages whose canonical URL failed, redirects, or names another canonical URL
SELECT
    named.url AS url,            -- of the page
    named.canonical AS canonical, -- what its link[rel=canonical] names
    named.problem AS problem,    -- failed, skipped, pending: the state of the canonical URL. redirects. names_another:
                                 -- it names another canonical URL itself. unknown: no page links there. elsewhere:
                                 -- the same, on another host
    named.reason AS reason,      -- why the canonical URL failed or was skipped
    named.leads_to AS leads_to   -- where the canonical URL redirects to, or what it names
FROM (
    SELECT
        url_text.url AS url,
        page.canonical AS canonical,
        CASE
            WHEN target.id IS NULL AND page.host = (SELECT host.name FROM url JOIN host ON host.id = url.host_id
                                                    WHERE url.id = page.url_id) THEN 'unknown'
            WHEN target.id IS NULL THEN 'elsewhere'
            WHEN target.state = 3 THEN 'failed'
            WHEN target.state = 4 THEN 'skipped'
            WHEN target.state <> 2 THEN 'pending'
            WHEN answer.redirect_id IS NOT NULL OR answer.redirect_text IS NOT NULL THEN 'redirects'
            WHEN answer.canonical <> page.canonical THEN 'names_another'
        END AS problem,
        target.reason AS reason,
        coalesce((SELECT further.url FROM url_text AS further WHERE further.id = answer.redirect_id),
                 answer.redirect_text, nullif(answer.canonical, page.canonical)) AS leads_to
    FROM (
        -- The URL is split, so that an index on its parts finds the row.
        SELECT url_id, canonical, secure, substr(rest, 1, instr(rest, '/') - 1) AS host,
               substr(rest, instr(rest, '/')) AS path
        FROM (
            SELECT url_id, canonical, canonical LIKE 'https://%' AS secure,
                   substr(canonical, instr(canonical, '://') + 3) AS rest
            FROM html_page WHERE canonical IS NOT NULL
        )
    ) AS page
    JOIN url_text ON url_text.id = page.url_id
    LEFT JOIN host ON host.name = page.host
    LEFT JOIN url AS target
        ON target.host_id = host.id AND target.path = page.path AND target.secure = page.secure AND target.kind = 0
    LEFT JOIN last_fetch AS answer ON answer.url_id = target.id
    WHERE page.canonical <> url_text.url
) AS named
WHERE named.problem IS NOT NULL
ORDER BY named.problem, named.url;

CREATE VIEW content_types AS     -- counts, bytes and answer time of every content type
SELECT
    (SELECT phrase.text FROM phrase WHERE phrase.id = last_fetch.type_id) AS content_type, -- without parameters; NULL: the answer named none
    count(*) AS urls,            -- requested URLs
    count(*) FILTER (WHERE status = 200 AND error IS NULL) AS pages, -- status 200 without error
    sum(body_bytes) FILTER (WHERE status = 200 AND error IS NULL) AS bytes, -- body_bytes of these pages
    CAST(round(avg(elapsed_ms)) AS INTEGER) AS avg_elapsed_ms -- over all answers
FROM last_fetch
GROUP BY type_id
ORDER BY urls DESC, content_type;

CREATE VIEW cut_links AS         -- pages with more links than one page may have, and how many were left out
SELECT
    page.url AS url,             -- of the page
    (SELECT count(*) FROM link WHERE link.source = last_fetch.url_id) AS links, -- distinct links that are stored
    last_fetch.dropped_links AS dropped -- further mentions of links, which were not read
FROM last_fetch JOIN url_text AS page ON page.id = last_fetch.url_id
WHERE last_fetch.dropped_links > 0
ORDER BY last_fetch.dropped_links DESC, page.url;

CREATE VIEW dead_resource AS     -- resources and checked links that do not answer, or whose redirects lead to such
WITH RECURSIVE walk (id, at) AS (  -- every resource behind the redirects of id
    SELECT url_id, redirect_id FROM resource WHERE redirect_id IS NOT NULL
    UNION
    SELECT walk.id, hop.redirect_id FROM walk
    JOIN resource AS hop ON hop.url_id = walk.at AND hop.redirect_id IS NOT NULL
),
dead (id, at, reason) AS (       -- at: where the redirects of id end
    SELECT id, id, reason FROM broken_url WHERE kind = 2
    UNION
    -- A host that was given up never answered.
    SELECT url.id, url.id, url.reason FROM url
    WHERE url.kind = 2 AND url.state = 3 AND url.reason IN ('host_unreachable', 'redirect_invalid')
    UNION
    SELECT url.id, url.id, url.reason FROM url WHERE url.kind = 2 AND url.state = 4 AND url.reason = 'redirect_limit'
    UNION
    SELECT id, id, 'redirect_loop' FROM walk WHERE id = at
    UNION
    SELECT hop.url_id, dead.at, dead.reason FROM dead JOIN resource AS hop ON hop.redirect_id = dead.id
)
SELECT
    id,
    min(at) AS at,               -- of a loop: one of its members
    reason
FROM dead GROUP BY id;

CREATE VIEW deep_pages AS        -- stored pages far deeper than most of this crawl, the deepest first
WITH
depths (depth) AS (
    SELECT url.depth FROM last_fetch JOIN url ON url.id = last_fetch.url_id
    WHERE last_fetch.status = 200 AND last_fetch.error IS NULL AND url.depth < 1 << 30
),
most (median, p95) AS (
    SELECT (SELECT depth FROM depths ORDER BY depth LIMIT 1 OFFSET (SELECT count(*) / 2 FROM depths)),
           (SELECT depth FROM depths ORDER BY depth LIMIT 1 OFFSET (SELECT count(*) * 95 / 100 FROM depths))
)
SELECT
    pages.url AS url,            -- of the page
    pages.depth AS depth,        -- link hops from the nearest seed
    pages.title AS title,        -- of the page
    pages.content_type AS content_type -- without parameters
FROM most CROSS JOIN pages
-- At least three links, and of the deepest 5 % or three times the median: on a small site 5 % is one page.
WHERE pages.status = 200 AND pages.error IS NULL AND pages.depth >= 3 AND pages.depth > most.median
  AND (pages.depth >= most.p95 OR pages.depth >= 3 * most.median)
ORDER BY pages.depth DESC, pages.url;

CREATE VIEW depths AS            -- counts at each distance from the seeds
SELECT
    nullif(url.depth, 1 << 30) AS depth, -- link hops from the nearest seed; NULL: only a sitemap leads there
    count(*) AS urls,            -- discovered URLs: the sum of the next four columns
    count(*) FILTER (WHERE url.state IN (0, 1)) AS pending, -- URLs in this state
    count(*) FILTER (WHERE url.state = 2) AS done, -- URLs in this state
    count(*) FILTER (WHERE url.state = 3) AS failed, -- URLs in this state
    count(*) FILTER (WHERE url.state = 4) AS skipped, -- URLs in this state
    count(*) FILTER (WHERE (
        SELECT last_fetch.status = 200 AND last_fetch.error IS NULL
        FROM last_fetch WHERE last_fetch.url_id = url.id
    )) AS pages                  -- status 200 without error
FROM url
WHERE url.kind <> 2
GROUP BY url.depth
ORDER BY url.depth;

CREATE VIEW duplicate_titles AS  -- HTML pages with the same title
SELECT
    page.title AS title,         -- the same for all pages of a group
    grouped.copies AS copies,    -- pages in the group
    url_text.url AS url,         -- of the page
    page.depth AS depth,         -- link hops from the nearest seed
    page.canonical AS canonical  -- if it names another page, the copy is a declared one
FROM (
    SELECT title, count(*) AS copies FROM html_page
    WHERE title <> ''
    GROUP BY title HAVING count(*) > 1
) AS grouped
JOIN html_page AS page ON page.title = grouped.title
JOIN url_text ON url_text.id = page.url_id
ORDER BY grouped.copies DESC, page.title, url_text.url;

CREATE VIEW duplicates AS        -- pages with the same body, byte for byte
SELECT
    lower(hex(page.content_hash)) AS content_hash, -- the same for all pages of a group
    grouped.copies AS copies,    -- pages in the group
    url_text.url AS url,         -- of the page
    page.title AS title,         -- of the page
    page.body_bytes AS body_bytes, -- after content-coding
    page.canonical AS canonical  -- if it names another page, the copy is a declared one
FROM (
    SELECT content_hash, count(*) AS copies FROM last_fetch
    WHERE status = 200 AND error IS NULL AND content_hash IS NOT NULL
    GROUP BY content_hash HAVING count(*) > 1
) AS grouped
JOIN last_fetch AS page ON page.content_hash = grouped.content_hash AND page.status = 200 AND page.error IS NULL
JOIN url_text ON url_text.id = page.url_id
ORDER BY grouped.copies DESC, page.content_hash, url_text.url;

CREATE VIEW external_links AS    -- URLs out of scope that pages link to, with their answers (--check-external)
SELECT
    target.url AS url,           -- canonical
    CASE check_row.state WHEN 2 THEN 'done' WHEN 3 THEN 'failed' WHEN 4 THEN 'skipped' ELSE 'pending' END AS state, -- pending, done, failed or skipped
    resource.status AS status,   -- HTTP status; NULL: no answer arrived
    CASE WHEN check_row.state IN (3, 4) THEN check_row.reason END AS error, -- why it failed or was skipped (robots, ...)
    coalesce(
        (SELECT url_text.url FROM url_text WHERE url_text.id = resource.redirect_id), resource.redirect_text
    ) AS redirect_to,            -- target of a redirect, which is checked too
    strftime('%Y-%m-%dT%H:%M:%fZ', resource.checked_at / 1000.0, 'unixepoch') AS checked_at, -- ISO 8601, UTC
    (SELECT count(*) FROM link WHERE link.target = external_link.target_id) AS pages -- that link there
FROM external_link
JOIN url AS named ON named.id = external_link.target_id AND named.state = 4 AND named.reason = 'scope'
JOIN url AS check_row ON check_row.id = external_link.url_id
JOIN url_text AS target ON target.id = check_row.id
LEFT JOIN resource ON resource.url_id = check_row.id;

CREATE VIEW extracted AS         -- a value that a rule or a plugin took from a page, at every fetch of the page
SELECT
    found.url AS url,            -- of the page
    (SELECT phrase.text FROM phrase WHERE phrase.id = found.name_id) AS name, -- of the value
    found.position AS position,  -- among the values of that name on that page, from 0
    found.value AS value,        -- text, integer or real
    (SELECT strftime('%Y-%m-%dT%H:%M:%fZ', fetch.fetched_at / 1000.0, 'unixepoch') FROM fetch
     WHERE fetch.url_id = found.url_id AND fetch.generation = found.generation) AS fetched_at, -- ISO 8601, UTC
    found.generation AS generation -- the pass over the site, from 1
FROM (
    SELECT extraction.*, url_text.url AS url
    FROM extraction JOIN url_text ON url_text.id = extraction.url_id
    UNION ALL SELECT NULL, NULL, NULL, NULL, NULL, NULL WHERE 0
) AS found;

CREATE VIEW extraction_failures AS -- errors of rules and plugins, and the pages on which they happened
SELECT
    url_text.url AS url,         -- of the page
    phrase.text AS source,       -- name of the rule or plugin
    mishap.error AS error        -- one line
FROM mishap
JOIN url_text ON url_text.id = mishap.url_id
JOIN phrase ON phrase.id = mishap.source_id
WHERE mishap.generation = (SELECT max(newer.generation) FROM fetch AS newer WHERE newer.url_id = mishap.url_id)
ORDER BY phrase.text, url_text.url, mishap.position;

CREATE VIEW extraction_sources AS -- rules and plugins: on how many pages they succeeded, failed, found nothing
SELECT
    phrase.text AS source,       -- name of the rule or plugin
    counted.pages AS pages,      -- pages to which it was applied
    counted.taken AS taken,      -- pages on which a rule found a value, or a plugin ended without an error
    counted.failed AS failed     -- pages on which it has an error
FROM extraction_source AS counted JOIN phrase ON phrase.id = counted.source_id
WHERE counted.generation = (SELECT max(generation) FROM extraction_source)
ORDER BY counted.taken > 0, counted.failed DESC, phrase.text;

CREATE VIEW failed AS            -- URLs that were given up, and why
SELECT
    url,                         -- canonical
    reason,                      -- of the last attempt
    (SELECT last_fetch.status FROM last_fetch WHERE last_fetch.url_id = known_url.id) AS status, -- HTTP status; NULL: no answer arrived
    attempts,                    -- requests with a result
    depth,                       -- link hops from the nearest seed
    discovered_from              -- URL of the nearest page that leads here
FROM known_url
WHERE state = 'failed'
ORDER BY reason, url;

CREATE VIEW handshakes AS        -- URLs behind a redirect that set a cookie; each is requested once with cookies
SELECT
    url_text.url AS url,         -- canonical
    handshake.start AS start,    -- the URL at which the exchange with an empty cookie jar began
    coalesce(handshake.outcome, 'pending') AS outcome, -- stored: the answer in pages is that of the exchange; else why it is not
    handshake.ended_at AS ended_at, -- the URL at which the exchange ended
    (SELECT gate.url FROM url_text AS gate WHERE gate.id = handshake.gate_id) AS redirect_to, -- where the URL redirects without cookies; NULL: it denies access
    handshake.reason AS reason   -- why it failed without cookies; NULL: it redirects
FROM handshake
JOIN url_text ON url_text.id = handshake.url_id;

CREATE VIEW hosts AS             -- counts, bytes and answer time of every host, the largest host first
SELECT
    host.name AS host,           -- name and non-default port
    known.urls AS urls,          -- discovered URLs: the sum of the next four columns
    known.pending AS pending,    -- URLs in this state
    known.done AS done,          -- URLs in this state
    known.failed AS failed,      -- URLs in this state
    known.skipped AS skipped,    -- URLs in this state
    coalesce(answered.pages, 0) AS pages, -- status 200 without error
    coalesce(answered.bytes, 0) AS bytes, -- body_bytes of these pages
    answered.elapsed_ms AS avg_elapsed_ms -- over all answers; NULL: no answer arrived
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

CREATE VIEW html_page AS         -- the answers that are HTML or XHTML pages of status 200
SELECT last_fetch.*, (SELECT nullif(url.depth, 1 << 30) FROM url WHERE url.id = last_fetch.url_id) AS depth
FROM last_fetch
WHERE status = 200 AND error IS NULL
  AND type_id IN (SELECT id FROM phrase WHERE text IN ('text/html', 'application/xhtml+xml'));

CREATE VIEW known_url AS         -- urls, with the numbers of their rows
SELECT
    known.id AS id,
    known.url AS url,
    known.host AS host,
    known.state AS state,
    known.reason AS reason,
    nullif(known.depth, 1 << 30) AS depth, -- NULL: only a sitemap leads here
    known.attempts AS attempts,
    -- The nearest parent; of several, the one whose URL sorts first; NULL for a seed. A parent links
    -- here from a depth one less, or redirects here from the same depth; at depth 0 by a refresh too.
    -- Nofollow links count only if nothing else leads here.
    CASE WHEN known.seed = 0 THEN (
        SELECT min(parent.url) FROM (
            SELECT source.url AS url
            -- CROSS: the index link_target holds (target, source) alone, so that the row of a link
            -- is read only for the few sources that are near enough.
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
            UNION ALL
            SELECT source.url AS url -- a redirect that the answer of a handshake replaced
            FROM handshake
            JOIN url AS same ON same.id = handshake.url_id
            JOIN url_text AS source ON source.id = same.id
            WHERE handshake.gate_id = known.id
              AND same.id <> known.id
              AND same.depth = known.depth
            UNION ALL
            SELECT source.url AS url
            FROM refresh
            JOIN url AS same ON same.id = refresh.url_id AND same.depth = 0
            JOIN url_text AS source ON source.id = same.id
            WHERE refresh.target_id = known.id AND known.depth = 0 AND same.id <> known.id
        ) AS parent
    ) END AS discovered_from,
    known.seed AS seed,
    strftime('%Y-%m-%dT%H:%M:%fZ', known.retry_at, 'unixepoch') AS retry_at
FROM (
    SELECT DISTINCT
        id, seed, followed, depth, reason, attempts, retry_at,
        -- A URL that waits for another attempt is pending.
        CASE state WHEN 2 THEN 'done' WHEN 3 THEN 'failed' WHEN 4 THEN 'skipped' ELSE 'pending' END AS state,
        (SELECT name FROM host WHERE host.id = url.host_id) AS host,
        (SELECT url_text.url FROM url_text WHERE url_text.id = url.id) AS url
    FROM url WHERE kind = 0      -- not sitemaps and resources
) AS known;

CREATE VIEW large_pages AS       -- answers far larger than most of this crawl, the largest first
WITH
sizes (is_html, bytes) AS (      -- pages and files are compared among themselves
    SELECT type_id IN (SELECT id FROM phrase WHERE text IN ('text/html', 'application/xhtml+xml')), body_bytes
    FROM last_fetch WHERE body_bytes IS NOT NULL
),
ranked (is_html, bytes, place, total) AS (
    SELECT coalesce(is_html, 0), bytes, row_number() OVER (PARTITION BY coalesce(is_html, 0) ORDER BY bytes) - 1,
           count(*) OVER (PARTITION BY coalesce(is_html, 0))
    FROM sizes
),
most (is_html, median, p95) AS (
    SELECT is_html, max(bytes) FILTER (WHERE place = total / 2), max(bytes) FILTER (WHERE place = total * 95 / 100)
    FROM ranked GROUP BY is_html
)
SELECT
    pages.url AS url,            -- of the page
    pages.body_bytes AS body_bytes, -- after content-coding; Content-Length if the body was not downloaded
    pages.status AS status,      -- HTTP status
    pages.content_type AS content_type, -- without parameters
    pages.elapsed_ms AS elapsed_ms, -- from the request to the last byte that was read
    pages.depth AS depth         -- link hops from the nearest seed
FROM pages
JOIN most ON most.is_html = coalesce(pages.content_type IN ('text/html', 'application/xhtml+xml'), 0)
-- At least 50 KiB, and of the largest 5 % or three times the median: on a small site 5 % is one page.
WHERE pages.body_bytes >= 51200 AND pages.body_bytes > most.median
  AND (pages.body_bytes >= most.p95 OR pages.body_bytes >= 3 * most.median)
ORDER BY pages.body_bytes DESC, pages.url;

CREATE VIEW last_fetch AS        -- the newest answer of each URL
SELECT * FROM fetch
WHERE generation = (SELECT max(newer.generation) FROM fetch AS newer WHERE newer.url_id = fetch.url_id);

CREATE VIEW links AS             -- one row per distinct (source, target) of stored pages
SELECT
    pair.source_url AS source,   -- the page
    pair.target_url AS target,   -- in scope or not
    coalesce(said.text, '') AS text, -- the first non-empty text of the link
    coalesce(rels.text, '') AS rel, -- union of the rel values
    pair.followed AS followed    -- 1: at least one mention may be followed
FROM (
    -- CROSS: the text of a source is put together once, not for each of its links.
    SELECT source.url AS source_url, target.url AS target_url, link.text_id, link.rel_id, link.followed
    FROM url_text AS source
    CROSS JOIN link ON link.source = source.id
    JOIN url_text AS target ON target.id = link.target
    UNION ALL SELECT NULL, NULL, NULL, NULL, NULL WHERE 0
) AS pair
LEFT JOIN phrase AS said ON said.id = pair.text_id
LEFT JOIN phrase AS rels ON rels.id = pair.rel_id;

CREATE VIEW missing_titles AS    -- HTML pages without a title, or with an empty one
SELECT
    url_text.url AS url,         -- of the page
    page.title AS title,         -- NULL: no title element; '': an empty one
    page.depth AS depth,         -- link hops from the nearest seed
    page.body_bytes AS body_bytes, -- after content-coding
    page.canonical AS canonical  -- link[rel=canonical], resolved
FROM html_page AS page
JOIN url_text ON url_text.id = page.url_id
WHERE coalesce(page.title, '') = ''
ORDER BY url_text.url;

CREATE VIEW near_duplicates AS   -- pages with nearly the same text (after analyse, of a crawl with --save-bodies)
SELECT
    first.url AS first,          -- the first page of the group
    grouped.copies AS copies,    -- pages in the group
    url_text.url AS url,         -- of the page
    one.distance AS distance,    -- bits of 64 in which its simhash differs from that of the first page
    one.words AS words,          -- in the visible text
    page.title AS title          -- of the page
FROM (
    SELECT analysis.alike AS alike, count(*) AS copies
    FROM analysis JOIN last_fetch ON last_fetch.url_id = analysis.url_id
    WHERE analysis.alike IS NOT NULL
    GROUP BY analysis.alike HAVING count(DISTINCT last_fetch.content_hash) > 1
) AS grouped
JOIN analysis AS one ON one.alike = grouped.alike
JOIN last_fetch AS page ON page.url_id = one.url_id
JOIN url_text ON url_text.id = one.url_id
JOIN url_text AS first ON first.id = grouped.alike
ORDER BY grouped.copies DESC, first.url, one.distance, url_text.url;

CREATE VIEW orphans AS           -- stored pages that no link and no redirect leads to (of a complete crawl)
SELECT
    url_text.url AS url,         -- of the page; seeds are not shown
    page.title AS title,         -- of the page
    nullif(url.depth, 1 << 30) AS depth -- link hops from the nearest seed; NULL: only a sitemap leads there
FROM last_fetch AS page
JOIN url ON url.id = page.url_id
JOIN url_text ON url_text.id = page.url_id
WHERE page.status = 200 AND page.error IS NULL
  AND url.seed = 0
  -- A page's link to itself does not count.
  AND NOT EXISTS (SELECT 1 FROM link WHERE link.target = url.id AND link.source <> url.id)
  AND NOT EXISTS (SELECT 1 FROM fetch WHERE fetch.redirect_id = url.id AND fetch.url_id <> url.id)
  AND NOT EXISTS (SELECT 1 FROM handshake WHERE handshake.gate_id = url.id AND handshake.url_id <> url.id)
ORDER BY url_text.url;

CREATE VIEW pages AS             -- every URL that was requested, with its newest answer
SELECT
    page.url AS url,             -- canonical
    page.status AS status,       -- HTTP status; NULL: no answer arrived
    (SELECT nullif(url.depth, 1 << 30) FROM url WHERE url.id = page.id) AS depth, -- link hops from the nearest seed
    page.title AS title,         -- NULL: no title element; '': an empty one
    (SELECT phrase.text FROM phrase WHERE phrase.id = page.type_id) AS content_type, -- without parameters
    page.body_bytes AS body_bytes, -- after content-coding; Content-Length if the body was not downloaded
    page.elapsed_ms AS elapsed_ms, -- from the request to the last byte that was read
    strftime('%Y-%m-%dT%H:%M:%fZ', page.fetched_at / 1000.0, 'unixepoch') AS fetched_at, -- ISO 8601, UTC
    nullif(lower(hex(page.content_hash)), '') AS content_hash, -- SHA-256 of the body, hex
    coalesce(
        (SELECT url_text.url FROM url_text WHERE url_text.id = page.redirect_id), page.redirect_text
    ) AS redirect_to,            -- target of a redirect, in scope or not; NULL: no redirect, or no valid target
    page.error AS error,         -- the reason of a failure; NULL: the answer was taken as asked
    page.language AS language,   -- html[lang]
    page.canonical AS canonical, -- link[rel=canonical], resolved
    page.robots AS robots,       -- directives of X-Robots-Tag and meta robots
    page.etag AS etag,           -- as sent
    page.last_modified AS last_modified, -- as sent
    (SELECT url.attempts FROM url WHERE url.id = page.id) AS attempts, -- requests with a result
    (SELECT host.name FROM url JOIN host ON host.id = url.host_id WHERE url.id = page.id) AS host -- name and non-default port
FROM (
    SELECT DISTINCT
        url_id AS id, generation, status, title, type_id, body_bytes, elapsed_ms, fetched_at, content_hash,
        redirect_id, redirect_text, error, language, canonical, robots, etag, last_modified,
        (SELECT url_text.url FROM url_text WHERE url_text.id = last_fetch.url_id) AS url
    FROM last_fetch
) AS page;

CREATE VIEW redirect_chains AS   -- redirects that lead to redirects, and loops
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
      AND instr(walk.path, ',' || walk.at || ',') = 0 -- a loop ends at the first URL it meets again
      AND walk.hops < 100        -- the limit for a chain without end
),
whole AS (                       -- the longest walk from each start; `at` and the rest come from that row
    SELECT start, at, elsewhere, max(hops) AS hops, least, via,
           instr(path, ',' || at || ',') > 0 AS looped
    FROM walk GROUP BY start
)
SELECT
    first.url AS url,            -- where the chain starts
    whole.hops AS hops,          -- redirects in a row: at least two, or one for a URL that redirects to itself
    coalesce(last.url, whole.elsewhere) AS final_url, -- where the chain ends
    (SELECT last_fetch.status FROM last_fetch WHERE last_fetch.url_id = whole.at) AS final_status, -- HTTP status
    CASE WHEN whole.looped THEN 'loop' ELSE last.state END AS result, -- loop, or the state of the final URL; NULL: it has no row
    whole.via AS via             -- the URLs between, separated by blanks
FROM whole
JOIN url_text AS first ON first.id = whole.start
LEFT JOIN known_url AS last ON last.id = whole.at
WHERE (whole.hops > 1 OR whole.looped)
  -- Once per chain: from the URL that no redirect leads to. A loop that no redirect leads into is
  -- shown from its oldest member.
  AND (NOT EXISTS (SELECT 1 FROM fetch AS before
                   WHERE before.redirect_id = whole.start AND before.url_id <> whole.start)
       OR (whole.looped AND whole.at = whole.start AND whole.least = whole.start))
ORDER BY whole.hops DESC, first.url;

CREATE VIEW redirects AS         -- every redirect, with the state of its target
SELECT
    source.url AS url,           -- the URL that redirects
    hop.status AS status,        -- HTTP status
    coalesce(target.url, hop.redirect_text) AS target, -- NULL: Location is missing or invalid
    target.state AS target_state, -- NULL: the target has no row; it is no http(s) URL, or too long
    target.reason AS target_reason, -- why the target failed or was skipped
    (SELECT last_fetch.status FROM last_fetch WHERE last_fetch.url_id = target.id) AS target_status, -- HTTP status
    (SELECT url.depth FROM url WHERE url.id = hop.url_id) AS depth -- link hops from the nearest seed
FROM last_fetch AS hop
JOIN url_text AS source ON source.id = hop.url_id
LEFT JOIN known_url AS target ON target.id = hop.redirect_id
WHERE hop.redirect_id IS NOT NULL OR hop.redirect_text IS NOT NULL OR hop.status IN (301, 302, 303, 307, 308)
ORDER BY source.url;

CREATE VIEW resource_uses AS     -- one row per page, resource and what the resource is used as
SELECT
    page.url AS page,            -- the page that loads it
    used.url AS resource,        -- its URL
    phrase.text AS kind          -- image, script, style, media, icon, font, object or manifest
FROM url_text AS page
CROSS JOIN resource_use ON resource_use.page_id = page.id
JOIN url_text AS used ON used.id = resource_use.url_id
JOIN phrase ON phrase.id = resource_use.use_id;

CREATE VIEW resources AS         -- what pages load, such as images and stylesheets (--resources), with their answers
SELECT
    url_text.url AS url,         -- canonical
    (SELECT group_concat(kind, ' ') FROM (
        SELECT DISTINCT phrase.text AS kind FROM resource_use JOIN phrase ON phrase.id = resource_use.use_id
        WHERE resource_use.url_id = url.id ORDER BY phrase.text
    )) AS kind,                  -- image, script, style, media, icon, font, object or manifest; several are
                                 -- separated by blanks; NULL: only a redirect leads here
    CASE url.state WHEN 2 THEN 'done' WHEN 3 THEN 'failed' WHEN 4 THEN 'skipped' ELSE 'pending' END AS state, -- pending, done, failed or skipped
    resource.status AS status,   -- HTTP status; NULL: no answer arrived
    (SELECT phrase.text FROM phrase WHERE phrase.id = resource.type_id) AS content_type, -- without parameters
    resource.bytes AS bytes,     -- Content-Length; NULL: the answer had none
    CASE WHEN url.state IN (3, 4) THEN url.reason END AS error, -- why it failed or was skipped (robots, address, ...)
    strftime('%Y-%m-%dT%H:%M:%fZ', resource.checked_at / 1000.0, 'unixepoch') AS checked_at, -- ISO 8601, UTC
    coalesce(
        (SELECT target.url FROM url_text AS target WHERE target.id = resource.redirect_id), resource.redirect_text
    ) AS redirect_to             -- target of a redirect, which is a resource of its own
FROM url
JOIN url_text ON url_text.id = url.id
LEFT JOIN resource ON resource.url_id = url.id
-- Not what only links lead to, which is checked with --check-external.
WHERE url.kind = 2 AND url.id IN (
    WITH RECURSIVE loaded (id) AS (
        SELECT resource_use.url_id FROM resource_use
        UNION
        SELECT hop.redirect_id FROM loaded JOIN resource AS hop ON hop.url_id = loaded.id
        WHERE hop.redirect_id IS NOT NULL
    )
    SELECT loaded.id FROM loaded
);

CREATE VIEW sitemaps AS          -- every sitemap that robots.txt, an index or the operator named
SELECT
    url_text.url AS url,         -- canonical
    CASE url.state WHEN 2 THEN 'done' WHEN 3 THEN 'failed' WHEN 4 THEN 'skipped' ELSE 'pending' END AS state, -- pending, done, failed or skipped
    url.reason AS reason,        -- why it failed or was skipped
    sitemap.status AS status,    -- HTTP status; NULL: no answer arrived
    sitemap.format AS format,    -- urlset, index, rss, atom or text; NULL: none of these
    sitemap.entries AS entries,  -- locations read
    sitemap.refused AS refused,  -- locations that are no http(s) URL or too long, and entries that could not be read
    sitemap.error AS error,      -- why there is no answer, why reading ended early, or what is damaged (bad_xml,
                                 -- bad_encoding): then all that could be read is listed
    strftime('%Y-%m-%dT%H:%M:%fZ', sitemap.fetched_at / 1000.0, 'unixepoch') AS fetched_at, -- ISO 8601, UTC
    coalesce(
        (SELECT min(origin) || '/robots.txt' FROM robots_sitemap WHERE robots_sitemap.url_id = url.id),
        (SELECT min(parent.url) FROM sitemap_child JOIN url_text AS parent ON parent.id = sitemap_child.parent_id
         WHERE sitemap_child.url_id = url.id)
    ) AS named_by                -- the robots.txt, or else the sitemap, that leads here; NULL: the operator
FROM url
JOIN url_text ON url_text.id = url.id
LEFT JOIN sitemap ON sitemap.url_id = url.id
WHERE url.kind = 1;

CREATE VIEW skipped AS           -- URLs that a rule excluded, and which rule
SELECT
    url,                         -- canonical
    reason,                      -- the rule: scope, include, exclude, depth, robots, nofollow, trap:..., address, ...
    depth,                       -- link hops from the nearest seed
    discovered_from              -- URL of the nearest page that leads here
FROM known_url
WHERE state = 'skipped'
ORDER BY reason, url;

CREATE VIEW slow_pages AS        -- answers that took far longer than most of this crawl, the slowest first
WITH
times (ms) AS (SELECT elapsed_ms FROM last_fetch WHERE elapsed_ms IS NOT NULL),
most (median, p95) AS (
    SELECT (SELECT ms FROM times ORDER BY ms LIMIT 1 OFFSET (SELECT count(*) / 2 FROM times)),
           (SELECT ms FROM times ORDER BY ms LIMIT 1 OFFSET (SELECT count(*) * 95 / 100 FROM times))
)
SELECT
    pages.url AS url,            -- of the page
    pages.elapsed_ms AS elapsed_ms, -- from the request to the last byte that was read
    pages.status AS status,      -- HTTP status
    pages.body_bytes AS body_bytes, -- after content-coding
    pages.content_type AS content_type, -- without parameters
    pages.depth AS depth,        -- link hops from the nearest seed
    pages.error AS error         -- the reason of a failure
FROM most CROSS JOIN pages
-- At least 0.2 s, and of the slowest 5 % or three times the median: on a small site 5 % is one page.
WHERE pages.elapsed_ms >= 200 AND pages.elapsed_ms > most.median
  AND (pages.elapsed_ms >= most.p95 OR pages.elapsed_ms >= 3 * most.median)
ORDER BY pages.elapsed_ms DESC, pages.url;

CREATE VIEW status_codes AS      -- how many URLs ended in each status and error
SELECT
    status,                      -- HTTP status; NULL: no answer arrived
    error,                       -- NULL: the answer was taken as asked
    count(*) AS urls             -- requested URLs
FROM last_fetch
GROUP BY status, error
ORDER BY status, error;

CREATE VIEW structured AS        -- structured data of pages, one item per row
SELECT
    found.url AS url,            -- of the page
    (SELECT phrase.text FROM phrase WHERE phrase.id = found.kind_id) AS kind, -- json-ld, opengraph, twitter or microdata
    found.position AS position,  -- among the items of that kind on that page, from 0
    found.data AS data,          -- JSON; NULL: it could not be read
    found.error AS error,        -- why it could not be read: bad_json, empty, too_large, too_deep, too_many; beside data: repaired:WHAT, cut
    (SELECT strftime('%Y-%m-%dT%H:%M:%fZ', fetch.fetched_at / 1000.0, 'unixepoch') FROM fetch
     WHERE fetch.url_id = found.url_id AND fetch.generation = found.generation) AS fetched_at -- ISO 8601, UTC
FROM (
    SELECT structured_item.*, url_text.url AS url
    FROM structured_item JOIN url_text ON url_text.id = structured_item.url_id
    WHERE generation = (SELECT max(newer.generation) FROM fetch AS newer WHERE newer.url_id = structured_item.url_id)
    UNION ALL SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL WHERE 0
) AS found;

CREATE VIEW telemetry AS         -- one row per second and stage; means are over that second
SELECT
    strftime('%Y-%m-%dT%H:%M:%SZ', sample.at, 'unixepoch') AS at, -- ISO 8601, UTC: the end of the second
    sample.run_id AS run,        -- runs.id
    stage_sample.stage AS stage, -- fetch, parse or store
    stage_sample.waiting AS queue_depth, -- messages in its inbox, mean
    stage_sample.bound AS queue_bound, -- most messages that fit into its inbox
    stage_sample.busy AS busy,   -- workers that handle a message, mean
    stage_sample.workers AS workers, -- all of them
    stage_sample.handled AS handled, -- messages, of the run so far
    stage_sample.wait_ms AS wait_ms, -- in the inbox, per message, mean
    stage_sample.service_ms AS service_ms, -- in a worker, per message, mean
    sample.lag_ms AS lag_ms,     -- delay of the event loop's timers
    sample.loop_busy AS loop_busy, -- the event loop's share of one core
    sample.requests AS requests, -- of the run so far
    sample.pages AS pages,       -- of the run so far: status 200 without error
    sample.bytes AS bytes,       -- of the run so far
    sample.failed AS failed,     -- of the run so far
    sample.pending AS pending,   -- URLs of the whole crawl
    sample.skipped AS skipped,   -- URLs of the whole crawl
    sample.in_flight AS in_flight, -- URLs between the frontier and their commit
    sample.hosts AS hosts,       -- in memory
    sample.hosts_held_back AS hosts_held_back -- by the throttle
FROM sample JOIN stage_sample ON stage_sample.at = sample.at
ORDER BY sample.at, stage_sample.position;

CREATE VIEW thin_pages AS        -- HTML pages with few words (after analyse), or with a very small body
SELECT
    url_text.url AS url,         -- of the page
    analysis.words AS words,     -- in the visible text; NULL: analyse has not read its body
    page.body_bytes AS body_bytes, -- after content-coding
    page.title AS title,         -- of the page
    page.depth AS depth          -- link hops from the nearest seed
FROM html_page AS page
JOIN url_text ON url_text.id = page.url_id
LEFT JOIN analysis ON analysis.url_id = page.url_id
-- Auditors begin to look below 200 words. Where the words were not counted: 200 words, and markup
-- around them, need more than 2048 bytes.
WHERE CASE WHEN analysis.words IS NULL THEN page.body_bytes < 2048 ELSE analysis.words < 200 END
ORDER BY analysis.words, page.body_bytes, url_text.url;

CREATE VIEW top_pages AS         -- pages by PageRank over followed links and redirects (after analyse)
SELECT
    url_text.url AS url,         -- of the page
    round(analysis.rank, 9) AS pagerank, -- the sum over all pages is 1
    (SELECT count(*) FROM link WHERE link.target = analysis.url_id AND link.source <> analysis.url_id) AS inlinks, -- pages that link here
    page.status AS status,       -- HTTP status
    page.title AS title          -- of the page
FROM analysis
JOIN url_text ON url_text.id = analysis.url_id
JOIN last_fetch AS page ON page.url_id = analysis.url_id
ORDER BY analysis.rank DESC, url_text.url;

CREATE VIEW url_text AS          -- the canonical URL of a row of url
SELECT
    url.id AS id,                -- what link.source, fetch.redirect_id and other columns refer to
    CASE url.secure WHEN 1 THEN 'https://' ELSE 'http://' END || host.name || url.path AS url -- canonical
FROM url JOIN host ON host.id = url.host_id;

CREATE VIEW urls AS              -- every http(s) URL ever discovered
SELECT
    url,                         -- canonical
    host,                        -- name and non-default port
    state,                       -- pending, done, failed or skipped
    reason,                      -- why it failed, which rule skipped it, or why it waits for another attempt
    depth,                       -- link hops from the nearest seed; NULL: only a sitemap leads here
    attempts,                    -- requests with a result
    discovered_from,             -- URL of the nearest page that leads here; NULL: a seed
    seed,                        -- 1: given by the operator
    retry_at                     -- ISO 8601, UTC; only while it waits for another attempt
FROM known_url;
