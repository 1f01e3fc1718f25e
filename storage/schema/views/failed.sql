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
