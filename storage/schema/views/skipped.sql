CREATE VIEW skipped AS           -- URLs that a rule excluded, and which rule
SELECT
    url,                         -- canonical
    reason,                      -- the rule: scope, include, exclude, depth, robots, nofollow, trap:..., address, ...
    depth,                       -- link hops from the nearest seed
    discovered_from              -- URL of the nearest page that leads here
FROM known_url
WHERE state = 'skipped'
ORDER BY reason, url;
