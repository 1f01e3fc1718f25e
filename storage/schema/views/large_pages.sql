CREATE VIEW large_pages AS       -- answers far larger than most of this crawl, the largest first
WITH
sizes (is_html, bytes) AS (      -- pages and files are compared among themselves
    SELECT type_id IN (SELECT id FROM phrase WHERE text IN ('text/html', 'application/xhtml+xml')), body_bytes
    FROM last_fetch WHERE body_bytes IS NOT NULL
),
ranked (is_html, bytes, place, total) AS (
    SELECT coalesce(is_html, 0), bytes, row_number() OVER (PARTITION BY coalesce(is_html, 0) ORDER BY bytes) - 1,
           count(*) OVER (PARTITION BY coalesce(is_html, 0))
    FROM sizes
),
most (is_html, median, p95) AS (
    SELECT is_html, max(bytes) FILTER (WHERE place = total / 2), max(bytes) FILTER (WHERE place = total * 95 / 100)
    FROM ranked GROUP BY is_html
)
SELECT
    pages.url AS url,            -- of the page
    pages.body_bytes AS body_bytes, -- after content-coding; Content-Length if the body was not downloaded
    pages.status AS status,      -- HTTP status
    pages.content_type AS content_type, -- without parameters
    pages.elapsed_ms AS elapsed_ms, -- from the request to the last byte that was read
    pages.depth AS depth         -- link hops from the nearest seed
FROM pages
JOIN most ON most.is_html = coalesce(pages.content_type IN ('text/html', 'application/xhtml+xml'), 0)
-- At least 50 KiB, and of the largest 5 % or three times the median: on a small site 5 % is one page.
WHERE pages.body_bytes >= 51200 AND pages.body_bytes > most.median
  AND (pages.body_bytes >= most.p95 OR pages.body_bytes >= 3 * most.median)
ORDER BY pages.body_bytes DESC, pages.url;
