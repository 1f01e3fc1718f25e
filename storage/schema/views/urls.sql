CREATE VIEW urls AS              -- every http(s) URL ever discovered
SELECT
    url,                         -- canonical
    host,                        -- name and non-default port
    state,                       -- pending, done, failed or skipped
    reason,                      -- why it failed, which rule skipped it, or why it waits for another attempt
    depth,                       -- link hops from the nearest seed; NULL: only a sitemap leads here
    attempts,                    -- requests with a result
    discovered_from,             -- URL of the nearest page that leads here; NULL: a seed
    seed,                        -- 1: given by the operator
    retry_at                     -- ISO 8601, UTC; only while it waits for another attempt
FROM known_url;
