-- Schema 4: what waits until nothing else is left (url.retry_at is infinite), and what is
-- known of pages whose URLs may carry a session id.

-- In the order in which they are asked: the nearest to the seeds first.
CREATE INDEX url_late ON url (depth, id) WHERE state = 1 AND retry_at = 9e999;

CREATE TABLE session_page (      -- stored pages whose URL may carry a session id
    url_id      INTEGER PRIMARY KEY REFERENCES url (id),
    fingerprint BLOB NOT NULL    -- SHA-256 of the body without session ids
);

-- How many requests for robots.txt in a row this answer is the end of.
ALTER TABLE robots ADD COLUMN attempt INTEGER NOT NULL DEFAULT 1;
