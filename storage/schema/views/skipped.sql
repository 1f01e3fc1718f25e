CREATE VIEW skipped AS           -- what a rule kept out
SELECT
    url,
    reason,                      -- the rule
    depth,
    discovered_from
FROM known_url
WHERE state = 'skipped'
ORDER BY reason, url;
