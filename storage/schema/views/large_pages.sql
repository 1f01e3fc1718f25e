CREATE VIEW large_pages AS       -- answers, the largest first
SELECT
    url,                         -- of the page
    body_bytes,                  -- after content-coding; Content-Length if the body was not downloaded
    status,                      -- HTTP status
    content_type,                -- without parameters
    elapsed_ms,                  -- from the request to the last byte that was read
    depth                        -- link hops from the nearest seed
FROM pages
WHERE body_bytes IS NOT NULL
ORDER BY body_bytes DESC, url;
