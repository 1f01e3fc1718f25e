CREATE VIEW content_types AS     -- what kinds of answers there are
SELECT
    (SELECT phrase.text FROM phrase WHERE phrase.id = last_fetch.type_id) AS content_type, -- NULL: none named
    count(*) AS urls,
    count(*) FILTER (WHERE status = 200 AND error IS NULL) AS pages, -- status 200 without error
    sum(body_bytes) FILTER (WHERE status = 200 AND error IS NULL) AS bytes, -- body_bytes of these pages
    CAST(round(avg(elapsed_ms)) AS INTEGER) AS avg_elapsed_ms -- over all of them
FROM last_fetch
GROUP BY type_id
ORDER BY urls DESC, content_type;
