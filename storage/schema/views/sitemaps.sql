CREATE VIEW sitemaps AS          -- every sitemap that robots.txt, an index or the operator named
SELECT
    url_text.url AS url,         -- canonical
    CASE url.state WHEN 2 THEN 'done' WHEN 3 THEN 'failed' WHEN 4 THEN 'skipped' ELSE 'pending' END AS state, -- pending, done, failed or skipped
    url.reason AS reason,        -- why it failed or was skipped
    sitemap.status AS status,    -- HTTP status; NULL: no answer arrived
    sitemap.format AS format,    -- urlset, index, rss, atom or text; NULL: none of these
    sitemap.entries AS entries,  -- locations read
    sitemap.refused AS refused,  -- locations that are no http(s) URL, or too long
    sitemap.error AS error,      -- why there is no answer, or why reading ended early
    strftime('%Y-%m-%dT%H:%M:%fZ', sitemap.fetched_at / 1000.0, 'unixepoch') AS fetched_at -- ISO 8601, UTC
FROM url
JOIN url_text ON url_text.id = url.id
LEFT JOIN sitemap ON sitemap.url_id = url.id
WHERE url.kind = 1;
