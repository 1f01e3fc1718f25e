CREATE VIEW redirects AS         -- every redirect, and what became of its target
SELECT
    source.url AS url,
    hop.status AS status,
    coalesce(target.url, hop.redirect_text) AS target, -- NULL: Location is missing or invalid
    target.state AS target_state, -- NULL: the target is no http(s) URL, or too long, so it has no row
    target.reason AS target_reason,
    (SELECT last_fetch.status FROM last_fetch WHERE last_fetch.url_id = target.id) AS target_status,
    (SELECT url.depth FROM url WHERE url.id = hop.url_id) AS depth
FROM last_fetch AS hop
JOIN url_text AS source ON source.id = hop.url_id
LEFT JOIN known_url AS target ON target.id = hop.redirect_id
WHERE hop.redirect_id IS NOT NULL OR hop.redirect_text IS NOT NULL OR hop.status IN (301, 302, 303, 307, 308)
ORDER BY source.url;
