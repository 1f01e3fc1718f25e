CREATE VIEW sitemaps AS          -- every sitemap that robots.txt, an index or the operator named
SELECT
    url_text.url AS url,         -- canonical
    CASE url.state WHEN 2 THEN 'done' WHEN 3 THEN 'failed' WHEN 4 THEN 'skipped' ELSE 'pending' END AS state, -- pending, done, failed or skipped
    url.reason AS reason,        -- why it failed or was skipped
    sitemap.status AS status,    -- HTTP status; NULL: no answer arrived
    sitemap.format AS format,    -- urlset, index, rss, atom or text; NULL: none of these
    sitemap.entries AS entries,  -- locations read
    sitemap.refused AS refused,  -- locations that are no http(s) URL or too long, and entries that could not be read
    sitemap.error AS error,      -- why there is no answer, why reading ended early, or what is damaged (bad_xml,
                                 -- bad_encoding): then all that could be read is listed
    strftime('%Y-%m-%dT%H:%M:%fZ', sitemap.fetched_at / 1000.0, 'unixepoch') AS fetched_at, -- ISO 8601, UTC
    coalesce(
        (SELECT min(origin) || '/robots.txt' FROM robots_sitemap WHERE robots_sitemap.url_id = url.id),
        (SELECT min(parent.url) FROM sitemap_child JOIN url_text AS parent ON parent.id = sitemap_child.parent_id
         WHERE sitemap_child.url_id = url.id)
    ) AS named_by                -- the robots.txt, or else the sitemap, that leads here; NULL: the operator
FROM url
JOIN url_text ON url_text.id = url.id
LEFT JOIN sitemap ON sitemap.url_id = url.id
WHERE url.kind = 1;
