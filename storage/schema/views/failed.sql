CREATE VIEW failed AS            -- what was given up
SELECT
    url,
    reason,
    -- HTTP status of the last answer; NULL: none arrived
    (SELECT last_fetch.status FROM last_fetch WHERE last_fetch.url_id = known_url.id) AS status,
    attempts,
    depth,
    discovered_from
FROM known_url
WHERE state = 'failed'
ORDER BY reason, url;
