CREATE VIEW redirects AS         -- every redirect, with the state of its target
SELECT
    source.url AS url,           -- the URL that redirects
    hop.status AS status,        -- HTTP status
    coalesce(target.url, hop.redirect_text) AS target, -- NULL: Location is missing or invalid
    target.state AS target_state, -- NULL: the target has no row; it is no http(s) URL, or too long
    target.reason AS target_reason, -- why the target failed or was skipped
    (SELECT last_fetch.status FROM last_fetch WHERE last_fetch.url_id = target.id) AS target_status, -- HTTP status
    (SELECT url.depth FROM url WHERE url.id = hop.url_id) AS depth -- link hops from the nearest seed
FROM last_fetch AS hop
JOIN url_text AS source ON source.id = hop.url_id
LEFT JOIN known_url AS target ON target.id = hop.redirect_id
WHERE hop.redirect_id IS NOT NULL OR hop.redirect_text IS NOT NULL OR hop.status IN (301, 302, 303, 307, 308)
ORDER BY source.url;
