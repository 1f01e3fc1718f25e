CREATE VIEW depths AS            -- how far the crawl has come at each distance from the seeds
SELECT
    nullif(url.depth, 1 << 30) AS depth,
    count(*) AS urls,            -- discovered; the four states below add up to it
    count(*) FILTER (WHERE url.state IN (0, 1)) AS pending,
    count(*) FILTER (WHERE url.state = 2) AS done,
    count(*) FILTER (WHERE url.state = 3) AS failed,
    count(*) FILTER (WHERE url.state = 4) AS skipped,
    count(*) FILTER (WHERE (     -- status 200 without error
        SELECT last_fetch.status = 200 AND last_fetch.error IS NULL
        FROM last_fetch WHERE last_fetch.url_id = url.id
    )) AS pages
FROM url
WHERE url.kind <> 2
GROUP BY url.depth
ORDER BY url.depth;
