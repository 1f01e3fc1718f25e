CREATE VIEW deep_pages AS        -- stored pages far deeper than most of this crawl, the deepest first
WITH
depths (depth) AS (
    SELECT url.depth FROM last_fetch JOIN url ON url.id = last_fetch.url_id
    WHERE last_fetch.status = 200 AND last_fetch.error IS NULL AND url.depth < 1 << 30
),
most (median, p95) AS (
    SELECT (SELECT depth FROM depths ORDER BY depth LIMIT 1 OFFSET (SELECT count(*) / 2 FROM depths)),
           (SELECT depth FROM depths ORDER BY depth LIMIT 1 OFFSET (SELECT count(*) * 95 / 100 FROM depths))
)
SELECT
    pages.url AS url,            -- of the page
    pages.depth AS depth,        -- link hops from the nearest seed
    pages.title AS title,        -- of the page
    pages.content_type AS content_type -- without parameters
FROM most CROSS JOIN pages
-- At least three links, and of the deepest 5 % or three times the median: on a small site 5 % is one page.
WHERE pages.status = 200 AND pages.error IS NULL AND pages.depth >= 3 AND pages.depth > most.median
  AND (pages.depth >= most.p95 OR pages.depth >= 3 * most.median)
ORDER BY pages.depth DESC, pages.url;
