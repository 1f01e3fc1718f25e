-- Step 4: deferred URLs, which wait until nothing else is left (their retry_at is infinite), and a
-- fingerprint of pages whose URLs may carry a session id.

-- Deferred URLs in the order in which they are fetched: the nearest to the seeds first.
CREATE INDEX url_late ON url (depth, id) WHERE state = 1 AND retry_at = 9e999;

CREATE TABLE session_page (      -- stored pages whose URL may carry a session id
    url_id      INTEGER PRIMARY KEY REFERENCES url (id),
    fingerprint BLOB NOT NULL    -- SHA-256 of the body without session ids
);

ALTER TABLE robots ADD COLUMN attempt INTEGER NOT NULL DEFAULT 1; -- number of this request in a row of retries
