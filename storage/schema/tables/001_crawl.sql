-- Step 1: the tables beneath the views. URLs, hosts and texts are stored once and referred to by number.

PRAGMA application_id = 0x50454e53;  -- 'PENS'

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
    rests       INTEGER NOT NULL DEFAULT 0  -- breaker openings since the last answer
);

CREATE TABLE url (               -- every URL ever discovered, with its place in the frontier
    id          INTEGER PRIMARY KEY,
    host_id     INTEGER NOT NULL REFERENCES host (id),
    secure      INTEGER NOT NULL, -- 1: https, 0: http
    path        TEXT NOT NULL,   -- path and query of the canonical URL
    kind        INTEGER NOT NULL DEFAULT 0, -- 0: a page or file; 1: a sitemap; 2: a resource
    depth       INTEGER NOT NULL, -- least link hops from a seed (over nofollow links only if there is no other way).
                                 -- 1 << 30: only a sitemap leads here. Of a sitemap: its nesting
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
CREATE UNIQUE INDEX url_key ON url (host_id, path, secure, kind);
-- The frontier. The order of this index is breadth-first within a host.
CREATE INDEX url_pending ON url (host_id, depth, id) WHERE state = 0;
CREATE INDEX url_waiting ON url (retry_at) WHERE state = 1;

CREATE TABLE phrase (            -- anchor texts, rel values and content types, each once
    id          INTEGER PRIMARY KEY,
    text        TEXT NOT NULL UNIQUE
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
    PRIMARY KEY (url_id, generation)
) WITHOUT ROWID;

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
    fetched_at  REAL NOT NULL    -- unix seconds
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
    max_rss_bytes INTEGER        -- peak memory of the process
);
