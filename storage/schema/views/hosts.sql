CREATE VIEW hosts AS             -- counts, bytes and answer time of every host, the largest host first
SELECT
    host.name AS host,           -- name and non-default port
    known.urls AS urls,          -- discovered URLs: the sum of the next four columns
    known.pending AS pending,    -- URLs in this state
    known.done AS done,          -- URLs in this state
    known.failed AS failed,      -- URLs in this state
    known.skipped AS skipped,    -- URLs in this state
    coalesce(answered.pages, 0) AS pages, -- status 200 without error
    coalesce(answered.bytes, 0) AS bytes, -- body_bytes of these pages
    answered.elapsed_ms AS avg_elapsed_ms -- over all answers; NULL: no answer arrived
FROM host
JOIN (
    SELECT host_id, count(*) AS urls, count(*) FILTER (WHERE state IN (0, 1)) AS pending,
           count(*) FILTER (WHERE state = 2) AS done, count(*) FILTER (WHERE state = 3) AS failed,
           count(*) FILTER (WHERE state = 4) AS skipped
    FROM url WHERE kind <> 2 GROUP BY host_id
) AS known ON known.host_id = host.id
LEFT JOIN (
    SELECT url.host_id AS host_id, count(*) FILTER (WHERE status = 200 AND error IS NULL) AS pages,
           sum(body_bytes) FILTER (WHERE status = 200 AND error IS NULL) AS bytes,
           CAST(round(avg(elapsed_ms)) AS INTEGER) AS elapsed_ms
    FROM last_fetch JOIN url ON url.id = last_fetch.url_id
    GROUP BY url.host_id
) AS answered ON answered.host_id = host.id
ORDER BY known.urls DESC, host.name;
