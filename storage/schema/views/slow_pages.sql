CREATE VIEW slow_pages AS        -- answers that took far longer than most of this crawl, the slowest first
WITH
times (ms) AS (SELECT elapsed_ms FROM last_fetch WHERE elapsed_ms IS NOT NULL),
most (median, p95) AS (
    SELECT (SELECT ms FROM times ORDER BY ms LIMIT 1 OFFSET (SELECT count(*) / 2 FROM times)),
           (SELECT ms FROM times ORDER BY ms LIMIT 1 OFFSET (SELECT count(*) * 95 / 100 FROM times))
)
SELECT
    pages.url AS url,            -- of the page
    pages.elapsed_ms AS elapsed_ms, -- from the request to the last byte that was read
    pages.status AS status,      -- HTTP status
    pages.body_bytes AS body_bytes, -- after content-coding
    pages.content_type AS content_type, -- without parameters
    pages.depth AS depth,        -- link hops from the nearest seed
    pages.error AS error         -- the reason of a failure
FROM most CROSS JOIN pages
-- At least 0.2 s, and of the slowest 5 % or three times the median: on a small site 5 % is one page.
WHERE pages.elapsed_ms >= 200 AND pages.elapsed_ms > most.median
  AND (pages.elapsed_ms >= most.p95 OR pages.elapsed_ms >= 3 * most.median)
ORDER BY pages.elapsed_ms DESC, pages.url;
