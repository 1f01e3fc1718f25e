CREATE VIEW urls AS              -- every http(s) URL ever discovered
SELECT
    url,                         -- canonical
    host,                        -- name and non-default port
    state,                       -- pending, done, failed or skipped
    reason,                      -- why failed or skipped (the rule), or why it is to be asked again
    depth,                       -- link hops from the nearest seed
    attempts,                    -- requests that were settled
    discovered_from,             -- URL of the nearest page that leads here; NULL: a seed
    seed,                        -- 1: given by the operator
    retry_at                     -- ISO 8601, UTC; only while waiting for another attempt
FROM known_url;
