CREATE VIEW slow_pages AS        -- the slowest answers first
SELECT url, elapsed_ms, status, body_bytes, content_type, depth, error
FROM pages
WHERE elapsed_ms IS NOT NULL
ORDER BY elapsed_ms DESC, url;
