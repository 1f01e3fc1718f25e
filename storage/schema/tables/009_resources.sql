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
