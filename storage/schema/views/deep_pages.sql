CREATE VIEW deep_pages AS        -- stored pages, those furthest from the seeds first
SELECT
    url,                         -- of the page
    depth,                       -- link hops from the nearest seed
    title,                       -- of the page
    content_type                 -- without parameters
FROM pages
WHERE status = 200 AND error IS NULL AND depth IS NOT NULL
ORDER BY depth DESC, url;
