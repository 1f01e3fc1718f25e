CREATE VIEW slow_pages AS        -- answers, the slowest first
SELECT
    url,                         -- of the page
    elapsed_ms,                  -- from the request to the last byte that was read
    status,                      -- HTTP status
    body_bytes,                  -- after content-coding
    content_type,                -- without parameters
    depth,                       -- link hops from the nearest seed
    error                        -- the reason of a failure
FROM pages
WHERE elapsed_ms IS NOT NULL
ORDER BY elapsed_ms DESC, url;
