CREATE VIEW deep_pages AS        -- stored pages, those furthest from the seeds first
SELECT url, depth, title, content_type
FROM pages
WHERE status = 200 AND error IS NULL AND depth IS NOT NULL
ORDER BY depth DESC, url;
