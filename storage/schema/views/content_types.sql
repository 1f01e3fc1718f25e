CREATE VIEW content_types AS     -- counts, bytes and answer time of every content type
SELECT
    (SELECT phrase.text FROM phrase WHERE phrase.id = last_fetch.type_id) AS content_type, -- without parameters; NULL: the answer named none
    count(*) AS urls,            -- requested URLs
    count(*) FILTER (WHERE status = 200 AND error IS NULL) AS pages, -- status 200 without error
    sum(body_bytes) FILTER (WHERE status = 200 AND error IS NULL) AS bytes, -- body_bytes of these pages
    CAST(round(avg(elapsed_ms)) AS INTEGER) AS avg_elapsed_ms -- over all answers
FROM last_fetch
GROUP BY type_id
ORDER BY urls DESC, content_type;
