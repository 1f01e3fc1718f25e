-- What the web says of itself: who names a sitemap, and what became of a request for robots.txt.
ALTER TABLE robots ADD COLUMN url TEXT; -- where the redirects of this robots.txt ended; NULL: it did not redirect
ALTER TABLE robots ADD COLUMN sitemaps INTEGER NOT NULL DEFAULT 0; -- sitemaps that it names
ALTER TABLE robots ADD COLUMN refused_sitemaps INTEGER NOT NULL DEFAULT 0; -- Sitemap lines that name no http(s) URL, one that is too long, or one too many
ALTER TABLE robots ADD COLUMN is_cut INTEGER NOT NULL DEFAULT 0; -- 1: it is longer than 500 KiB, and the rest was not read

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
CREATE INDEX url_sitemap ON url (state) WHERE kind = 1;

-- Cookie gates. A redirect that sets a cookie is flagged; no cookie is stored.

ALTER TABLE fetch ADD COLUMN sets_cookie INTEGER NOT NULL DEFAULT 0; -- 1: a redirect or a failure that set a cookie
CREATE INDEX fetch_cookie ON fetch (url_id) WHERE sets_cookie = 1 AND redirect_id IS NOT NULL;

CREATE TABLE handshake (         -- URLs behind a cookie gate, each tried once with a private jar
    url_id      INTEGER PRIMARY KEY REFERENCES url (id),
    start       TEXT NOT NULL,   -- the URL at which the exchange begins
    gate_id     INTEGER REFERENCES url (id), -- where the URL redirects without cookies; NULL: it denied access
    reason      TEXT,            -- why it failed without cookies; NULL: it redirected
    outcome     TEXT,            -- stored, or why the exchange did not end at the URL; NULL: not tried yet
    ended_at    TEXT             -- the URL at which the exchange ended
);
CREATE INDEX handshake_gate ON handshake (gate_id) WHERE gate_id IS NOT NULL;

-- What became of rules and plugins, whole, for the summary of every run.

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

-- Answers as they came (--save-bodies): pages, redirects, errors and sitemaps in `body`, robots.txt below.

CREATE TABLE body_head (         -- what belongs to a saved body besides its headers
    url_id      INTEGER NOT NULL REFERENCES url (id),
    generation  INTEGER NOT NULL,
    status_line TEXT,            -- with version and reason, as sent
    request     BLOB NOT NULL,   -- zlib; headers of the request without credentials, a JSON array of [name, value]
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
