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
