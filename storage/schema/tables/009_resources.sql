-- Step 9: the images, scripts, stylesheets and media that pages load, and their answers. Their URLs are
-- rows of url with kind 2, which the views pages, links and urls do not show.

ALTER TABLE runs ADD COLUMN resource_requests INTEGER NOT NULL DEFAULT 0; -- for resources

CREATE INDEX url_resource ON url (state) WHERE kind = 2;

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
