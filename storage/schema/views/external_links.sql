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
