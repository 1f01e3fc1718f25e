CREATE VIEW large_pages AS       -- the largest answers first
SELECT url, body_bytes, status, content_type, elapsed_ms, depth
FROM pages
WHERE body_bytes IS NOT NULL
ORDER BY body_bytes DESC, url;
