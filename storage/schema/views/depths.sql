CREATE VIEW depths AS            -- counts at each distance from the seeds
SELECT
    nullif(url.depth, 1 << 30) AS depth, -- link hops from the nearest seed; NULL: only a sitemap leads there
    count(*) AS urls,            -- discovered URLs: the sum of the next four columns
    count(*) FILTER (WHERE url.state IN (0, 1)) AS pending, -- URLs in this state
    count(*) FILTER (WHERE url.state = 2) AS done, -- URLs in this state
    count(*) FILTER (WHERE url.state = 3) AS failed, -- URLs in this state
    count(*) FILTER (WHERE url.state = 4) AS skipped, -- URLs in this state
    count(*) FILTER (WHERE (
        SELECT last_fetch.status = 200 AND last_fetch.error IS NULL
        FROM last_fetch WHERE last_fetch.url_id = url.id
    )) AS pages                  -- status 200 without error
FROM url
WHERE url.kind <> 2
GROUP BY url.depth
ORDER BY url.depth;
